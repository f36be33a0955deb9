import { inArray, type SQL } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import type { Purpose } from "../http/schemas.ts";
import { nowMs } from "../lib/seams.ts";
import { canonicalRetailer } from "../retailers/store.ts";
import { type ActiveConsent, cached, forget, keep, remembered } from "./cache.ts";
import { orUnavailable } from "./fail-safe.ts";
import {
  activeConsents,
  activeConsentsOfGstin,
  activeLendersSelect,
  type ConsentRow,
  consentedAfter,
  consentedAmong,
  consentsWithHeads,
  lendersById,
  moveUpdate,
} from "./store.ts";

export type { ActiveConsent } from "./cache.ts";

/** How to look. */
export interface LookupOptions {
  /** Past the caches: D1 only. */
  fresh?: boolean;
  /** Prefer a consent that names this purpose; without one that does, the newest is given all the same. */
  purpose?: string | null;
  /** Lets the caches be filled after the answer. */
  ctx?: Pick<ExecutionContext, "waitUntil">;
}

/**
 * The consent under which a lender may see a retailer now, or null: isolate memory, then KV, then D1. What a cache
 * gives is a candidate that may have been revoked seconds ago: whoever discloses asks the lender's gate. Only
 * D1 can say no, and expiry is checked on every read. Of several the one with the purpose asked for, then the newest.
 * Throws SERVICE_UNAVAILABLE if neither the caches nor D1 can tell.
 */
export async function findConsent(
  env: Env,
  lender_id: string,
  retailer_id: string,
  options: LookupOptions = {},
): Promise<ActiveConsent | null> {
  const { fresh = false, purpose } = options;
  if (!fresh) {
    const near = usable(remembered(lender_id, retailer_id), purpose);
    if (near) return near;
    const far = usable(await cached(env, lender_id, retailer_id), purpose);
    if (far) return far;
  }
  const consents = await orUnavailable(() => readActive(env, lender_id, retailer_id));
  const found = best(consents, purpose);
  const filled = found
    ? keep(env, lender_id, found.retailer_id, consents)
    : fresh
      ? forget(env, lender_id, retailer_id)
      : Promise.resolve();
  if (options.ctx) options.ctx.waitUntil(filled);
  else await filled;
  return found;
}

/**
 * The same by D1 alone, without filling a cache: for whoever wants to know and discloses nothing. Throws
 * SERVICE_UNAVAILABLE if D1 cannot tell.
 */
export async function readConsent(
  env: Env,
  lender_id: string,
  retailer_id: string,
): Promise<ActiveConsent | null> {
  return best(await orUnavailable(() => readActive(env, lender_id, retailer_id)), null);
}

/**
 * The consent under which a lender may see the retailer of a GSTIN (given as its blind index), or null. One query
 * of D1 whether the GSTIN is unknown, known, or known to others only. Throws SERVICE_UNAVAILABLE if D1 fails.
 */
export async function findConsentByGstin(
  env: Env,
  lender_id: string,
  gstin_index: string,
): Promise<ActiveConsent | null> {
  const rows = await orUnavailable(() => activeConsentsOfGstin(env, lender_id, gstin_index));
  return best(rows.map(toActive), null);
}

/** Drops the cached consents of a lender for a retailer (canonical id). Never fails. */
export function forgetConsent(env: Env, lender_id: string, retailer_id: string): Promise<void> {
  return forget(env, lender_id, retailer_id);
}

/**
 * Those of the retailers (canonical ids) that at least one lender has an active, unexpired consent of, by D1.
 * Throws SERVICE_UNAVAILABLE if it fails.
 */
export async function retailersWithConsent(env: Env, retailer_ids: string[]): Promise<Set<string>> {
  return new Set(await orUnavailable(() => consentedAmong(env, retailer_ids)));
}

/**
 * A page of the retailers with an active, unexpired consent of any lender: at most `limit` canonical ids greater
 * than `after` (empty text to begin), in order. Throws SERVICE_UNAVAILABLE if D1 fails.
 */
export function consentedRetailers(env: Env, after: string, limit: number): Promise<string[]> {
  return orUnavailable(() => consentedAfter(env, after, limit));
}

/** Who may be told of a retailer: the lenders, and the SQL that is true of them still when it runs. */
export interface Consented {
  lender_ids: string[];
  isConsented: (lender_id: SQL) => SQL;
}

/** The lenders with an active, unexpired consent of a retailer (canonical id), by D1. Throws SERVICE_UNAVAILABLE if it fails. */
export function lendersWithConsent(env: Env, retailer_id: string): Promise<Consented> {
  return orUnavailable(async () => {
    const active = activeLendersSelect(drizzle(env.DB), retailer_id);
    return {
      lender_ids: (await active).map((row) => row.lender_id),
      isConsented: (lender_id) => inArray(lender_id, active),
    };
  });
}

/** The lender of each of these consents, whatever their state. Throws SERVICE_UNAVAILABLE if D1 fails. */
export async function lendersOfConsents(
  env: Env,
  consent_ids: readonly string[],
): Promise<{ consent_id: string; lender_id: string }[]> {
  return orUnavailable(() => lendersById(env, consent_ids));
}

/**
 * Every consent of a retailer (canonical id) with the time of its grant, ended ones too, by D1. Throws
 * SERVICE_UNAVAILABLE if it fails.
 */
export function consentsOfRetailer(
  env: Env,
  retailer_id: string,
): Promise<{ consent_id: string; granted_at: string }[]> {
  return orUnavailable(async () => (await consentsWithHeads(env, { retailer_id })).rows);
}

/** The active, unexpired consents of a retailer (canonical id), oldest first, by D1. Throws SERVICE_UNAVAILABLE if it fails. */
export function activeConsentsOfRetailer(
  env: Env,
  retailer_id: string,
): Promise<(ActiveConsent & { lender_id: string })[]> {
  return orUnavailable(async () => {
    const { rows } = await consentsWithHeads(env, { retailer_id });
    return rows
      .filter(({ status, expires_at }) => status === "ACTIVE" && nowMs() < Date.parse(expires_at))
      .map((row) => ({ ...toActive(row), lender_id: row.lender_id }));
  });
}

/** Statements for the batch that merges one retailer into another: its consents follow, its records stay in their chain. */
export function moveConsentsStatements(
  db: DrizzleD1Database,
  from_retailer_id: string,
  to_retailer_id: string,
) {
  return [moveUpdate(db, from_retailer_id, to_retailer_id)] as const;
}

/**
 * The active consents of a lender for a retailer, by D1, newest first. The id may be one that was merged into another:
 * the projection stands under the canonical one, so only a miss has to follow it.
 */
async function readActive(env: Env, lender_id: string, retailer_id: string): Promise<ActiveConsent[]> {
  const rows = await activeConsents(env, lender_id, retailer_id);
  if (rows.length > 0) return rows.map(toActive);
  const canonical = await canonicalRetailer(env, retailer_id);
  if (canonical === null || canonical === retailer_id) return [];
  return (await activeConsents(env, lender_id, canonical)).map(toActive);
}

function toActive(row: ConsentRow): ActiveConsent {
  return {
    consent_id: row.consent_id,
    retailer_id: row.retailer_id,
    purposes: JSON.parse(row.purposes) as Purpose[],
    granted_at: row.granted_at,
    expires_at: row.expires_at,
  };
}

function best(consents: readonly ActiveConsent[], purpose: string | null | undefined): ActiveConsent | null {
  const now_ms = nowMs();
  const active = consents.filter((consent) => now_ms < Date.parse(consent.expires_at));
  const named = purpose ? active.find((consent) => covers(consent, purpose)) : undefined;
  return named ?? active[0] ?? null;
}

/** What a cache holds, if it is enough to say yes; a copy that would make us refuse is not trusted. */
function usable(
  consents: readonly ActiveConsent[] | null,
  purpose: string | null | undefined,
): ActiveConsent | null {
  const found = consents && best(consents, purpose);
  return found && (!purpose || covers(found, purpose)) ? found : null;
}

function covers(consent: ActiveConsent, purpose: string): boolean {
  return consent.purposes.some((named) => named === purpose);
}
