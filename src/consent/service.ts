import type { JWK } from "jose";
import { publicKeys } from "../auth/keys.ts";
import type { Env } from "../env.ts";
import { AppError } from "../http/errors.ts";
import { nowIso } from "../lib/seams.ts";
import { type Notice, noticesInForce } from "../parties/store.ts";
import { aliasesOf, canonicalRetailer } from "../retailers/store.ts";
import { orUnavailable } from "./fail-safe.ts";
import { readConsent } from "./lookup.ts";
import { type ConsentRecord, type Verification, verifyChains } from "./record.ts";
import type { CheckAnswer } from "./schemas.ts";
import { recordsOf } from "./store.ts";

// The use cases that change something have a file each; this is the module's one door.
export { recordGrant } from "./grant.ts";
export { enforceRevocation, recordRevocation } from "./revocation.ts";

/** Kids that `publicKeys` takes in one call. */
const KIDS_PER_READ = 100;

/**
 * Whether a lender may see a retailer now, by D1 and not by a cache. An unknown retailer or lender is simply not
 * consented. Throws SERVICE_UNAVAILABLE if D1 cannot tell.
 */
export async function checkConsent(env: Env, lender_id: string, retailer_id: string): Promise<CheckAnswer> {
  const consent = await readConsent(env, lender_id, retailer_id);
  if (!consent) return { consented: false };
  const { consent_id, purposes, expires_at } = consent;
  return { consented: true, consent_id, purposes, expires_at };
}

/**
 * The signed records of a retailer and of those that it absorbed: chain by chain, oldest first. Throws
 * CONSENT_NOT_FOUND for an unknown retailer, SERVICE_UNAVAILABLE if D1 fails.
 */
export async function consentHistory(
  env: Env,
  retailer_id: string,
): Promise<{ retailer_id: string; records: ConsentRecord[] }> {
  return orUnavailable(async () => {
    const canonical = await canonicalRetailer(env, retailer_id);
    if (canonical === null) throw new AppError("CONSENT_NOT_FOUND");
    return { retailer_id: canonical, records: await recordsOf(env, await aliasesOf(env, canonical)) };
  });
}

/** A history that can be verified by itself. */
export interface ConsentExport {
  retailer_id: string;
  exported_at: string;
  records: ConsentRecord[];
  /** The public keys of the signatures, retired ones too: records outlive the publication of their key. */
  keys: { keys: JWK[] };
  verification: Verification;
}

/** The history with the keys to verify it and what verifying it gave; throws like `consentHistory`. */
export async function exportConsents(env: Env, retailer_id: string): Promise<ConsentExport> {
  const history = await consentHistory(env, retailer_id);
  return orUnavailable(async () => {
    const keys = { keys: await keysOf(env, history.records) };
    const verification = await verifyChains(history.records, keys);
    return { ...history, exported_at: nowIso(), keys, verification };
  });
}

async function keysOf(env: Env, records: readonly ConsentRecord[]): Promise<JWK[]> {
  const kids = [...new Set(records.map((record) => record.key_id))];
  const keys: JWK[] = [];
  for (let start = 0; start < kids.length; start += KIDS_PER_READ) {
    keys.push(...(await publicKeys(env, kids.slice(start, start + KIDS_PER_READ))));
  }
  return keys;
}

/** The notices in force, in all their languages. Throws SERVICE_UNAVAILABLE if D1 fails. */
export function listNotices(env: Env): Promise<Notice[]> {
  return orUnavailable(() => noticesInForce(env));
}
