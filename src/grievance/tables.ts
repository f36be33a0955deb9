import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** Where each grievance stands; follows from its steps. */
export const grievances = sqliteTable(
  "grievances",
  {
    grievance_id: text().primaryKey(),
    /** The retailer as it was named when it was filed; a merge is followed when it is read. */
    retailer_id: text().notNull(),
    score_id: text(),
    grievance_type: text().notNull(),
    filer_kind: text({ enum: ["lender", "service", "retailer"] }).notNull(),
    /** The lender_id, the service's client_id, or the retailer_id of a chat. */
    filer_id: text().notNull(),
    contact_phone_hash: text(),
    /** In which the retailer is told of it. */
    language: text({ enum: ["en", "hi"] }).notNull(),
    /** The chat message that filed it: the same message files it once. */
    wamid: text().unique(),
    stage: text({ enum: ["open", "acknowledged", "in_review", "resolved", "rejected"] }).notNull(),
    /** Number of its last step: what the next one follows. */
    seq: integer().notNull(),
    filed_at: text().notNull(),
    ack_by: text().notNull(),
    resolution_sla: text().notNull(),
    acknowledged_at: text(),
    closed_at: text(),
    outcome: text(),
    /** When it escalates unless something is done before (lifecycle.ts); null if both deadlines were kept. */
    escalates_at: text(),
    /** The same once it has happened and was told. */
    escalated_at: text(),
  },
  (t) => [
    index("grievances_by_retailer").on(t.retailer_id),
    index("grievances_to_escalate").on(t.escalates_at).where(sql`${t.escalated_at} IS NULL`),
  ],
);

/** What happened to a grievance, in order; append-only (triggers refuse update and delete), nothing personal. */
export const grievanceSteps = sqliteTable(
  "grievance_steps",
  {
    grievance_id: text().notNull(),
    seq: integer().notNull(),
    step: text({
      enum: ["filed", "acknowledged", "in_review", "resolved", "rejected", "escalated"],
    }).notNull(),
    /** Of an escalation: the deadline that was missed. */
    at: text().notNull(),
    actor_kind: text({ enum: ["lender", "service", "retailer", "system"] }).notNull(),
    actor_id: text(),
    outcome: text(),
  },
  (t) => [primaryKey({ columns: [t.grievance_id, t.seq] })],
);

/** The words of a step, sealed (aad = `<grievance_id>/<seq>`): apart, so that they can be erased. */
export const grievanceTexts = sqliteTable(
  "grievance_texts",
  {
    grievance_id: text().notNull(),
    seq: integer().notNull(),
    sealed: text().notNull(),
  },
  (t) => [primaryKey({ columns: [t.grievance_id, t.seq] })],
);
