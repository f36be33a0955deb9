import { and, eq, gt, inArray, lte, or } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from "jose";
import { parseEnv } from "../config.ts";
import type { Env } from "../env.ts";
import { unavailable } from "../http/errors.ts";
import { nowIso, nowMs } from "../lib/seams.ts";
import { seal, unseal } from "./seal.ts";
import { signingKeys } from "./tables.ts";

/** RS256 signs access tokens; ES256 signs receipts and consent records. */
export type SigningAlg = "RS256" | "ES256";
const ALGS: readonly SigningAlg[] = ["RS256", "ES256"];

const DAY_MS = 86_400_000;
/** Age at which the scheduled run replaces a key: 6 months (api.md §2). */
const ROTATE_AFTER_MS = 182 * DAY_MS;
/** How long a replaced key stays published and valid (api.md §2). */
const OVERLAP_MS = 14 * DAY_MS;
/** How long an isolate trusts its copy of the keys: the delay until it notices a rotation made elsewhere. */
const CACHE_TTL_MS = 30_000;
/** Unknown kids cause at most one read of D1 in this span, so a flood of forged tokens does not reach it. */
const MISS_COOLDOWN_MS = 3_000;

interface CachedKey {
  kid: string;
  alg: SigningAlg;
  active: boolean;
  /** Unix ms; null while active. */
  published_until_ms: number | null;
  public_jwk: JWK;
  public_key: CryptoKey;
  private_sealed: string;
}

// Plain values only: a promise kept here would die with the request that made it.
let cached: { keys: Map<string, CachedKey>; refresh_at_ms: number } | null = null;
let last_miss_ms = Number.NEGATIVE_INFINITY;
const signers = new Map<string, CryptoKey>();

/** Drops the isolate's copy of the keys; the next use reads D1. */
export function forgetKeys(): void {
  cached = null;
  last_miss_ms = Number.NEGATIVE_INFINITY;
  signers.clear();
}

async function cryptoKey(jwk: JWK, alg: SigningAlg): Promise<CryptoKey> {
  const key = await importJWK(jwk, alg);
  if (key instanceof Uint8Array) throw new Error("a signing key is never symmetric");
  return key;
}

async function loadKeys(env: Env): Promise<Map<string, CachedKey>> {
  const rows = await drizzle(env.DB)
    .select()
    .from(signingKeys)
    .where(
      or(
        eq(signingKeys.status, "active"),
        and(eq(signingKeys.status, "previous"), gt(signingKeys.published_until, nowIso())),
      ),
    );
  const keys = new Map<string, CachedKey>();
  for (const row of rows) {
    const public_jwk = JSON.parse(row.public_jwk) as JWK;
    keys.set(row.kid, {
      kid: row.kid,
      alg: row.alg,
      active: row.status === "active",
      published_until_ms: row.published_until === null ? null : Date.parse(row.published_until),
      public_jwk,
      public_key: cached?.keys.get(row.kid)?.public_key ?? (await cryptoKey(public_jwk, row.alg)),
      private_sealed: row.private_sealed,
    });
  }
  cached = { keys, refresh_at_ms: nowMs() + CACHE_TTL_MS };
  return keys;
}

async function loadOrUnavailable(env: Env): Promise<Map<string, CachedKey>> {
  try {
    return await loadKeys(env);
  } catch (cause) {
    throw unavailable(cause);
  }
}

async function currentKeys(env: Env): Promise<Map<string, CachedKey>> {
  if (!cached) return loadOrUnavailable(env);
  if (nowMs() < cached.refresh_at_ms) return cached.keys;
  // One request refreshes; the others go on with the old copy meanwhile.
  cached.refresh_at_ms = nowMs() + MISS_COOLDOWN_MS;
  try {
    return await loadKeys(env);
  } catch {
    // While D1 cannot be read nobody can have retired a key there either; the end of an overlap is checked at use.
    return cached.keys;
  }
}

function ended(key: CachedKey): boolean {
  return key.published_until_ms !== null && key.published_until_ms <= nowMs();
}

/** A new key pair as a row; the private half sealed with the kid as AAD (api.md §2). */
async function newKeyRow(env: Env, alg: SigningAlg): Promise<typeof signingKeys.$inferInsert> {
  const pair = await generateKeyPair(alg, {
    extractable: true,
    ...(alg === "RS256" ? { modulusLength: 2048 } : {}),
  });
  const jwk = await exportJWK(pair.publicKey);
  const kid = await calculateJwkThumbprint(jwk, "sha256");
  const private_jwk = JSON.stringify(await exportJWK(pair.privateKey));
  return {
    kid,
    alg,
    public_jwk: JSON.stringify({ ...jwk, kid, alg, use: "sig" }),
    private_sealed: await seal(parseEnv(env), private_jwk, kid),
    status: "active",
    created_at: nowIso(),
  };
}

function activeOf(keys: Map<string, CachedKey>, alg: SigningAlg): CachedKey | undefined {
  for (const key of keys.values()) if (key.active && key.alg === alg) return key;
  return undefined;
}

/** The active keys of all of `algs`; made if there are none. */
async function keysWithActive(env: Env, algs: readonly SigningAlg[]): Promise<Map<string, CachedKey>> {
  let keys = await currentKeys(env);
  let missing = algs.filter((alg) => !activeOf(keys, alg));
  if (missing.length === 0) return keys;
  // The copy may be older than another isolate's creation.
  keys = await loadOrUnavailable(env);
  missing = algs.filter((alg) => !activeOf(keys, alg));
  if (missing.length === 0) return keys;
  const rows = await Promise.all(missing.map((alg) => newKeyRow(env, alg)));
  try {
    // Of concurrent creators the unique index lets one win; the others' keys were never used and are dropped.
    await drizzle(env.DB).insert(signingKeys).values(rows).onConflictDoNothing();
  } catch (cause) {
    throw unavailable(cause);
  }
  return loadOrUnavailable(env);
}

/**
 * The active private key of an algorithm, with its kid for the JWS header; created on first use, cached in
 * the isolate. Throws SERVICE_UNAVAILABLE if D1 cannot be read and nothing is cached.
 */
export async function signingKey(env: Env, alg: SigningAlg): Promise<{ kid: string; key: CryptoKey }> {
  const active = activeOf(await keysWithActive(env, [alg]), alg);
  if (!active) throw unavailable(new Error(`no active ${alg} key after creation`));
  let key = signers.get(active.kid);
  if (!key) {
    key = await cryptoKey(JSON.parse(await unseal(parseEnv(env), active.private_sealed, active.kid)), alg);
    signers.set(active.kid, key);
  }
  return { kid: active.kid, key };
}

/**
 * The public key of a kid, if it is active or in its overlap and of this algorithm; else null. No I/O while the kid
 * is in the isolate's copy; an unknown one reads D1, at most every few seconds.
 */
export async function verificationKey(env: Env, kid: string, alg: SigningAlg): Promise<CryptoKey | null> {
  let key = (await currentKeys(env)).get(kid);
  if (!key && nowMs() - last_miss_ms >= MISS_COOLDOWN_MS) {
    key = (await loadOrUnavailable(env)).get(kid);
    if (!key) last_miss_ms = nowMs();
  }
  return key && key.alg === alg && !ended(key) ? key.public_key : null;
}

/** True if this kid is valid by a copy that is still fresh: what was verified with it before still holds. No I/O. */
export function keyKnownGood(kid: string): boolean {
  if (!cached || nowMs() >= cached.refresh_at_ms) return false;
  const key = cached.keys.get(kid);
  return key !== undefined && !ended(key);
}

/** The public JWKS: active keys of both algorithms and the previous ones during their overlap (api.md §2). */
export async function publicJwks(env: Env): Promise<{ keys: JWK[] }> {
  const keys = await keysWithActive(env, ALGS);
  return { keys: [...keys.values()].filter((key) => !ended(key)).map((key) => key.public_jwk) };
}

/**
 * Public keys by kid, retired ones too: signatures of consent records outlive the publication of their key.
 * At most 100 kids; unknown ones are left out.
 */
export async function publicKeys(env: Env, kids: string[]): Promise<JWK[]> {
  const rows = await drizzle(env.DB)
    .select({ public_jwk: signingKeys.public_jwk })
    .from(signingKeys)
    .where(inArray(signingKeys.kid, kids));
  return rows.map((row) => JSON.parse(row.public_jwk) as JWK);
}

/**
 * Replaces the active keys of `algs` (both by default): a new key becomes active, the old one stays published
 * for 14 days. One transaction; of concurrent rotations one wins. Returns the kids now active.
 */
export async function rotateKeys(
  env: Env,
  algs: readonly SigningAlg[] = ALGS,
): Promise<{ active: string[] }> {
  const db = drizzle(env.DB);
  const before = await db
    .select({ kid: signingKeys.kid })
    .from(signingKeys)
    .where(and(eq(signingKeys.status, "active"), inArray(signingKeys.alg, [...algs])));
  const rows = await Promise.all(algs.map((alg) => newKeyRow(env, alg)));
  await db.batch([
    db
      .update(signingKeys)
      .set({ status: "previous", published_until: new Date(nowMs() + OVERLAP_MS).toISOString() })
      .where(
        and(
          eq(signingKeys.status, "active"),
          inArray(
            signingKeys.kid,
            before.map((row) => row.kid),
          ),
        ),
      ),
    db.insert(signingKeys).values(rows).onConflictDoNothing(),
  ]);
  forgetKeys();
  const keys = await keysWithActive(env, ALGS);
  return { active: [...keys.values()].filter((key) => key.active).map((key) => key.kid) };
}

/** Takes keys whose overlap is over out of use and destroys their private half; the public one stays for old signatures. */
async function retireKeys(env: Env): Promise<void> {
  await drizzle(env.DB)
    .update(signingKeys)
    .set({ status: "retired", private_sealed: "" })
    .where(and(eq(signingKeys.status, "previous"), lte(signingKeys.published_until, nowIso())));
}

/** The scheduled run: rotates keys older than 6 months and retires those whose overlap is over. Safe to repeat. */
export async function keySchedule(env: Env): Promise<void> {
  const due = await drizzle(env.DB)
    .select({ alg: signingKeys.alg })
    .from(signingKeys)
    .where(
      and(
        eq(signingKeys.status, "active"),
        lte(signingKeys.created_at, new Date(nowMs() - ROTATE_AFTER_MS).toISOString()),
      ),
    );
  if (due.length > 0) {
    await rotateKeys(
      env,
      due.map((row) => row.alg),
    );
  }
  await retireKeys(env);
  forgetKeys();
}
