import { sql } from "drizzle-orm";
import { index, integer, primaryKey, real, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

export const MODEL_STATUSES = ["challenger", "champion", "retired", "frozen"] as const;
export type ModelStatus = (typeof MODEL_STATUSES)[number];

/**
 * Registered models. A row never changes but for its status, and that only by a row of `model_changes` (triggers of
 * the migration); the artefact lies in KV under its SHA-256.
 */
export const models = sqliteTable(
  "models",
  {
    model_id: text().primaryKey(),
    version: text().notNull(),
    sha256: text().notNull().unique("models_by_sha256"),
    feature_list_version: text().notNull(),
    /** JSON list of the features that the artefact names, in its order. */
    feature_names: text().notNull(),
    /** Canonical JSON of the whole model card (ModelCard): calibration, training window, metrics. */
    card: text().notNull(),
    status: text({ enum: MODEL_STATUSES }).notNull(),
    shadow_since: text().notNull(),
    created_at: text().notNull(),
  },
  (t) => [uniqueIndex("models_one_champion").on(t.status).where(sql`${t.status} = 'champion'`)],
);

/** Who changed a model's status, when and why; append-only. Inserting a row is what changes the status. */
export const modelChanges = sqliteTable(
  "model_changes",
  {
    change_id: integer().primaryKey({ autoIncrement: true }),
    model_id: text().notNull(),
    /** Must be the model's status at this moment, or the insert fails; null for the registration. */
    from_status: text({ enum: MODEL_STATUSES }),
    to_status: text({ enum: MODEL_STATUSES }).notNull(),
    changed_by: text().notNull(),
    reason: text().notNull(),
    changed_at: text().notNull(),
  },
  (t) => [index("model_changes_by_model").on(t.model_id)],
);

/** What challengers made of the inputs of stored scores; compared with the champion, never served. */
export const shadowScores = sqliteTable(
  "shadow_scores",
  {
    score_id: text().notNull(),
    model_id: text().notNull(),
    model_sha256: text().notNull(),
    as_of_day: integer().notNull(),
    status: text({ enum: ["scored", "unexplainable"] }).notNull(),
    /** Null unless scored. */
    altscore: integer(),
    risk_band: text(),
    probability_of_default: real(),
    margin: real(),
  },
  (t) => [primaryKey({ columns: [t.score_id, t.model_id] })],
);

/** One report a month and model about how the served scores moved. */
export const driftReports = sqliteTable(
  "drift_reports",
  {
    /** YYYY-MM in IST. */
    month: text().notNull(),
    model_id: text().notNull(),
    status: text({ enum: ["green", "amber", "refresh", "freeze", "too_few", "no_base"] }).notNull(),
    /** JSON of the report (DriftReport). */
    report: text().notNull(),
    created_at: text().notNull(),
  },
  (t) => [primaryKey({ columns: [t.month, t.model_id] })],
);
