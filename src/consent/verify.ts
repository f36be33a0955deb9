import type { JWK } from "jose";
import { GENESIS_HASH } from "../audit/chain.ts";
import { sha256Hex } from "../lib/bytes.ts";
import { signedEs256 } from "../lib/es256.ts";
import { canonicalJson } from "../lib/jcs.ts";
import { latestExpiryMs } from "./terms.ts";

/** What verifying found; each problem says in words what is wrong and where. */
export interface Verification {
  valid: boolean;
  problems: string[];
}

/** The text of a notice that records point at. */
export interface NoticeText {
  notice_id: string;
  notice_version: string;
  language: string;
  sha256: string;
  text: string;
}

/** Anything that was read from a file and claims to be a record or an export. */
type Claimed = Record<string, unknown>;
type Report = (problem: string) => void;

/** What a consent may become; a consent begins ACTIVE, and nothing follows an end. */
const NEXT_STATUS: Record<string, readonly unknown[]> = {
  ACTIVE: ["PAUSED", "REVOKED", "EXPIRED"],
  PAUSED: ["ACTIVE", "REVOKED", "EXPIRED"],
  REVOKED: [],
  EXPIRED: [],
};

/** The members that a change has of its own; all others are the grant's terms. */
const NOT_TERMS = new Set(
  (
    "version status recorded_by grant_record change revoked_at revoked_by revoke_channel revoke_reason " +
    "revoke_evidence signed_at seq prev_hash record_hash signature key_id"
  ).split(" "),
);

/**
 * Checks a sealed export (api.md §4) with nothing but a JWKS that the reader trusts: the seal over the whole, which
 * vouches for the keys inside (a record outlives the publication of its key), then every chain and notice.
 */
export async function verifyExport(given: object, jwks: { keys: JWK[] }): Promise<Verification> {
  const { seal, ...content } = given as Claimed;
  const { records, keys, notices } = content;
  if (!Array.isArray(records)) return { valid: false, problems: ["it is not an export: it has no records"] };
  const problems: string[] = [];
  const problem = await sealProblem(content, seal, jwks);
  if (problem) problems.push(problem);
  const inside = (keys as { keys?: unknown } | undefined)?.keys;
  const vouched = problem === null && Array.isArray(inside) ? (inside as JWK[]) : [];
  const trusted = { keys: [...jwks.keys, ...vouched] };
  const shown = Array.isArray(notices) ? (notices as NoticeText[]) : [];
  problems.push(...(await verifyChains(records, trusted, shown)).problems);
  return { valid: problems.length === 0, problems };
}

async function sealProblem(content: Claimed, seal: unknown, jwks: { keys: JWK[] }): Promise<string | null> {
  const { key_id, signature } = asObject(seal);
  if (typeof key_id !== "string") return "it has no seal: records cut off at its end would not be seen";
  const jwk = jwks.keys.find(({ kid }) => kid === key_id);
  if (!jwk) return `its seal cannot be checked: key ${key_id} is not among the given ones`;
  const whole = await signedEs256(jwk, String(signature), canonicalOrEmpty(content));
  return whole ? null : "its seal does not match: something in it was changed, added or left out";
}

/**
 * Checks records: each chain (one per retailer_id, in its order) is whole from seq 1, every hash and signature is right,
 * every status follows from the one before, no consent outlives 12 months, and the given notices are the ones that
 * were shown. A cut-off end cannot be seen from the records alone; that is what an export's seal is for.
 */
export async function verifyChains(
  records: readonly unknown[],
  jwks: { keys: JWK[] },
  notices: readonly NoticeText[] = [],
): Promise<Verification> {
  const problems = notices
    .filter(({ text, sha256 }) => sha256Hex(String(text)) !== sha256)
    .map(({ notice_id, notice_version, language }) => {
      return `notice ${notice_id} ${notice_version} (${language}): its text does not match its hash`;
    });
  const chains = Map.groupBy(records.map(asObject), (record) => String(record.retailer_id));
  const keys = new Map(jwks.keys.map((jwk) => [jwk.kid, jwk]));
  for (const [chain_id, chain] of chains) {
    let prev_hash = GENESIS_HASH;
    const consents = new Map<unknown, Consent>();
    for (const [index, record] of chain.entries()) {
      const report = (problem: string) => problems.push(`${chain_id} record ${index + 1}: ${problem}`);
      if (record.seq !== index + 1) report(`carries number ${String(record.seq)}`);
      if (record.prev_hash !== prev_hash) report("does not follow the record before it");
      await checkSeal(record, keys, report);
      checkNotice(record, notices, report);
      consents.set(record.consent_id, checkStatus(record, consents.get(record.consent_id), report));
      prev_hash = String(record.record_hash);
    }
  }
  return { valid: problems.length === 0, problems };
}

async function checkSeal(record: Claimed, keys: Map<unknown, JWK>, report: Report): Promise<void> {
  const { record_hash, signature, key_id, ...content } = record;
  const canonical = canonicalOrEmpty(content);
  if (sha256Hex(canonical) !== record_hash) report("its hash does not match its content");
  const jwk = keys.get(key_id);
  if (!jwk) report(`its key ${String(key_id)} is not among the given ones`);
  else if (!(await signedEs256(jwk, String(signature), canonical))) report("its signature does not match");
}

function checkNotice(record: Claimed, notices: readonly NoticeText[], report: Report): void {
  const { id, version, sha256 } = asObject(record.notice);
  const given = notices.filter((notice) => notice.notice_id === id && notice.notice_version === version);
  if (given.length > 0 && !given.some((notice) => notice.sha256 === sha256)) {
    report(`the given text of notice ${String(id)} ${String(version)} is not the one that was shown`);
  }
}

/** A consent as far as its chain was read. */
interface Consent {
  grant: Claimed;
  status: unknown;
}

function checkStatus(record: Claimed, before: Consent | undefined, report: Report): Consent {
  const { status } = record;
  if (record.version !== 1 && record.version !== 2)
    report(`has the unknown version ${String(record.version)}`);
  if (!before) {
    checkGrant(record, report);
    return { grant: record, status };
  }
  const { grant } = before;
  if (!NEXT_STATUS[String(before.status)]?.includes(status)) {
    report(`makes a consent that was ${String(before.status)} ${String(status)}`);
  }
  const { seq, record_hash } = asObject(record.grant_record);
  if (seq !== grant.seq || record_hash !== grant.record_hash)
    report("does not point at the record of its grant");
  if (canonicalOrEmpty(termsOf(record)) !== canonicalOrEmpty(termsOf(grant))) {
    report("does not repeat the terms of its grant");
  }
  checkTime(record, status, report);
  return { grant, status };
}

function checkGrant(record: Claimed, report: Report): void {
  const { granted_at, expires_at } = record;
  if (record.status !== "ACTIVE") report(`begins a consent as ${String(record.status)}`);
  if (record.grant_record !== null) report("changes a consent that was not granted before it");
  if (record.adult_declared !== true) report("has no declaration that the retailer is an adult");
  const granted_ms = Date.parse(String(granted_at));
  const expires_ms = Date.parse(String(expires_at));
  if (!(granted_ms < expires_ms)) report("ends before it begins");
  if (!(expires_ms <= latestExpiryMs(granted_ms))) report("lasts longer than 12 months");
}

/** Only an end may be recorded once the consent has run out, and only then an expiry. */
function checkTime(record: Claimed, status: unknown, report: Report): void {
  const run_out = Date.parse(String(record.signed_at)) >= Date.parse(String(record.expires_at));
  if (status === "EXPIRED" && !run_out) report("expires a consent before its end");
  if ((status === "ACTIVE" || status === "PAUSED") && run_out) report("changes a consent that has run out");
}

function termsOf(record: Claimed): Claimed {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !NOT_TERMS.has(name)));
}

/** The canonical form; for content that JSON cannot hold the empty text, which no record has. */
function canonicalOrEmpty(content: Claimed): string {
  try {
    return canonicalJson(content);
  } catch {
    return "";
  }
}

function asObject(value: unknown): Claimed {
  return typeof value === "object" && value !== null ? (value as Claimed) : {};
}
