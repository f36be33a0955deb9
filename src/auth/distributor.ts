import { parseEnv } from "../config.ts";
import type { Env } from "../env.ts";
import type { AppContext } from "../http/context.ts";
import { AppError, type ErrorCode, unavailable } from "../http/errors.ts";
import { checkRequestId } from "../http/middleware.ts";
import { readBody } from "../http/validation.ts";
import { fromHex, sha256Hex, utf8 } from "../lib/bytes.ts";
import { nowMs } from "../lib/seams.ts";
import { type DistributorCredentials, findDistributorCredentials } from "../parties/credentials.ts";
import { checkCertificate, type TlsClientAuth } from "./certificate.ts";
import { unseal } from "./seal.ts";

/** How long an isolate trusts a look-up that succeeded: the most by which the end of a credential can be late. */
const CACHE_TTL_MS = 5_000;
const MAX_CACHED = 1_000;
const MAX_KEY_CHARS = 256;

/** The authenticated distributor with its own limits. */
export interface AuthenticatedDistributor {
  distributor_id: string;
  erp_type: "tally_prime" | "sap_b1" | "csv";
  batches_per_hour: number;
  max_amount_inr: number;
}

interface CachedDistributor {
  distributor: AuthenticatedDistributor;
  signing_keys: CryptoKey[];
  until_ms: number;
}

const cache = new Map<string, CachedDistributor>();

/** Drops the isolate's look-ups; the next request reads D1. */
export function forgetDistributors(): void {
  cache.clear();
}

/**
 * The three factors of the ingestion API in the order of api.md §5: client certificate, API key, signature of the raw
 * body (only if `signed`; a GET has none), all of one distributor. Then X-Client-ID (DISTRIBUTOR_MISMATCH) and
 * X-Request-ID. Returns the distributor and the raw body (empty if not `signed`). Throws CERTIFICATE_INVALID,
 * API_KEY_INVALID, SIGNATURE_INVALID (the cause goes to the log only), PAYLOAD_TOO_LARGE, SERVICE_UNAVAILABLE.
 */
export async function authenticateDistributor(
  c: AppContext,
  { signed }: { signed: boolean },
): Promise<{ distributor: AuthenticatedDistributor; body: Uint8Array<ArrayBuffer> }> {
  // Only what the TLS layer says counts; no header is looked at.
  const cf = c.req.raw.cf as { tlsClientAuth?: TlsClientAuth } | undefined;
  const certificate = checkCertificate(cf?.tlsClientAuth, nowMs());
  if (!certificate.ok) throw refused(c, "CERTIFICATE_INVALID", certificate.cause);
  const { distributor, signing_keys } = await lookUp(c, certificate.fingerprint);
  c.get("log").distributor_id = distributor.distributor_id;
  const body = signed ? await readSigned(c, signing_keys) : new Uint8Array(0);
  const client = c.req.header("x-client-id");
  if (client !== undefined && client !== distributor.distributor_id)
    throw new AppError("DISTRIBUTOR_MISMATCH");
  checkRequestId(c);
  return { distributor, body };
}

function refused(c: AppContext, code: ErrorCode, cause: string): AppError {
  c.get("log").auth_failure = cause;
  return new AppError(code);
}

async function lookUp(c: AppContext, fingerprint: string): Promise<CachedDistributor> {
  const api_key = c.req.header("x-api-key") ?? "";
  const key_sha256 = sha256Hex(api_key.slice(0, MAX_KEY_CHARS + 1));
  const cache_key = `${fingerprint} ${key_sha256}`;
  const cached = cache.get(cache_key);
  if (cached && nowMs() < cached.until_ms) return cached;
  let found: DistributorCredentials | null;
  try {
    found = await findDistributorCredentials(c.env, fingerprint, key_sha256);
  } catch (cause) {
    throw unavailable(cause);
  }
  if (!found) throw refused(c, "CERTIFICATE_INVALID", "fingerprint_not_active");
  c.get("log").distributor_id = found.distributor_id;
  if (!found.key_matches)
    throw refused(c, "API_KEY_INVALID", api_key === "" ? "key_missing" : "key_not_active");
  const { distributor_id, erp_type, batches_per_hour, max_amount_inr } = found;
  const entry: CachedDistributor = {
    distributor: { distributor_id, erp_type, batches_per_hour, max_amount_inr },
    signing_keys: await signingKeys(c.env, found),
    until_ms: nowMs() + CACHE_TTL_MS,
  };
  if (cache.size >= MAX_CACHED) cache.clear();
  cache.set(cache_key, entry);
  return entry;
}

/** The HMAC keys: a signing secret is used as its text in UTF-8 (api.md §5). */
function signingKeys(env: Env, found: DistributorCredentials): Promise<CryptoKey[]> {
  return Promise.all(
    found.secrets.map(async ({ sealed }) => {
      const secret = await unseal(parseEnv(env), sealed, found.distributor_id);
      return crypto.subtle.importKey("raw", utf8(secret), { name: "HMAC", hash: "SHA-256" }, false, [
        "verify",
      ]);
    }),
  );
}

/** The raw body, its signature verified. A signature that cannot be one is refused before the body is read. */
async function readSigned(c: AppContext, keys: CryptoKey[]): Promise<Uint8Array<ArrayBuffer>> {
  const given = c.req.header("x-payload-signature") ?? "";
  if (!/^[0-9a-f]{64}$/i.test(given)) {
    throw refused(c, "SIGNATURE_INVALID", given === "" ? "signature_missing" : "signature_malformed");
  }
  const signature = fromHex(given);
  const body = await readBody(c.req.raw);
  // subtle.verify compares in constant time; in an overlap two secrets are valid.
  const matches = await Promise.all(keys.map((key) => crypto.subtle.verify("HMAC", key, signature, body)));
  if (!matches.includes(true)) throw refused(c, "SIGNATURE_INVALID", "signature_mismatch");
  return body;
}
