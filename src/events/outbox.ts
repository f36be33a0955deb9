import { and, asc, inArray, lt, lte, type SQL, sql } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import { causeText } from "../lib/cause.ts";
import { nowIso, nowMs } from "../lib/seams.ts";
import { listed } from "../lib/sql.ts";
import { handledEvents, outbox } from "./tables.ts";
import type { EventEnvelope } from "./types.ts";

/** How long a sent event may go without being handled before it is sent again; doubles with each attempt. */
const LEASE_MS = 20_000;
const MAX_LEASE_MS = 600_000;
/** Events sent by one run of the relay: a queue takes at most 100 messages a call. */
const RELAY_BATCH = 100;
const HANDLED_KEEP_DAYS = 30;

/**
 * The statement that writes an event to the outbox: put it into the same `db.batch()` as the state change.
 * With `condition` the event is written only if that SQL holds, for changes that may turn out to be no-ops.
 */
export function outboxInsert(db: DrizzleD1Database, envelope: EventEnvelope, condition: SQL = sql`1`) {
  const body = JSON.stringify(envelope);
  return db
    .insert(outbox)
    .select(sql`SELECT ${envelope.id}, ${body}, ${envelope.time}, ${nowMs()}, 0 WHERE ${condition}`);
}

/** An event and the key of the row it tells of, for `condition` of `outboxInserts`. */
export interface KeyedEvent {
  key: string;
  envelope: EventEnvelope;
}

/** As `outboxInsert` for any number of events in one statement; `condition` is asked with each event's key. */
export function outboxInserts(
  db: DrizzleD1Database,
  events: readonly KeyedEvent[],
  condition: (key: SQL) => SQL = () => sql`1`,
) {
  return db.insert(outbox).select(sql`
    SELECT value->>'$.envelope.id', value->'$.envelope', value->>'$.envelope.time', ${nowMs()}, 0
    FROM json_each(${JSON.stringify(events)}) WHERE ${condition(sql`value->>'$.key'`)}`);
}

/** Writes events that tell of no change in D1 (e.g. that nothing was computed). */
export async function writeEvents(env: Env, envelopes: EventEnvelope[]): Promise<void> {
  if (envelopes.length === 0) return;
  await outboxInserts(
    drizzle(env.DB),
    envelopes.map((envelope) => ({ key: envelope.id, envelope })),
  );
}

/**
 * Sends what is due. A row stays until its consumer has handled the event (`eventHandled`), so an event
 * survives a lost queue message or a crash between send and handling; consumers see it at least once.
 * Returns how many were sent.
 */
export async function relayOutbox(env: Env): Promise<number> {
  const db = drizzle(env.DB);
  const due = await db
    .select()
    .from(outbox)
    .where(lte(outbox.next_attempt_ms, nowMs()))
    .orderBy(asc(outbox.next_attempt_ms))
    .limit(RELAY_BATCH);
  if (due.length === 0) return 0;
  await env.EVENTS.sendBatch(due.map((row) => ({ body: JSON.parse(row.envelope) as EventEnvelope })));
  const ids = due.map((row) => row.event_id);
  await db
    .update(outbox)
    .set({
      attempts: sql`${outbox.attempts} + 1`,
      next_attempt_ms: sql`${nowMs()} + min(${MAX_LEASE_MS}, ${LEASE_MS} * (1 << min(${outbox.attempts}, 10)))`,
    })
    .where(inArray(outbox.event_id, listed(ids)));
  return due.length;
}

/**
 * Sends what is due after the answer has left; for `ctx.waitUntil`. A failure is only logged: the rows stay and the
 * minute's relay sends them.
 */
export async function relaySoon(env: Env): Promise<void> {
  try {
    await relayOutbox(env);
  } catch (cause) {
    console.error(JSON.stringify({ task: "outbox relay", cause: causeText(cause) }));
  }
}

/** True if `consumer` has handled this event before. */
export async function alreadyHandled(env: Env, consumer: string, event_id: string): Promise<boolean> {
  const row = await drizzle(env.DB)
    .select({ event_id: handledEvents.event_id })
    .from(handledEvents)
    .where(and(sql`${handledEvents.consumer} = ${consumer}`, sql`${handledEvents.event_id} = ${event_id}`))
    .get();
  return row !== undefined;
}

/** Notes that `consumer` handled the event and takes it out of the outbox. */
export async function eventHandled(env: Env, consumer: string, event_id: string): Promise<void> {
  const db = drizzle(env.DB);
  await db.batch([
    db.insert(handledEvents).values({ consumer, event_id, handled_at: nowIso() }).onConflictDoNothing(),
    db.delete(outbox).where(sql`${outbox.event_id} = ${event_id}`),
  ]);
}

/** Forgets handled events after 30 days: no event is sent again that late. */
export async function purgeHandledEvents(env: Env): Promise<void> {
  const before = new Date(nowMs() - HANDLED_KEEP_DAYS * 86_400_000).toISOString();
  await drizzle(env.DB).delete(handledEvents).where(lt(handledEvents.handled_at, before));
}
