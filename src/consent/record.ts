import { GENESIS_HASH, nextLink } from "../audit/chain.ts";
import type { Config } from "../config.ts";
import type { Purpose } from "../http/schemas.ts";
import { signEs256 } from "../lib/es256.ts";
import { canonicalJson } from "../lib/jcs.ts";
import type { Channel } from "./schemas.ts";
import { DATA_CATEGORIES, DATA_LIFE, FREQUENCY, OPERATIONS, PURPOSE_TEXTS } from "./terms.ts";

/** What shows that the retailer acted (regulation.md 1.3); null where the channel gives no such thing. */
export interface Evidence {
  /** The message that showed the notice, and the one that answered it. */
  notice_wamid: string | null;
  answer_wamid: string | null;
  answer_type: "button" | "text" | null;
  answer_payload: string | null;
  /** SHA-256 of the answer's text in UTF-8, as it was sent. */
  answer_text_sha256: string | null;
  /** When the answer was sent, by its sender's clock, and when it reached us. */
  wa_timestamp: string | null;
  received_at: string;
}

/** The evidence that the channel hands over with an act; the answer's id is the act's `wa_message_id`. */
export type GivenEvidence = { [K in keyof Omit<Evidence, "answer_wamid">]?: Evidence[K] | undefined };

/** `EXPIRED` is as final as `REVOKED`: nothing follows either. */
export type ConsentStatus = "ACTIVE" | "PAUSED" | "REVOKED" | "EXPIRED";

/** What paused, resumed or expired a consent, when, by whom and what shows it. */
export interface StatusChange {
  at: string;
  by: string;
  channel: "whatsapp" | "api" | "schedule";
  reason: string | null;
  evidence: Evidence | null;
}

/** Who answers for the data, with the contacts that the law wants named. */
export interface DataFiduciary {
  name: string;
  contact: string;
  dpo_contact: string;
}

/** The data fiduciary as it is configured. */
export function dataFiduciary(config: Config): DataFiduciary {
  return {
    name: config.DATA_FIDUCIARY_NAME,
    contact: config.DATA_FIDUCIARY_CONTACT,
    dpo_contact: config.DPO_CONTACT,
  };
}

/** Content of a record before it has its place in a chain (spec/consent.md "Record"). Instants ISO 8601 UTC. */
export interface RecordContent {
  /** Version of this form: 1 had no frequency, data_life and change. */
  version: 2;
  consent_id: string;
  /** The retailer whose chain the record stands in; stays when the retailer is absorbed by another. */
  retailer_id: string;
  /** Keyed HMAC of the phone that consented, and which key; null when the retailer was named by its id. */
  retailer_identifier_hmac: string | null;
  retailer_identifier_key_id: string | null;
  adult_declared: boolean;
  data_fiduciary: DataFiduciary;
  lender_id: string;
  /** Ties the records of one act; one record per lender. */
  grant_group: string;
  purposes: Purpose[];
  purpose_texts: string[];
  data_categories: string[];
  operations: string[];
  frequency: string;
  data_life: string;
  source_distributor_ids: string[];
  channel: Channel;
  language: string;
  notice: { id: string; version: string; sha256: string };
  evidence: Evidence;
  /** The service that recorded the act. */
  recorded_by: string;
  granted_at: string;
  starts_at: string;
  expires_at: string;
  status: ConsentStatus;
  /** The record of the grant that this record changes; null on a grant. */
  grant_record: { seq: number; record_hash: string } | null;
  /** On a pause, resume or expiry; a revocation has the members below. */
  change: StatusChange | null;
  revoked_at: string | null;
  revoked_by: string | null;
  revoke_channel: StatusChange["channel"] | null;
  revoke_reason: string | null;
  revoke_evidence: Evidence | null;
  signed_at: string;
}

/** A record in its chain, as exported. */
export interface ConsentRecord extends RecordContent {
  seq: number;
  prev_hash: string;
  record_hash: string;
  signature: string;
  key_id: string;
}

/** A record as stored: the exact text that was hashed and signed, and its seal. */
export interface SealedRecord {
  retailer_id: string;
  seq: number;
  consent_id: string;
  canonical: string;
  record_hash: string;
  signature: string;
  key_id: string;
}

/** The last record of a chain; `seq` 0 before the first. */
export interface ChainHead {
  seq: number;
  record_hash: string;
}

/** The head of an empty chain (api.md §10: seq starts at 1, the first prev_hash is 64 zeros). */
export const EMPTY_CHAIN: ChainHead = { seq: 0, record_hash: GENESIS_HASH };

/** What one act of consent says, before it is split into one record per lender. */
export interface GrantAct {
  retailer_id: string;
  fiduciary: DataFiduciary;
  identifier: { hmac: string; key_id: string } | null;
  grant_group: string;
  purposes: Purpose[];
  distributor_id: string;
  channel: Channel;
  language: string;
  notice: { id: string; version: string; sha256: string };
  evidence: Evidence;
  recorded_by: string;
  granted_at: string;
  expires_at: string;
}

/** The evidence of an act in its full form; what the channel did not hand over is null. */
export function fullEvidence(
  answer_wamid: string | null,
  recorded_at: string,
  given: GivenEvidence = {},
): Evidence {
  return {
    notice_wamid: given.notice_wamid ?? null,
    answer_wamid,
    answer_type: given.answer_type ?? null,
    answer_payload: given.answer_payload ?? null,
    answer_text_sha256: given.answer_text_sha256 ?? null,
    wa_timestamp: given.wa_timestamp ?? null,
    received_at: given.received_at ?? recorded_at,
  };
}

/** The record content of a grant to one lender. The caller has made sure that the retailer is a declared adult. */
export function grantContent(act: GrantAct, consent_id: string, lender_id: string): RecordContent {
  return {
    version: 2,
    consent_id,
    retailer_id: act.retailer_id,
    retailer_identifier_hmac: act.identifier?.hmac ?? null,
    retailer_identifier_key_id: act.identifier?.key_id ?? null,
    adult_declared: true,
    data_fiduciary: act.fiduciary,
    lender_id,
    grant_group: act.grant_group,
    purposes: act.purposes,
    purpose_texts: act.purposes.map((code) => PURPOSE_TEXTS[code]),
    data_categories: [...DATA_CATEGORIES],
    operations: [...OPERATIONS],
    frequency: FREQUENCY,
    data_life: DATA_LIFE,
    source_distributor_ids: [act.distributor_id],
    channel: act.channel,
    language: act.language,
    notice: act.notice,
    evidence: act.evidence,
    recorded_by: act.recorded_by,
    granted_at: act.granted_at,
    starts_at: act.granted_at,
    expires_at: act.expires_at,
    status: "ACTIVE",
    grant_record: null,
    change: null,
    revoked_at: null,
    revoked_by: null,
    revoke_channel: null,
    revoke_reason: null,
    revoke_evidence: null,
    signed_at: act.granted_at,
  };
}

/** What changes a consent after its grant, and the status it has from then on. */
export interface ChangeAct extends StatusChange {
  status: ConsentStatus;
  signed_at: string;
}

/** The record content of a change: the grant's terms once more, with what changed and what shows it. */
export function changeContent(grant: ConsentRecord, act: ChangeAct): RecordContent {
  const { seq, prev_hash: _prev, record_hash, signature: _signature, key_id: _key, ...terms } = grant;
  const { status, signed_at, ...change } = act;
  const revoked = status === "REVOKED";
  return {
    ...terms,
    version: 2,
    status,
    recorded_by: act.by,
    grant_record: { seq, record_hash },
    change: revoked ? null : change,
    revoked_at: revoked ? act.at : null,
    revoked_by: revoked ? act.by : null,
    revoke_channel: revoked ? act.channel : null,
    revoke_reason: revoked ? act.reason : null,
    revoke_evidence: revoked ? act.evidence : null,
    signed_at,
  };
}

/** When a record's act took effect: of the grant itself, when it was granted. */
export function changedAt(record: RecordContent): string {
  return record.revoked_at ?? record.change?.at ?? record.granted_at;
}

/**
 * Puts contents after `head` in the given order: numbers, chains, hashes and signs each (RFC 8785, SHA-256, ES256
 * as hex r||s over the canonical bytes).
 */
export async function sealRecords(
  head: ChainHead,
  contents: readonly RecordContent[],
  signer: { kid: string; key: CryptoKey },
): Promise<SealedRecord[]> {
  const sealed: SealedRecord[] = [];
  let { seq, record_hash } = head;
  for (const content of contents) {
    seq += 1;
    const { canonical, row_hash } = nextLink(record_hash, { ...content, seq });
    record_hash = row_hash;
    const signature = await signEs256(signer.key, canonical);
    const { retailer_id, consent_id } = content;
    sealed.push({ retailer_id, seq, consent_id, canonical, record_hash, signature, key_id: signer.kid });
  }
  return sealed;
}

/** The record as exported: its content with record_hash, signature and key_id. */
export function openRecord(sealed: Omit<SealedRecord, "retailer_id" | "seq" | "consent_id">): ConsentRecord {
  const { canonical, record_hash, signature, key_id } = sealed;
  // The canonical text was made from this type, and D1 refuses to change it.
  return { ...(JSON.parse(canonical) as ConsentRecord), record_hash, signature, key_id };
}

/** The seal of an export: ES256 over the RFC 8785 form of all the rest of it. */
export async function sealOf(
  content: object,
  signer: { kid: string; key: CryptoKey },
): Promise<{ key_id: string; signature: string }> {
  return { key_id: signer.kid, signature: await signEs256(signer.key, canonicalJson(content)) };
}
