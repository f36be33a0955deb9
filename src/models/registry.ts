import { desc, eq, inArray } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import { auditStatement } from "../audit/statement.ts";
import type { Env } from "../env.ts";
import { causeText } from "../lib/cause.ts";
import { canonicalJson } from "../lib/jcs.ts";
import { nowIso } from "../lib/seams.ts";
import type { CompiledChampion } from "../scoring/engine.ts";
import { parseModelJson } from "../scoring/model-json.ts";
import { compiledModel, putArtefact } from "./artefacts.ts";
import { type ModelCard, modelCard } from "./card.ts";
import { SHIPPED } from "./shipped.ts";
import { modelChanges, models } from "./tables.ts";

export type ModelRow = typeof models.$inferSelect;
export type NewModel = typeof models.$inferInsert;
type NewChange = typeof modelChanges.$inferInsert;

/** No model may score now: the champion was frozen. What is stored is served until it is too old. */
export class NoChampionError extends Error {
  override name = "NoChampionError";
}

/** The models of one unit of work: what serves, and what is scored beside it for comparison. */
export interface ScoringModels {
  champion: CompiledChampion;
  challengers: readonly CompiledChampion[];
}

/**
 * The models as the registry names them at this moment. Call it once per unit of work and score everything of it with
 * what it gives: a promotion counts from the next unit of work on, in every isolate, and no score mixes two models.
 * A challenger that cannot be loaded is left out and logged. Throws NoChampionError while the champion is frozen,
 * ModelRefusedError if its artefact is missing or altered, and whatever D1 or KV throw.
 */
export async function scoringModels(env: Env): Promise<ScoringModels> {
  let rows = await activeModels(env);
  if (rows.length === 0) {
    await installShipped(env);
    rows = await activeModels(env);
  }
  const serving = rows.find((row) => row.status === "champion");
  if (!serving)
    throw new NoChampionError("the champion was frozen: nothing is scored until another is promoted");
  const champion = await compiledModel(env, cardOf(serving));
  const challengers: CompiledChampion[] = [];
  for (const row of rows.filter(({ status }) => status === "challenger")) {
    try {
      challengers.push(await compiledModel(env, cardOf(row)));
    } catch (cause) {
      console.error(JSON.stringify({ task: "shadow", model_id: row.model_id, cause: causeText(cause) }));
    }
  }
  return { champion, challengers };
}

/** The model whose artefact has this SHA-256, whatever its status; null if none is registered. Throws as `scoringModels`. */
export async function modelBySha256(env: Env, sha256: string): Promise<CompiledChampion | null> {
  const row = await drizzle(env.DB).select().from(models).where(eq(models.sha256, sha256)).get();
  return row ? compiledModel(env, cardOf(row)) : null;
}

/** A row's model card, as it was registered. */
export function cardOf(row: Pick<ModelRow, "card">): ModelCard {
  return JSON.parse(row.card) as ModelCard;
}

/** One registered model, or undefined. */
export function findModel(env: Env, model_id: string): Promise<ModelRow | undefined> {
  return drizzle(env.DB).select().from(models).where(eq(models.model_id, model_id)).get();
}

/** The model that was made champion last: the champion, or the one whose freezing left none; undefined in a new system. */
export async function lastChampion(env: Env): Promise<ModelRow | undefined> {
  const row = await drizzle(env.DB)
    .select({ model: models })
    .from(modelChanges)
    .innerJoin(models, eq(models.model_id, modelChanges.model_id))
    .where(eq(modelChanges.to_status, "champion"))
    .orderBy(desc(modelChanges.change_id))
    .limit(1)
    .get();
  return row?.model;
}

/** The row of a model that enters the registry now; its artefact must have been verified and compiled before. */
export function newModel(card: ModelCard, artefact: string): NewModel {
  const now = nowIso();
  return {
    model_id: card.model_id,
    version: card.version,
    sha256: card.sha256,
    feature_list_version: card.feature_list_version,
    feature_names: JSON.stringify(parseModelJson(artefact).feature_names),
    card: canonicalJson(card),
    status: "challenger",
    shadow_since: now,
    created_at: now,
  };
}

/**
 * The statements of a change of status that happens now, with its entry in the audit log, for one `db.batch()`: the
 * row of `model_changes` is what changes the status.
 */
export function changeStatements(db: DrizzleD1Database, change: Omit<NewChange, "change_id" | "changed_at">) {
  const changed_at = nowIso();
  const { model_id, from_status, to_status, changed_by, reason } = change;
  const entry = {
    type: "model.changed",
    actor: { kind: "system", id: changed_by },
    subject: model_id,
    outcome: to_status,
    details: { from_status: from_status ?? null, reason },
  } as const;
  return [
    db.insert(modelChanges).values({ ...change, changed_at }),
    auditStatement(db, entry, changed_at),
  ] as const;
}

/** Registers the shipped model as the first champion, unless any model is registered. */
export async function installShipped(env: Env): Promise<void> {
  const db = drizzle(env.DB);
  const any = () => db.select({ model_id: models.model_id }).from(models).limit(1).get();
  if (await any()) return;
  await putArtefact(env, SHIPPED.artefact);
  const model = newModel(modelCard.parse(SHIPPED.card), SHIPPED.artefact);
  const change = { model_id: model.model_id, changed_by: "system", reason: "comes with the release" };
  try {
    await db.batch([
      db.insert(models).values(model),
      ...changeStatements(db, { ...change, from_status: null, to_status: "challenger" }),
      ...changeStatements(db, { ...change, from_status: "challenger", to_status: "champion" }),
    ]);
  } catch (cause) {
    // Another isolate may have been first.
    if (!(await any())) throw cause;
  }
}

async function activeModels(env: Env): Promise<Pick<ModelRow, "model_id" | "card" | "status">[]> {
  return drizzle(env.DB)
    .select({ model_id: models.model_id, card: models.card, status: models.status })
    .from(models)
    .where(inArray(models.status, ["champion", "challenger"]))
    .orderBy(models.created_at, models.model_id);
}
