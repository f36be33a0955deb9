import { CompactSign, type JWK } from "jose";
import { publicKeys, signingKey } from "../auth/keys.ts";
import type { Env } from "../env.ts";
import { AppError } from "../http/errors.ts";
import { utf8 } from "../lib/bytes.ts";
import { canonicalJson } from "../lib/jcs.ts";
import { nowIso } from "../lib/seams.ts";
import { type Notice, noticesBySha256 } from "../parties/store.ts";
import { aliasesOf, canonicalRetailer } from "../retailers/store.ts";
import { orUnavailable } from "./fail-safe.ts";
import { type ConsentRecord, sealOf } from "./record.ts";
import { recordsOf } from "./store.ts";
import { type Verification, verifyChains } from "./verify.ts";

/** Kids that `publicKeys` takes in one call. */
const KIDS_PER_READ = 100;

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

/** A history that can be verified by itself (src/consent/verify.ts). */
export interface ConsentExport {
  retailer_id: string;
  exported_at: string;
  records: ConsentRecord[];
  /** The public keys of the signatures, retired ones too: records outlive the publication of their key. */
  keys: { keys: JWK[] };
  /** The texts that were shown, withdrawn ones too. */
  notices: Notice[];
  verification: Verification;
  /** Over the RFC 8785 form of all the rest: shows a cut-off end, and vouches for retired keys. */
  seal: { key_id: string; signature: string };
}

/** The history with all that it takes to verify it, and what verifying it gave; throws like `consentHistory`. */
export async function exportConsents(env: Env, retailer_id: string): Promise<ConsentExport> {
  const history = await consentHistory(env, retailer_id);
  return orUnavailable(async () => {
    const { records } = history;
    const signer = await signingKey(env, "ES256");
    const [keys, notices] = await Promise.all([
      keysOf(env, [...records.map((record) => record.key_id), signer.kid]),
      noticesBySha256(env, [...new Set(records.map((record) => record.notice.sha256))]),
    ]);
    const verification = await verifyChains(records, keys, notices);
    const content = { ...history, exported_at: nowIso(), keys, notices, verification };
    return { ...content, seal: await sealOf(content, signer) };
  });
}

/** The export as a compact JWS (ES256, key in the JWKS), for readers with a JOSE library at hand. */
export async function exportAsJws(env: Env, exported: ConsentExport): Promise<string> {
  const { kid, key } = await signingKey(env, "ES256");
  return new CompactSign(utf8(canonicalJson(exported)))
    .setProtectedHeader({ alg: "ES256", kid, typ: "altscore-consents" })
    .sign(key);
}

async function keysOf(env: Env, key_ids: readonly string[]): Promise<{ keys: JWK[] }> {
  const kids = [...new Set(key_ids)];
  const keys: JWK[] = [];
  for (let start = 0; start < kids.length; start += KIDS_PER_READ) {
    keys.push(...(await publicKeys(env, kids.slice(start, start + KIDS_PER_READ))));
  }
  return { keys };
}
