import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** Events written in the same D1 batch as the state change they tell of; a row goes when its consumer has handled it. */
export const outbox = sqliteTable(
  "outbox",
  {
    event_id: text().primaryKey(),
    /** CloudEvents 1.0 envelope as JSON. */
    envelope: text().notNull(),
    created_at: text().notNull(),
    /** Unix ms before which the relay leaves the row alone (a send is under way or was just made). */
    next_attempt_ms: integer().notNull(),
    attempts: integer().notNull().default(0),
  },
  (t) => [index("outbox_by_next_attempt").on(t.next_attempt_ms)],
);

/** Events a consumer has handled: makes a second delivery a no-op. Purged after 30 days. */
export const handledEvents = sqliteTable(
  "handled_events",
  {
    consumer: text().notNull(),
    event_id: text().notNull(),
    handled_at: text().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.consumer, t.event_id] }),
    index("handled_events_by_time").on(t.handled_at),
  ],
);

/** Messages that failed every retry, kept for a person to look at and replay. */
export const deadLetters = sqliteTable("dead_letters", {
  message_id: text().primaryKey(),
  queue: text().notNull(),
  body: text().notNull(),
  attempts: integer().notNull(),
  received_at: text().notNull(),
});
