import { and, eq, lt, type SQL, sql } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import type { SQLiteUpdateSetSource } from "drizzle-orm/sqlite-core";
import type { Env } from "../env.ts";
import { causeText } from "../lib/cause.ts";
import { nowIso, nowMs, randomHex } from "../lib/seams.ts";
import { PAUSE_AFTER_MS, RETRY_DELAYS_S, retryDelayMs } from "./retry.ts";
import { webhookAttempts, webhookDeliveries, webhooks } from "./tables.ts";
import { type AttemptOutcome, type DeliveryMessage, TEST_TYPE, type WebhookMessage } from "./types.ts";

/** How long a delivery that was put on the queue may wait there before it is put on it again. */
const QUEUE_LEASE_MS = 300_000;
/** How long an attempt may take before it counts as interrupted; far above its time limits. */
const ATTEMPT_LEASE_MS = 60_000;
/** A queue takes at most 100 messages a call; one run of the relay makes so many calls at most. */
const RELAY_PAGE = 100;
const RELAY_PAGES = 10;
/** Shorter waits than the relay's period are left to the queue. */
const RELAY_PERIOD_MS = 60_000;
const KEEP_MS = 30 * 86_400_000;

export type WebhookRow = typeof webhooks.$inferSelect;
export type DeliveryRow = typeof webhookDeliveries.$inferSelect;

/**
 * The statement that makes a delivery of each message for every webhook of its lender, paused ones too. Put it into the batch
 * that writes what the messages tell of; with `isWritten` (asked with each message_id) only those that were written.
 */
export function deliveryInserts(
  db: DrizzleD1Database,
  messages: readonly WebhookMessage[],
  isWritten: (message_id: SQL) => SQL = () => sql`1`,
) {
  return db.insert(webhookDeliveries).select(sql`
    SELECT NULL, webhooks.webhook_id, value->>'$.message_id', value->>'$.type', value->>'$.body',
      'pending', 0, 0, ${nowMs()}, ${nowIso()}
    FROM json_each(${JSON.stringify(messages)}) JOIN webhooks ON webhooks.lender_id = value->>'$.lender_id'
    WHERE ${isWritten(sql`value->>'$.message_id'`)} ORDER BY json_each.key`);
}

/**
 * Puts what is due on the queue, oldest first; nothing for webhooks that are paused. The lease is taken before the send, so
 * two relays at once send different rows, and what is lost on the way comes due again.
 */
export async function relayDeliveries(env: Env): Promise<void> {
  for (let page = 0; page < RELAY_PAGES; page++) {
    const due = await leaseDue(env);
    if (due.length > 0) await env.WEBHOOKS.sendBatch(due.map((body) => ({ body })));
    if (due.length < RELAY_PAGE) return;
  }
}

/** The same after an answer has left or a queue's batch is done; a failure is only logged, the cron sends the rest. */
export async function relayDeliveriesSoon(env: Env): Promise<void> {
  try {
    await relayDeliveries(env);
  } catch (cause) {
    console.error(JSON.stringify({ task: "webhook relay", cause: causeText(cause) }));
  }
}

async function leaseDue(env: Env): Promise<DeliveryMessage[]> {
  const now_ms = nowMs();
  // CROSS fixes the order of the join: each webhook's few due rows by index, never all deliveries.
  const due = sql`(
    SELECT seq FROM webhooks CROSS JOIN webhook_deliveries USING (webhook_id)
    WHERE webhooks.status = 'active' AND state = 'pending' AND next_attempt_ms <= ${now_ms}
    ORDER BY next_attempt_ms, seq LIMIT ${RELAY_PAGE})`;
  const rows = await drizzle(env.DB)
    .update(webhookDeliveries)
    .set({ next_attempt_ms: now_ms + QUEUE_LEASE_MS })
    .where(sql`${webhookDeliveries.seq} IN ${due}`)
    .returning();
  return rows
    .sort((a, b) => a.seq - b.seq)
    .map(({ webhook_id, message_id, attempts }) => ({ webhook_id, message_id, attempt: attempts + 1 }));
}

/** An attempt that this caller, and nobody else, is to make. */
export interface Claim {
  delivery: DeliveryRow;
  webhook: WebhookRow;
}

/**
 * Begins an attempt and writes it to the log. Null if there is nothing to do: it was begun before (a message of the queue
 * came twice), the delivery is over, or its webhook is paused or gone.
 */
export async function claimAttempt(env: Env, message: DeliveryMessage): Promise<Claim | null> {
  const { webhook_id, message_id, attempt } = message;
  const db = drizzle(env.DB);
  const claimable = and(
    isDelivery(message),
    eq(webhookDeliveries.state, "pending"),
    eq(webhookDeliveries.attempts, attempt - 1),
    sql`(${webhookDeliveries.type} = ${TEST_TYPE} OR EXISTS (
      SELECT 1 FROM webhooks WHERE webhooks.webhook_id = ${webhook_id} AND webhooks.status = 'active'))`,
  );
  const [, claimed, found] = await db.batch([
    db.insert(webhookAttempts).select(sql`
      SELECT ${webhook_id}, ${message_id}, ${attempt}, ${nowIso()}, NULL, NULL, NULL
      FROM webhook_deliveries WHERE ${claimable}`),
    db
      .update(webhookDeliveries)
      .set({ attempts: attempt, next_attempt_ms: nowMs() + ATTEMPT_LEASE_MS, state: stateBegun(attempt) })
      .where(claimable)
      .returning(),
    db.select().from(webhooks).where(eq(webhooks.webhook_id, webhook_id)),
  ]);
  const [delivery] = claimed;
  const [webhook] = found;
  return delivery && webhook ? { delivery, webhook } : null;
}

/** The last attempt counts as failed until it is known to have got through: one that is interrupted ends nowhere else. */
function stateBegun(attempt: number): SQL {
  const is_last = sql`${attempt} - ${webhookDeliveries.earlier_attempts} > ${RETRY_DELAYS_S.length}`;
  return sql`CASE WHEN ${webhookDeliveries.type} = ${TEST_TYPE} OR ${is_last} THEN 'failed' ELSE 'pending' END`;
}

/**
 * Notes how an attempt ended and what follows: delivered; or due again after the back-off; or, after the last attempt, failed. A webhook
 * that answered 410 Gone, or to which nothing got through for 3 days, is paused; what a test finds changes nothing.
 */
export async function settleAttempt(env: Env, { delivery }: Claim, outcome: AttemptOutcome): Promise<void> {
  const { webhook_id, message_id, attempts: attempt } = delivery;
  const db = drizzle(env.DB);
  const logged = db
    .update(webhookAttempts)
    .set(outcome)
    .where(
      and(
        eq(webhookAttempts.webhook_id, webhook_id),
        eq(webhookAttempts.message_id, message_id),
        eq(webhookAttempts.attempt, attempt),
      ),
    );
  const noted = (changes: SQLiteUpdateSetSource<typeof webhooks>) =>
    delivery.type === TEST_TYPE
      ? []
      : [db.update(webhooks).set(changes).where(eq(webhooks.webhook_id, webhook_id))];
  if (outcome.failure === null) {
    const delivered = db.update(webhookDeliveries).set({ state: "delivered" }).where(isDelivery(delivery));
    await db.batch([logged, delivered, ...noted({ failing_since_ms: null })]);
    return;
  }
  const delay_ms = nextDelayMs(delivery);
  const due =
    delay_ms === null
      ? []
      : [
          db
            .update(webhookDeliveries)
            .set({ next_attempt_ms: nowMs() + delay_ms })
            // Unless it has got through, begun again or been replayed meanwhile.
            .where(
              and(
                isDelivery(delivery),
                eq(webhookDeliveries.state, "pending"),
                eq(webhookDeliveries.attempts, attempt),
                eq(webhookDeliveries.earlier_attempts, delivery.earlier_attempts),
              ),
            ),
        ];
  await db.batch([logged, ...due, ...noted(failureNoted(outcome))]);
  if (delay_ms !== null && delay_ms < RELAY_PERIOD_MS) {
    const message: DeliveryMessage = { webhook_id, message_id, attempt: attempt + 1 };
    await env.WEBHOOKS.send(message, { delaySeconds: Math.ceil(delay_ms / 1000) });
  }
}

function nextDelayMs({ type, attempts, earlier_attempts }: DeliveryRow): number | null {
  if (type === TEST_TYPE) return null;
  return retryDelayMs(attempts - earlier_attempts, Number.parseInt(randomHex(4), 16) / 2 ** 32);
}

/** What a failure changes in its webhook; all expressions see the row as it was. */
function failureNoted(outcome: AttemptOutcome) {
  const now_ms = nowMs();
  const gone = outcome.status === 410;
  const pause = gone ? sql`1` : sql`${webhooks.failing_since_ms} <= ${now_ms - PAUSE_AFTER_MS}`;
  const pauses = sql`${webhooks.status} = 'active' AND ${pause}`;
  return {
    failing_since_ms: sql`coalesce(${webhooks.failing_since_ms}, ${now_ms})`,
    status: sql`CASE WHEN ${pauses} THEN 'paused' ELSE ${webhooks.status} END`,
    paused_reason: sql`CASE WHEN ${pauses} THEN ${gone ? "gone" : "failing"} ELSE ${webhooks.paused_reason} END`,
  };
}

function isDelivery(named: { webhook_id: string; message_id: string }): SQL | undefined {
  return and(
    eq(webhookDeliveries.webhook_id, named.webhook_id),
    eq(webhookDeliveries.message_id, named.message_id),
  );
}

/** Forgets deliveries and their log after 30 days, those that still wait for a paused webhook too. */
export async function purgeDeliveries(env: Env): Promise<void> {
  const before = new Date(nowMs() - KEEP_MS).toISOString();
  const db = drizzle(env.DB);
  await db.batch([
    db.delete(webhookDeliveries).where(lt(webhookDeliveries.created_at, before)),
    db.delete(webhookAttempts).where(lt(webhookAttempts.started_at, before)),
  ]);
}
