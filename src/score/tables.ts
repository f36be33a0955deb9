import { index, integer, real, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

/** Every score ever computed, immutable, with all that `replay(score_id)` needs (scoring.md §8). */
export const scores = sqliteTable(
  "scores",
  {
    score_id: text().primaryKey(),
    retailer_id: text().notNull(),
    /** SHA-256 over watermarks, as_of, model and engine: the same inputs are stored once, however often delivered. */
    input_hash: text().notNull(),
    as_of_day: integer().notNull(),
    /** Sum of the ledgers' revisions: orders two computations of one day. */
    ledger_revision: integer().notNull(),
    /** JSON {distributor_id: revision}. */
    watermarks: text().notNull(),
    model_id: text().notNull(),
    model_sha256: text().notNull(),
    engine_version: text().notNull(),
    /** Model version and engine version, as lenders see them. */
    score_version: text().notNull(),
    /** `scored`, or why not. */
    status: text({ enum: ["scored", "insufficient", "unexplainable"] }).notNull(),
    altscore: integer(),
    risk_band: text(),
    probability_of_default: real(),
    /** JSON of what the engine made of the statement (ReplayInputs): with the model it gives the scorecard again. */
    replay_inputs: text().notNull(),
    /** JSON of the engine's whole result (Scorecard). */
    scorecard: text().notNull(),
    scored_at: text().notNull(),
  },
  (t) => [
    uniqueIndex("scores_by_input").on(t.retailer_id, t.input_hash),
    index("scores_by_retailer_time").on(t.retailer_id, t.scored_at),
  ],
);

/** A row of `scores` as the pipeline makes it, and as it is stored. */
export type NewScore = typeof scores.$inferInsert;
export type StoredScore = typeof scores.$inferSelect;

/** Which score a lender gets now. */
export const latestScores = sqliteTable("latest_scores", {
  retailer_id: text().primaryKey(),
  score_id: text().notNull(),
  as_of_day: integer().notNull(),
  ledger_revision: integer().notNull(),
});
