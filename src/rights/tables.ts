import { index, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** What retailers asked for under their rights; a row never changes. */
export const rightsRequests = sqliteTable(
  "rights_requests",
  {
    request_id: text().primaryKey(),
    kind: text({ enum: ["correction", "erasure", "export"] }).notNull(),
    /** The retailer as it was named then; a merge is followed when it is read. */
    retailer_id: text().notNull(),
    /** What of the data is wrong; null for other kinds. */
    field: text(),
    /** What would be right, sealed (aad = request_id). */
    sealed_text: text(),
    opened_by_kind: text({ enum: ["service", "retailer"] }).notNull(),
    opened_by: text().notNull(),
    /** In which the retailer is told of it. */
    language: text({ enum: ["en", "hi"] }).notNull(),
    /** The chat message that asked: the same message asks once. */
    wamid: text().unique(),
    opened_at: text().notNull(),
    due_by: text().notNull(),
  },
  (t) => [index("rights_requests_by_retailer").on(t.retailer_id)],
);

/** How requests were decided: at most once each. */
export const rightsDecisions = sqliteTable("rights_decisions", {
  request_id: text().primaryKey(),
  decision: text({ enum: ["done", "refused"] }).notNull(),
  /** Sealed (aad = `<request_id>/decision`). */
  sealed_note: text().notNull(),
  decided_by: text().notNull(),
  decided_at: text().notNull(),
});

/** Who acts for the retailer after death or incapacity (DPDP Act s.14). */
export const nominees = sqliteTable("nominees", {
  retailer_id: text().primaryKey(),
  /** Sealed (aad = `nominee/<retailer_id>`). */
  sealed_name: text().notNull(),
  relation: text().notNull(),
  phone_hash: text().notNull(),
  set_by: text().notNull(),
  set_at: text().notNull(),
});
