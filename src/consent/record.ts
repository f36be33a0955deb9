import { importJWK, type JWK } from "jose";
import { GENESIS_HASH, nextLink } from "../audit/chain.ts";
import type { Purpose } from "../http/schemas.ts";
import { fromHex, sha256Hex, toHex, utf8 } from "../lib/bytes.ts";
import { canonicalJson } from "../lib/jcs.ts";
import type { Channel } from "./schemas.ts";
import { DATA_CATEGORIES, DATA_FIDUCIARY, OPERATIONS, PURPOSE_TEXTS } from "./terms.ts";

const ECDSA = { name: "ECDSA", hash: "SHA-256" } as const;

/** What shows that the retailer acted (regulation.md 1.3); null where the channel gives no such thing. */
export interface Evidence {
  notice_wamid: string | null;
  answer_wamid: string | null;
  answer_type: "button" | "text" | null;
  answer_payload: string | null;
  answer_text_sha256: string | null;
  wa_timestamp: string | null;
  received_at: string;
}

/** Content of a record before it has its place in a chain (spec/consent.md "Record"). Instants ISO 8601 UTC. */
export interface RecordContent {
  /** Version of this form. */
  version: 1;
  consent_id: string;
  /** The retailer whose chain the record stands in; stays when the retailer is absorbed by another. */
  retailer_id: string;
  /** Keyed HMAC of the phone that consented, and which key; null when the retailer was named by its id. */
  retailer_identifier_hmac: string | null;
  retailer_identifier_key_id: string | null;
  adult_declared: boolean;
  data_fiduciary: { name: string; contact: string; dpo_contact: string };
  lender_id: string;
  /** Ties the records of one act; one record per lender. */
  grant_group: string;
  purposes: Purpose[];
  purpose_texts: string[];
  data_categories: string[];
  operations: string[];
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
  status: "ACTIVE" | "PAUSED" | "REVOKED" | "EXPIRED";
  /** The record of the grant that this record ends; null on a grant. */
  grant_record: { seq: number; record_hash: string } | null;
  revoked_at: string | null;
  revoked_by: string | null;
  revoke_channel: "whatsapp" | "api" | null;
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
  identifier: { hmac: string; key_id: string } | null;
  grant_group: string;
  purposes: Purpose[];
  distributor_id: string;
  channel: Channel;
  language: string;
  notice: { id: string; version: string; sha256: string };
  wa_message_id: string | null;
  recorded_by: string;
  granted_at: string;
  expires_at: string;
}

function messageEvidence(answer_wamid: string | null, received_at: string): Evidence {
  return {
    notice_wamid: null,
    answer_wamid,
    answer_type: null,
    answer_payload: null,
    answer_text_sha256: null,
    wa_timestamp: null,
    received_at,
  };
}

/** The record content of a grant to one lender. The caller has made sure that the retailer is a declared adult. */
export function grantContent(act: GrantAct, consent_id: string, lender_id: string): RecordContent {
  return {
    version: 1,
    consent_id,
    retailer_id: act.retailer_id,
    retailer_identifier_hmac: act.identifier?.hmac ?? null,
    retailer_identifier_key_id: act.identifier?.key_id ?? null,
    adult_declared: true,
    data_fiduciary: { ...DATA_FIDUCIARY },
    lender_id,
    grant_group: act.grant_group,
    purposes: act.purposes,
    purpose_texts: act.purposes.map((code) => PURPOSE_TEXTS[code]),
    data_categories: [...DATA_CATEGORIES],
    operations: [...OPERATIONS],
    source_distributor_ids: [act.distributor_id],
    channel: act.channel,
    language: act.language,
    notice: act.notice,
    evidence: messageEvidence(act.wa_message_id, act.granted_at),
    recorded_by: act.recorded_by,
    granted_at: act.granted_at,
    starts_at: act.granted_at,
    expires_at: act.expires_at,
    status: "ACTIVE",
    grant_record: null,
    revoked_at: null,
    revoked_by: null,
    revoke_channel: null,
    revoke_reason: null,
    revoke_evidence: null,
    signed_at: act.granted_at,
  };
}

/** The record content that ends a grant: its terms once more, with the end and what shows it. */
export function revocationContent(
  grant: ConsentRecord,
  act: { revoked_at: string; revoked_by: string; reason: string | null; wa_message_id: string | null },
): RecordContent {
  const { seq, prev_hash: _prev, record_hash, signature: _signature, key_id: _key, ...terms } = grant;
  return {
    ...terms,
    status: "REVOKED",
    recorded_by: act.revoked_by,
    grant_record: { seq, record_hash },
    revoked_at: act.revoked_at,
    revoked_by: act.revoked_by,
    revoke_channel: act.wa_message_id === null ? "api" : "whatsapp",
    revoke_reason: act.reason,
    revoke_evidence: messageEvidence(act.wa_message_id, act.revoked_at),
    signed_at: act.revoked_at,
  };
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
    const signature = toHex(await crypto.subtle.sign(ECDSA, signer.key, utf8(canonical)));
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

/** What `verifyChains` found. */
export interface Verification {
  valid: boolean;
  problems: string[];
}

/**
 * Checks exported records with nothing but the public keys: each chain (one per retailer_id) is whole from seq 1,
 * every hash and signature is right. Takes the records in any order and of any shape. A cut-off end cannot be
 * seen from the records alone.
 */
export async function verifyChains(records: readonly object[], jwks: { keys: JWK[] }): Promise<Verification> {
  const chains = new Map<string, Record<string, unknown>[]>();
  for (const record of records as readonly Record<string, unknown>[]) {
    const chain_id = String(record.retailer_id);
    const chain = chains.get(chain_id);
    if (chain) chain.push(record);
    else chains.set(chain_id, [record]);
  }
  const keys = new Map(jwks.keys.map((jwk) => [jwk.kid, jwk]));
  const problems: string[] = [];
  for (const [chain_id, chain] of chains) {
    chain.sort((a, b) => Number(a.seq) - Number(b.seq));
    let prev_hash = GENESIS_HASH;
    for (const [index, record] of chain.entries()) {
      const report = (problem: string) => problems.push(`${chain_id} record ${index + 1}: ${problem}`);
      if (record.seq !== index + 1) report(`carries number ${String(record.seq)}`);
      if (record.prev_hash !== prev_hash) report("does not follow the record before it");
      const { record_hash, signature, key_id, ...content } = record;
      const canonical = canonicalOrEmpty(content);
      if (sha256Hex(canonical) !== record_hash) report("its hash does not match its content");
      const jwk = typeof key_id === "string" ? keys.get(key_id) : undefined;
      if (!jwk) report("its key is not among the given ones");
      else if (!(await signedBy(jwk, String(signature), canonical))) report("its signature does not match");
      prev_hash = String(record_hash);
    }
  }
  return { valid: problems.length === 0, problems };
}

/** The canonical form; for content that JSON cannot hold the empty text, which no record has. */
function canonicalOrEmpty(content: Record<string, unknown>): string {
  try {
    return canonicalJson(content);
  } catch {
    return "";
  }
}

async function signedBy(jwk: JWK, signature: string, canonical: string): Promise<boolean> {
  if (!/^[0-9a-f]{128}$/.test(signature)) return false;
  try {
    const key = await importJWK(jwk, "ES256");
    if (key instanceof Uint8Array) return false;
    return await crypto.subtle.verify(ECDSA, key, fromHex(signature), utf8(canonical));
  } catch {
    // A key that is not one verifies nothing.
    return false;
  }
}
