import type { Env } from "../env.ts";
import type { EventEnvelope } from "../events/types.ts";
import { appendAudit } from "./log.ts";

const MAX_IDS = 20;

/** The acts of the retailer; others (expiry) are the system's. */
const RETAILERS_ACTS: ReadonlySet<string> = new Set([
  "consent.granted",
  "consent.revoked",
  "consent.paused",
  "consent.resumed",
]);

/**
 * Puts a consent event into the audit log, once however often it is delivered; other events are left alone, because
 * what they tell of is recorded where it happens. Throws if the log cannot be written, so that the event stays.
 */
export async function auditEvent(env: Env, event: EventEnvelope): Promise<void> {
  if (!event.type.startsWith("consent.")) return;
  const { retailer_id, ...about } = event.data as EventEnvelope<"consent.granted">["data"];
  const details = Object.entries(about).map(([name, value]) => [name, shortened([value].flat())]);
  await appendAudit(env, {
    type: event.type,
    // Who recorded it, and what shows that the retailer acted, stands in the signed consent record.
    actor: RETAILERS_ACTS.has(event.type)
      ? { kind: "retailer", id: retailer_id }
      : { kind: "system", id: null },
    subject: retailer_id,
    outcome: "recorded",
    details: { event_id: event.id, occurred_at: event.time, ...Object.fromEntries(details) },
    event_id: event.id,
  });
}

/** Ids as one text; of many the first, because the signed records name them all. */
function shortened(ids: readonly unknown[]): string {
  const more = ids.length - MAX_IDS;
  return ids.slice(0, MAX_IDS).join(" ") + (more > 0 ? ` and ${more} more` : "");
}
