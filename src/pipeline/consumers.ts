import { auditEvent } from "../audit/events.ts";
import { appendAudit } from "../audit/log.ts";
import { enforceConsents } from "../consent/service.ts";
import type { Env } from "../env.ts";
import { alreadyHandled, eventHandled } from "../events/outbox.ts";
import type { EventEnvelope } from "../events/types.ts";
import { recordSync } from "../ingestion/sync.ts";
import { type ConsentEvent, notifyOfConsent, notifyOfScore } from "../notifications/events.ts";
import { scoreRetailers } from "./score-retailer.ts";
import type { ScoringMessage } from "./types.ts";

const CONSUMER = "pipeline";
/** Retailers scored by one queue message: small enough to finish well inside a consumer's time. */
export const RETAILERS_PER_MESSAGE = 25;
/** What a queue takes in one call. */
const MESSAGES_PER_SEND = 100;

/** Handles one event; idempotent by event id. Throws if it could not be handled, so that the queue retries. */
export async function handleEvent(env: Env, event: EventEnvelope): Promise<void> {
  if (await alreadyHandled(env, CONSUMER, event.id)) {
    await eventHandled(env, CONSUMER, event.id);
    return;
  }
  // Side by side, so that neither can hold up the other: the event comes again until both are done.
  const results = await Promise.allSettled([react(env, event), auditEvent(env, event)]);
  for (const result of results) if (result.status === "rejected") throw result.reason;
  // The ledger repeats its event until every retailer of the batch is scored.
  if (event.type !== "ingestion.batch.complete") await eventHandled(env, CONSUMER, event.id);
}

async function react(env: Env, event: EventEnvelope): Promise<void> {
  switch (event.type) {
    case "ingestion.batch.complete":
      await startBatch(env, event.data as EventEnvelope<"ingestion.batch.complete">["data"]);
      break;
    case "consent.granted":
      await notifyOfConsent(env, event as EventEnvelope<"consent.granted">);
      await scoreRetailers(env, [(event.data as EventEnvelope<"consent.granted">["data"]).retailer_id]);
      break;
    case "consent.revoked":
    case "consent.paused":
    case "consent.expired":
      await enforceConsents(env, (event as EventEnvelope<ConsentEvent>).data);
      await notifyOfConsent(env, event as EventEnvelope<ConsentEvent>);
      break;
    case "consent.resumed": {
      const { data } = event as EventEnvelope<"consent.resumed">;
      await enforceConsents(env, data);
      await notifyOfConsent(env, event as EventEnvelope<"consent.resumed">);
      // While all its consents were paused nothing was scored.
      await scoreRetailers(env, [data.retailer_id]);
      break;
    }
    case "score.computed":
      await notifyOfScore(env, event as EventEnvelope<"score.computed">);
      break;
    case "correction.made":
      await sendScoring(env, null, [(event.data as EventEnvelope<"correction.made">["data"]).retailer_id]);
      break;
    case "audit_event":
      await appendAudit(env, { ...(event.data as EventEnvelope<"audit_event">["data"]), event_id: event.id });
      break;
    case "grievance.filed":
    case "grievance.escalated":
    case "score.blocked":
      // Nothing inside the system waits for it.
      break;
  }
}

async function startBatch(env: Env, batch: { distributor_id: string; batch_id: string }): Promise<void> {
  const { distributor_id, batch_id } = batch;
  const ledger = env.DISTRIBUTOR_LEDGER.get(env.DISTRIBUTOR_LEDGER.idFromName(distributor_id));
  const work = await ledger.pendingWork(batch_id);
  // The Worker that took the batch may have died before it noted the sync.
  await recordSync(env, distributor_id, work.sync_to);
  if (work.retailer_ids.length === 0) await ledger.markScored(batch_id, []);
  await sendScoring(env, { distributor_id, batch_id }, work.retailer_ids);
}

/** Puts retailers on the scoring queue in slices. */
export async function sendScoring(
  env: Env,
  batch: ScoringMessage["batch"],
  retailer_ids: string[],
): Promise<void> {
  const messages: { body: ScoringMessage }[] = [];
  for (let start = 0; start < retailer_ids.length; start += RETAILERS_PER_MESSAGE) {
    messages.push({
      body: { batch, retailer_ids: retailer_ids.slice(start, start + RETAILERS_PER_MESSAGE) },
    });
  }
  for (let start = 0; start < messages.length; start += MESSAGES_PER_SEND) {
    await env.SCORING.sendBatch(messages.slice(start, start + MESSAGES_PER_SEND));
  }
}

/**
 * Scores one slice of retailers and tells the ledger whose batch asked for it; idempotent. A repeated message
 * (`attempts` above 1) goes retailer by retailer, so that one that cannot be scored does not hold up the others.
 */
export async function handleScoring(env: Env, message: ScoringMessage, attempts = 1): Promise<void> {
  const { retailer_ids } = message;
  const failures: unknown[] = [];
  for (const slice of attempts === 1 ? [retailer_ids] : retailer_ids.map((id) => [id])) {
    try {
      await scoreRetailers(env, slice);
      await noteScored(env, message.batch, slice);
    } catch (cause) {
      failures.push(cause);
    }
  }
  if (failures.length > 0) throw failures[0];
}

async function noteScored(env: Env, batch: ScoringMessage["batch"], retailer_ids: string[]): Promise<void> {
  if (!batch) return;
  const ledger = env.DISTRIBUTOR_LEDGER.get(env.DISTRIBUTOR_LEDGER.idFromName(batch.distributor_id));
  await ledger.markScored(batch.batch_id, retailer_ids);
}
