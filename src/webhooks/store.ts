import { and, asc, desc, eq, inArray, lt, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import { nowIso, nowMs } from "../lib/seams.ts";
import { listed } from "../lib/sql.ts";
import type { DeliveryRow, WebhookRow } from "./deliveries.ts";
import { webhookAttempts, webhookDeliveries, webhooks } from "./tables.ts";

export type AttemptRow = typeof webhookAttempts.$inferSelect;

/** Adds a webhook unless its lender has `limit` already; false then. */
export async function insertWebhook(env: Env, row: WebhookRow, limit: number): Promise<boolean> {
  const added = await drizzle(env.DB)
    .insert(webhooks)
    .select(sql`
      SELECT ${row.webhook_id}, ${row.lender_id}, ${row.url}, ${row.status}, ${row.paused_reason}, ${row.secret_sealed},
        ${row.previous_secret_sealed}, ${row.previous_secret_until}, ${row.failing_since_ms}, ${row.created_at}
      WHERE (SELECT count(*) FROM webhooks WHERE lender_id = ${row.lender_id}) < ${limit}`)
    .returning({ webhook_id: webhooks.webhook_id });
  return added.length > 0;
}

/** A lender's webhooks, oldest first. */
export function webhooksOf(env: Env, lender_id: string): Promise<WebhookRow[]> {
  return drizzle(env.DB)
    .select()
    .from(webhooks)
    .where(eq(webhooks.lender_id, lender_id))
    .orderBy(asc(webhooks.created_at), asc(webhooks.webhook_id))
    .all();
}

/** A webhook as its lender names it. */
export interface OwnWebhook {
  lender_id: string;
  webhook_id: string;
}

function isOwn({ lender_id, webhook_id }: OwnWebhook) {
  return and(eq(webhooks.lender_id, lender_id), eq(webhooks.webhook_id, webhook_id));
}

/** The webhook, if it is this lender's. */
export function findWebhook(env: Env, own: OwnWebhook): Promise<WebhookRow | undefined> {
  return drizzle(env.DB).select().from(webhooks).where(isOwn(own)).get();
}

/** Changes a lender's webhook; undefined if it has none with this id. */
export function updateWebhook(
  env: Env,
  own: OwnWebhook,
  changes: Partial<Omit<WebhookRow, "webhook_id" | "lender_id">>,
): Promise<WebhookRow | undefined> {
  return drizzle(env.DB).update(webhooks).set(changes).where(isOwn(own)).returning().get();
}

/** Puts a new secret in force and keeps the present one beside it until `previous_secret_until`. */
export function replaceSecret(
  env: Env,
  own: OwnWebhook,
  secret_sealed: string,
  previous_secret_until: string,
): Promise<WebhookRow | undefined> {
  return drizzle(env.DB)
    .update(webhooks)
    .set({ secret_sealed, previous_secret_sealed: sql`${webhooks.secret_sealed}`, previous_secret_until })
    .where(isOwn(own))
    .returning()
    .get();
}

/** Makes everything that waits for a webhook due now, with a whole back-off before it. */
export async function hastenDeliveries(env: Env, webhook_id: string): Promise<void> {
  await drizzle(env.DB)
    .update(webhookDeliveries)
    .set({ next_attempt_ms: nowMs(), earlier_attempts: sql`${webhookDeliveries.attempts}` })
    .where(and(eq(webhookDeliveries.webhook_id, webhook_id), eq(webhookDeliveries.state, "pending")));
}

/** Deletes a webhook with its deliveries and their log. */
export async function deleteWebhook(env: Env, webhook_id: string): Promise<void> {
  const db = drizzle(env.DB);
  await db.batch([
    db.delete(webhooks).where(eq(webhooks.webhook_id, webhook_id)),
    db.delete(webhookDeliveries).where(eq(webhookDeliveries.webhook_id, webhook_id)),
    db.delete(webhookAttempts).where(eq(webhookAttempts.webhook_id, webhook_id)),
  ]);
}

/** Adds one delivery, for one webhook only. */
export async function insertDelivery(env: Env, row: Omit<DeliveryRow, "seq">): Promise<void> {
  await drizzle(env.DB).insert(webhookDeliveries).values(row);
}

/** Makes a delivery due now, whatever became of it, with a whole back-off before it; false if there is none. */
export async function reviveDelivery(env: Env, webhook_id: string, message_id: string): Promise<boolean> {
  const row = await drizzle(env.DB)
    .update(webhookDeliveries)
    .set({
      state: "pending",
      next_attempt_ms: nowMs(),
      earlier_attempts: sql`${webhookDeliveries.attempts}`,
    })
    .where(and(eq(webhookDeliveries.webhook_id, webhook_id), eq(webhookDeliveries.message_id, message_id)))
    .returning({ seq: webhookDeliveries.seq })
    .get();
  return row !== undefined;
}

/**
 * A page of a webhook's deliveries, newest first, from the one after `cursor` (a message_id) on; null if there is no
 * such delivery. Their attempts come with them, oldest first.
 */
export async function deliveriesPage(
  env: Env,
  webhook_id: string,
  page: { cursor: string | null; limit: number },
): Promise<{ rows: DeliveryRow[]; attempts: AttemptRow[] } | null> {
  const db = drizzle(env.DB);
  let before: number | undefined;
  if (page.cursor !== null) {
    const last = await db
      .select({ seq: webhookDeliveries.seq })
      .from(webhookDeliveries)
      .where(and(eq(webhookDeliveries.webhook_id, webhook_id), eq(webhookDeliveries.message_id, page.cursor)))
      .get();
    if (!last) return null;
    before = last.seq;
  }
  const rows = await db
    .select()
    .from(webhookDeliveries)
    .where(
      and(
        eq(webhookDeliveries.webhook_id, webhook_id),
        before === undefined ? undefined : lt(webhookDeliveries.seq, before),
      ),
    )
    .orderBy(desc(webhookDeliveries.seq))
    .limit(page.limit);
  const attempts = await db
    .select()
    .from(webhookAttempts)
    .where(
      and(
        eq(webhookAttempts.webhook_id, webhook_id),
        inArray(webhookAttempts.message_id, listed(rows.map((row) => row.message_id))),
      ),
    )
    .orderBy(asc(webhookAttempts.attempt));
  return { rows, attempts };
}

/** The row of a new webhook. */
export function newWebhookRow(named: OwnWebhook & { url: string; secret_sealed: string }): WebhookRow {
  return {
    ...named,
    status: "active",
    paused_reason: null,
    previous_secret_sealed: null,
    previous_secret_until: null,
    failing_since_ms: null,
    created_at: nowIso(),
  };
}
