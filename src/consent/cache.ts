import { z } from "@hono/zod-openapi";
import type { Env } from "../env.ts";
import { type Purpose, purpose } from "../http/schemas.ts";
import { causeText } from "../lib/cause.ts";
import { nowMs } from "../lib/seams.ts";

/** A consent that was active when it was read; `expires_at` has to be checked again on every use. */
export interface ActiveConsent {
  consent_id: string;
  /** The canonical id, whichever id was asked for. */
  retailer_id: string;
  purposes: Purpose[];
  granted_at: string;
  expires_at: string;
}

/** How long an isolate trusts its own copy; a revocation does not wait for it, the gate refuses at once. */
const MEMORY_TTL_MS = 10_000;
/** Bounds an isolate's memory; at about 300 bytes each well under 10 MB. */
const MEMORY_ENTRIES = 20_000;
const KV_TTL_S = 300;

const memory = new Map<string, { consents: ActiveConsent[]; until_ms: number }>();

const stored = z.array(
  z.object({
    consent_id: z.string(),
    retailer_id: z.string(),
    purposes: z.array(purpose),
    granted_at: z.string(),
    expires_at: z.string(),
  }),
);

/** Ids only: nothing personal stands in a key. */
function keyOf(lender_id: string, retailer_id: string): string {
  return `consent/v1/${lender_id}/${retailer_id}`;
}

/** The isolate's own copy, or null. */
export function remembered(lender_id: string, retailer_id: string): ActiveConsent[] | null {
  const key = keyOf(lender_id, retailer_id);
  const entry = memory.get(key);
  if (!entry) return null;
  if (nowMs() < entry.until_ms) return entry.consents;
  memory.delete(key);
  return null;
}

function remember(key: string, consents: ActiveConsent[]): void {
  if (memory.size >= MEMORY_ENTRIES) {
    // A Map keeps the order of insertion: the first is the oldest.
    const [oldest] = memory.keys();
    if (oldest !== undefined) memory.delete(oldest);
  }
  memory.set(key, { consents, until_ms: nowMs() + MEMORY_TTL_MS });
}

/** The copy in KV, or null; KV failing or holding something else is a miss, because D1 is asked next. */
export async function cached(
  env: Env,
  lender_id: string,
  retailer_id: string,
): Promise<ActiveConsent[] | null> {
  const key = keyOf(lender_id, retailer_id);
  try {
    const parsed = stored.safeParse(await env.KV.get(key, "json"));
    if (!parsed.success) return null;
    remember(key, parsed.data);
    return parsed.data;
  } catch (cause) {
    logCacheFailure("get", cause);
    return null;
  }
}

/**
 * Keeps the active consents of a retailer for the next reader, at least one of them: that there is none is never
 * cached. A reader that read D1 before a revocation may come here after `forget`: harmless, because what is
 * cached is only ever a candidate, and the lender's gate refuses a revoked one until its own expiry.
 */
export async function keep(
  env: Env,
  lender_id: string,
  retailer_id: string,
  consents: ActiveConsent[],
): Promise<void> {
  const key = keyOf(lender_id, retailer_id);
  remember(key, consents);
  try {
    await env.KV.put(key, JSON.stringify(consents), { expirationTtl: KV_TTL_S });
  } catch (cause) {
    logCacheFailure("put", cause);
  }
}

/** Drops the copies. Never fails: a copy that stays is stale for minutes at most, and the gate knows better. */
export async function forget(env: Env, lender_id: string, retailer_id: string): Promise<void> {
  const key = keyOf(lender_id, retailer_id);
  memory.delete(key);
  try {
    await env.KV.delete(key);
  } catch (cause) {
    logCacheFailure("delete", cause);
  }
}

function logCacheFailure(operation: string, cause: unknown): void {
  console.error(JSON.stringify({ consent_cache: operation, cause: causeText(cause) }));
}
