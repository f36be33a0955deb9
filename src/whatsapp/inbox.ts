import { and, inArray, isNull, lt, lte, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { seal, unseal } from "../auth/seal.ts";
import { parseEnv } from "../config.ts";
import type { Env } from "../env.ts";
import { causeText } from "../lib/cause.ts";
import { nowIso, nowMs } from "../lib/seams.ts";
import { listed } from "../lib/sql.ts";
import { e164Index } from "../retailers/blind-index.ts";
import { waInbox } from "./tables.ts";
import type { DeliveredMessage } from "./webhook.ts";

const LEASE_MS = 60_000;
const FIRST_WAIT_MS = 2_000;
const MAX_WAIT_MS = 3_600_000;
/** Rows of one statement, so that its one parameter stays well under D1's 2 MB. */
const ROWS_PER_INSERT = 200;
const CLAIM = 200;
/** Meta gives up after 7 days; a signed body replayed later changes nothing either, see docs/adr/0015. */
const KEEP_MS = 30 * 86_400_000;

/** A stored message taken up by this isolate. */
export interface ClaimedMessage {
  wamid: string;
  phone_hash: string;
  at_s: number;
  received_at: string;
  attempts: number;
  /** E.164 digits; in memory only. */
  from: string;
  message: Record<string, unknown>;
}

/**
 * Stores messages, each once by its id, sealed until they are worked off; durable when it resolves. A timestamp in
 * the future, or none, counts as now: a clock that runs ahead must not block later answers.
 */
export async function storeMessages(env: Env, messages: readonly DeliveredMessage[]): Promise<void> {
  const config = parseEnv(env);
  const received_at = nowIso();
  const received_s = Math.floor(nowMs() / 1000);
  const rows = await Promise.all(
    messages.map(async ({ wamid, from, timestamp_s, message }) => ({
      wamid,
      phone_hash: e164Index(config, from),
      at_s: Math.min(timestamp_s ?? received_s, received_s),
      sealed: await seal(config, JSON.stringify({ from, message }), wamid),
    })),
  );
  const db = drizzle(env.DB);
  for (let start = 0; start < rows.length; start += ROWS_PER_INSERT) {
    await db
      .insert(waInbox)
      .select(
        sql`SELECT value->>'$.wamid', value->>'$.phone_hash', value->>'$.at_s', value->>'$.sealed',
              ${received_at}, 0, 0, NULL
            FROM json_each(${JSON.stringify(rows.slice(start, start + ROWS_PER_INSERT))}) WHERE 1`,
      )
      .onConflictDoNothing();
  }
}

/** Takes up open messages, those of one phone together; nobody else gets them for a minute. */
export async function claimMessages(env: Env): Promise<ClaimedMessage[]> {
  const db = drizzle(env.DB);
  const due = db
    .select({ wamid: waInbox.wamid })
    .from(waInbox)
    .where(and(isNull(waInbox.done_at), lte(waInbox.next_attempt_ms, nowMs())))
    .orderBy(waInbox.phone_hash)
    .limit(CLAIM);
  const rows = await db
    .update(waInbox)
    .set({ next_attempt_ms: nowMs() + LEASE_MS, attempts: sql`${waInbox.attempts} + 1` })
    .where(inArray(waInbox.wamid, due))
    .returning();
  const opened = await Promise.all(rows.map((row) => open(env, row)));
  return opened.flatMap((message) => message ?? []);
}

/** A row that does not open (another key, a damaged file) must not hold up the others: it stays for later. */
async function open(env: Env, row: typeof waInbox.$inferSelect): Promise<ClaimedMessage | null> {
  const { wamid, phone_hash, at_s, received_at, attempts, sealed } = row;
  try {
    const text = await unseal(parseEnv(env), sealed ?? "", wamid);
    const { from, message } = JSON.parse(text) as Pick<ClaimedMessage, "from" | "message">;
    return { wamid, phone_hash, at_s, received_at, attempts, from, message };
  } catch (cause) {
    console.error(JSON.stringify({ whatsapp: "a stored message does not open", cause: causeText(cause) }));
    return null;
  }
}

/** Statement that marks messages worked off and drops their content. */
export function doneUpdate(db: ReturnType<typeof drizzle>, wamids: readonly string[]) {
  return db
    .update(waInbox)
    .set({ done_at: nowIso(), sealed: null })
    .where(inArray(waInbox.wamid, listed(wamids)));
}

/** Leaves messages for later: they failed, or wait for something; the pause doubles up to an hour. */
export async function postpone(env: Env, messages: readonly ClaimedMessage[]): Promise<void> {
  if (messages.length === 0) return;
  const attempts = Math.min(...messages.map((message) => message.attempts));
  const wait_ms = Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempts - 1, 20));
  await drizzle(env.DB)
    .update(waInbox)
    .set({ next_attempt_ms: nowMs() + wait_ms })
    .where(inArray(waInbox.wamid, listed(messages.map((message) => message.wamid))));
}

/** Forgets the ids of messages worked off 30 days ago. */
export async function purgeInbox(env: Env): Promise<void> {
  const before = new Date(nowMs() - KEEP_MS).toISOString();
  await drizzle(env.DB).delete(waInbox).where(lt(waInbox.done_at, before));
}
