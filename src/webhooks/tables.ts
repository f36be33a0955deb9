import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { FAILURE_CLASSES } from "./types.ts";

/** Where a lender wants its notices posted. Secrets rest sealed with AES-GCM, webhook_id as AAD. */
export const webhooks = sqliteTable(
  "webhooks",
  {
    webhook_id: text().primaryKey(),
    lender_id: text().notNull(),
    url: text().notNull(),
    status: text({ enum: ["active", "paused"] }).notNull(),
    /** Why it is paused: the lender asked, nothing got through for 3 days, or the receiver answered 410 Gone. */
    paused_reason: text({ enum: ["requested", "failing", "gone"] }),
    secret_sealed: text().notNull(),
    /** The secret before the last rotation; it signs as well until `previous_secret_until`. */
    previous_secret_sealed: text(),
    previous_secret_until: text(),
    /** Unix ms of the first failed attempt since something last got through. */
    failing_since_ms: integer(),
    created_at: text().notNull(),
  },
  (t) => [index("webhooks_by_lender").on(t.lender_id)],
);

/** One message to one webhook, until it got through or ran out of attempts. Purged after 30 days. */
export const webhookDeliveries = sqliteTable(
  "webhook_deliveries",
  {
    seq: integer().primaryKey({ autoIncrement: true }),
    webhook_id: text().notNull(),
    message_id: text().notNull(),
    type: text().notNull(),
    body: text().notNull(),
    state: text({ enum: ["pending", "delivered", "failed"] }).notNull(),
    /** Attempts begun; a message of the queue names the one it asks for, so each is made once. */
    attempts: integer().notNull(),
    /** Attempts begun before the last replay: the back-off counts from here. */
    earlier_attempts: integer().notNull(),
    /** Unix ms before which nothing is to be done: the back-off, or the lease of an attempt under way. */
    next_attempt_ms: integer().notNull(),
    created_at: text().notNull(),
  },
  (t) => [
    uniqueIndex("webhook_deliveries_once").on(t.webhook_id, t.message_id),
    index("webhook_deliveries_by_webhook").on(t.webhook_id, t.seq),
    index("webhook_deliveries_due").on(t.webhook_id, t.state, t.next_attempt_ms),
    index("webhook_deliveries_by_time").on(t.created_at),
  ],
);

/** The log of attempts; never what was sent or answered. An attempt without an outcome was interrupted. */
export const webhookAttempts = sqliteTable(
  "webhook_attempts",
  {
    webhook_id: text().notNull(),
    message_id: text().notNull(),
    attempt: integer().notNull(),
    started_at: text().notNull(),
    duration_ms: integer(),
    status: integer(),
    failure: text({ enum: FAILURE_CLASSES }),
  },
  (t) => [
    primaryKey({ columns: [t.webhook_id, t.message_id, t.attempt] }),
    index("webhook_attempts_by_time").on(t.started_at),
  ],
);
