import type { Env } from "../env.ts";
import { forget } from "./cache.ts";
import { orUnavailable } from "./fail-safe.ts";
import { type Standing, standingsOf } from "./store.ts";

/**
 * Makes consents stand in the gate of every lender named as they stand in their records, and drops the cached copies.
 * Idempotent and free of order: a gate goes by the number of the record, so an older standing never undoes a newer.
 */
export async function enforce(env: Env, standings: readonly Standing[]): Promise<void> {
  const by_lender = Map.groupBy(standings, ({ lender_id }) => lender_id);
  await Promise.all(
    [...by_lender].map(([lender_id, of_lender]) =>
      env.LENDER_GATE.get(env.LENDER_GATE.idFromName(lender_id)).deny(
        of_lender.map(({ consent_id, expires_at, record_seq, active }) => ({
          consent_id,
          until_ms: Date.parse(expires_at),
          record_seq,
          lifted: active,
        })),
      ),
    ),
  );
  await Promise.all(standings.map(({ lender_id, retailer_id }) => forget(env, lender_id, retailer_id)));
}

/**
 * The same for consents by id, as D1 has them now. Throws SERVICE_UNAVAILABLE if D1 or a gate fails, and is to be
 * called again then.
 */
export function enforceConsents(
  env: Env,
  { consent_ids }: { consent_ids: readonly string[] },
): Promise<void> {
  return orUnavailable(async () => enforce(env, await standingsOf(env, consent_ids)));
}
