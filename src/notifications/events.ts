import { lendersOfConsents, lendersWithConsent } from "../consent/lookup.ts";
import type { Env } from "../env.ts";
import type { EventEnvelope, EventType } from "../events/types.ts";
import { notifyLenders } from "./notify.ts";

/** What a lender is told of its consents. */
export type ConsentEvent = Extract<EventType, `consent.${string}`>;

/** Tells the lender of each consent that an event is about; once per event, however often it comes. */
export async function notifyOfConsent(env: Env, event: EventEnvelope<ConsentEvent>): Promise<void> {
  const { retailer_id, consent_ids } = event.data;
  await notifyLenders(
    env,
    (await lendersOfConsents(env, consent_ids)).map(({ lender_id, consent_id }) => ({
      lender_id,
      type: event.type,
      retailer_id,
      data: { consent_id },
      dedupe_key: `${event.id}:${consent_id}`,
    })),
  );
}

/**
 * Tells every lender with an active consent at this moment that there is a new score, without the score: for that it asks
 * under its consent. Once per event.
 */
export async function notifyOfScore(env: Env, event: EventEnvelope<"score.computed">): Promise<void> {
  const { retailer_id, score_id } = event.data;
  const { lender_ids, isConsented } = await lendersWithConsent(env, retailer_id);
  await notifyLenders(
    env,
    lender_ids.map((lender_id) => ({
      lender_id,
      type: "score.refreshed",
      retailer_id,
      data: { score_id },
      dedupe_key: event.id,
    })),
    isConsented,
  );
}
