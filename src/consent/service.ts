import type { Env } from "../env.ts";
import type { Purpose } from "../http/schemas.ts";
import { type Notice, noticesInForce } from "../parties/store.ts";
import { canonicalRetailer } from "../retailers/store.ts";
import { orUnavailable } from "./fail-safe.ts";
import { readConsent } from "./lookup.ts";
import type { CheckAnswer } from "./schemas.ts";
import { pausedConsent } from "./store.ts";

// The larger use cases have a file each; this is the module's one door.
export { enforceConsents } from "./enforce.ts";
export { consentHistory, exportAsJws, exportConsents } from "./export.ts";
export { recordGrant } from "./grant.ts";
export { recordPause, recordResume, recordRevocation } from "./retailer-acts.ts";

/**
 * Whether a lender may see a retailer now, by D1 and not by a cache; a paused consent is named as such. An unknown
 * retailer or lender is simply not consented. Throws SERVICE_UNAVAILABLE if D1 cannot tell.
 */
export async function checkConsent(env: Env, lender_id: string, retailer_id: string): Promise<CheckAnswer> {
  const consent = await readConsent(env, lender_id, retailer_id);
  if (consent) {
    const { consent_id, purposes, expires_at } = consent;
    return { consented: true, consent_id, purposes, expires_at };
  }
  const paused = await orUnavailable(async () => {
    const canonical = await canonicalRetailer(env, retailer_id);
    return canonical === null ? undefined : pausedConsent(env, lender_id, canonical);
  });
  if (!paused) return { consented: false };
  const { consent_id, purposes, expires_at } = paused;
  return {
    consented: false,
    status: "paused",
    consent_id,
    purposes: JSON.parse(purposes) as Purpose[],
    expires_at,
  };
}

/** The notices in force, in all their languages. Throws SERVICE_UNAVAILABLE if D1 fails. */
export function listNotices(env: Env): Promise<Notice[]> {
  return orUnavailable(() => noticesInForce(env));
}
