import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** Every stream that has written a row; append-only. */
export const auditStreams = sqliteTable("audit_streams", {
  stream: text().primaryKey(),
  registered_at: text().notNull(),
});

/** Copies of the rows of all streams, for queries; append-only (triggers refuse update and delete). */
export const auditEvents = sqliteTable(
  "audit_events",
  {
    stream: text().notNull(),
    seq: integer().notNull(),
    at: text().notNull(),
    type: text().notNull(),
    actor_kind: text().notNull(),
    actor_id: text(),
    subject: text(),
    outcome: text().notNull(),
    /** RFC 8785 form of the row, prev_hash included; row_hash is its SHA-256. */
    canonical: text().notNull(),
    row_hash: text().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.stream, t.seq] }),
    index("audit_events_by_time").on(t.at),
    index("audit_events_by_subject").on(t.subject, t.at),
    index("audit_events_by_type").on(t.type, t.at),
  ],
);

/** The daily anchors: signed heads of all streams, chained to each other; append-only. */
export const auditAnchors = sqliteTable("audit_anchors", {
  seq: integer().primaryKey(),
  anchored_at: text().notNull(),
  /** RFC 8785 form of the anchor without anchor_hash, signature and key_id. */
  canonical: text().notNull(),
  anchor_hash: text().notNull(),
  signature: text().notNull(),
  key_id: text().notNull(),
});
