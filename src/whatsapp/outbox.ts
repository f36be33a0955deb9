import { and, eq, getTableColumns, inArray, lt, lte, sql } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import { seal, unseal } from "../auth/seal.ts";
import { parseEnv } from "../config.ts";
import type { Env } from "../env.ts";
import type { Language } from "../http/language.ts";
import { causeText } from "../lib/cause.ts";
import { newUuid, nowIso, nowMs } from "../lib/seams.ts";
import { asTemplate, type MessageContent } from "./content.ts";
import { type MessageSender, senderFor } from "./sender.ts";
import { waConversations, waNotices, waOutbox } from "./tables.ts";
import type { DeliveryStatus } from "./webhook.ts";

/** How long a claimed message is left to whoever sends it, and how waiting grows from one failure to the next. */
const LEASE_MS = 60_000;
const FIRST_WAIT_MS = 5_000;
const MAX_WAIT_MS = 3_600_000;
/** About two days with these waits; then the number is erased and the message has failed. */
const MAX_ATTEMPTS = 55;
const CLAIM = 50;
const MAX_CLAIMS = 40;
const CONCURRENCY = 5;
/** A free text may be sent for 24 hours after the phone was heard; the last half hour is left alone. */
const FREE_TEXT_MS = 23.5 * 3_600_000;
const WAITING_KEEP_MS = 60 * 86_400_000;

/** A message in hand, with the last time its phone was heard (Unix s). */
type ClaimedRow = typeof waOutbox.$inferSelect & { heard_s: number | null };

/** A message to a phone whose number is in hand. */
export interface Reply {
  kind: string;
  language: Language;
  content: MessageContent;
  dedupe_key: string;
  retailer_id: string | null;
  instance_id: string | null;
}

/** A phone in memory: its keyed hash, and the number sealed for the outbox. */
export interface KnownPhone {
  phone_hash: string;
  sealed_phone: string;
}

/** Seals a number (E.164 digits) for the outbox rows of its phone. */
export async function knownPhone(env: Env, phone_hash: string, digits: string): Promise<KnownPhone> {
  return { phone_hash, sealed_phone: await seal(parseEnv(env), digits, phone_hash) };
}

/** Statement that puts messages to a known phone into the outbox, each once by its key. */
export function replyInserts(db: DrizzleD1Database, phone: KnownPhone, replies: readonly Reply[]) {
  const rows = replies.map((reply) => ({ ...reply, message_id: newUuid() }));
  return db
    .insert(waOutbox)
    .select(
      sql`SELECT value->>'$.message_id', value->>'$.dedupe_key', ${phone.phone_hash}, ${phone.sealed_phone},
            value->>'$.retailer_id', value->>'$.kind', value->>'$.language', value->'$.content',
            value->>'$.instance_id', 'pending', ${nowMs()}, 0, NULL, 0, NULL, ${nowIso()}, NULL
          FROM json_each(${JSON.stringify(rows)}) WHERE 1`,
    )
    .onConflictDoNothing();
}

/** Statement that gives the number to texts that waited for it. */
export function releaseWaiting(db: DrizzleD1Database, phone: KnownPhone) {
  return db
    .update(waOutbox)
    .set({ state: "pending", sealed_phone: phone.sealed_phone, next_attempt_ms: nowMs() })
    .where(and(eq(waOutbox.phone_hash, phone.phone_hash), eq(waOutbox.state, "waiting")));
}

/** Sends what is due; safe to run in parallel, a row is claimed by one. Returns how many messages were accepted. */
export async function sendDue(env: Env, sender: MessageSender = senderFor(parseEnv(env))): Promise<number> {
  let accepted = 0;
  for (let round = 0; round < MAX_CLAIMS; round++) {
    const rows = await claim(env);
    for (let start = 0; start < rows.length; start += CONCURRENCY) {
      const slice = rows.slice(start, start + CONCURRENCY);
      const results = await Promise.all(
        slice.map((row) =>
          // A row that does not open must not hold up the others: its lease runs out and it is tried again.
          sendRow(env, row, sender).catch((cause: unknown) => {
            console.error(
              JSON.stringify({ whatsapp: "not sent", message_id: row.message_id, cause: causeText(cause) }),
            );
            return false;
          }),
        ),
      );
      accepted += results.filter(Boolean).length;
    }
    if (rows.length < CLAIM) break;
  }
  return accepted;
}

/** The same after an answer has left; for `ctx.waitUntil`. What fails is left to the minute's run. */
export async function sendSoon(env: Env): Promise<void> {
  try {
    await sendDue(env);
  } catch (cause) {
    console.error(JSON.stringify({ task: "whatsapp outbox", cause: causeText(cause) }));
  }
}

async function claim(env: Env): Promise<ClaimedRow[]> {
  const db = drizzle(env.DB);
  const due = db
    .select({ message_id: waOutbox.message_id })
    .from(waOutbox)
    .where(and(eq(waOutbox.state, "pending"), lte(waOutbox.next_attempt_ms, nowMs())))
    .orderBy(waOutbox.next_attempt_ms)
    .limit(CLAIM);
  return db
    .update(waOutbox)
    .set({ next_attempt_ms: nowMs() + LEASE_MS, attempts: sql`${waOutbox.attempts} + 1` })
    .where(inArray(waOutbox.message_id, due))
    .returning({
      ...getTableColumns(waOutbox),
      heard_s: sql<number | null>`(
        SELECT c.heard_s FROM ${waConversations} c WHERE c.phone_hash = ${sql.raw("wa_outbox.phone_hash")})`,
    });
}

/** True if the message was accepted. */
async function sendRow(env: Env, row: ClaimedRow, sender: MessageSender): Promise<boolean> {
  const { message_id, language } = row;
  const to = await unseal(parseEnv(env), row.sealed_phone ?? "", row.phone_hash);
  const stored = JSON.parse(row.content) as MessageContent;
  const window_open = nowMs() - (row.heard_s ?? 0) * 1000 < FREE_TEXT_MS;
  const content = window_open ? stored : asTemplate(stored);
  const outcome = await sender.send({ message_id, to, language, content });
  const db = drizzle(env.DB);
  const here = and(eq(waOutbox.message_id, message_id), eq(waOutbox.state, "pending"));
  if (outcome.kind === "accepted") {
    await db.batch([...sentUpdates(db, message_id, outcome.wamid)]);
    return true;
  }
  const error_code = outcome.code;
  console.error(JSON.stringify({ whatsapp: outcome.kind, message_id, error_code, attempts: row.attempts }));
  if (outcome.kind === "refused" || row.attempts >= MAX_ATTEMPTS) {
    await db.update(waOutbox).set({ state: "failed", sealed_phone: null, error_code }).where(here);
    return false;
  }
  const wait_ms = Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(row.attempts - 1, 20));
  const next_attempt_ms = nowMs() + Math.max(wait_ms, (outcome.after_s ?? 0) * 1000);
  await db.update(waOutbox).set({ next_attempt_ms, error_code }).where(here);
  return false;
}

/** Notes that a message went out as `wamid`: the number is erased, and the notice it shows can be answered. */
function sentUpdates(db: DrizzleD1Database, message_id: string, wamid: string) {
  const row = and(eq(waOutbox.message_id, message_id), inArray(waOutbox.state, ["pending", "failed"]));
  return [
    db
      .update(waNotices)
      .set({ wamid })
      .where(
        inArray(
          waNotices.instance_id,
          db.select({ instance_id: waOutbox.instance_id }).from(waOutbox).where(row),
        ),
      ),
    db
      .update(waOutbox)
      .set({ state: "sent", wamid, sealed_phone: null, error_code: null, sent_at: nowIso() })
      .where(row),
  ] as const;
}

const DELIVERY = { sent: 1, delivered: 2, read: 3 } as const;

/**
 * Takes in statuses[] in any order and number: delivery only moves forward. A status names our own message id, so
 * it also tells of a message whose sending was never noted, because the isolate ended in between.
 */
export async function noteStatuses(env: Env, statuses: readonly DeliveryStatus[]): Promise<void> {
  const db = drizzle(env.DB);
  for (const { wamid, message_id, status, error_code } of statuses) {
    if (status === "failed") {
      await db.update(waOutbox).set({ error_code }).where(eq(waOutbox.wamid, wamid));
      continue;
    }
    const moved = db
      .update(waOutbox)
      .set({ delivery: sql`max(${waOutbox.delivery}, ${DELIVERY[status]})` })
      .where(eq(waOutbox.wamid, wamid));
    if (message_id === null) await moved;
    else await db.batch([...sentUpdates(db, message_id, wamid), moved]);
  }
}

/** Drops texts that waited 60 days for their number; their occasion has passed. */
export async function purgeWaiting(env: Env): Promise<void> {
  const before = new Date(nowMs() - WAITING_KEEP_MS).toISOString();
  await drizzle(env.DB)
    .delete(waOutbox)
    .where(and(eq(waOutbox.state, "waiting"), lt(waOutbox.created_at, before)));
}
