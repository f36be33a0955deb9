import type { z } from "@hono/zod-openapi";
import { asc, desc } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import { canonicalJson } from "../lib/jcs.ts";
import { nowMs } from "../lib/seams.ts";
import { checked, ProvisioningError } from "../parties/errors.ts";
import { type CompiledChampion, compileChampion } from "../scoring/engine.ts";
import { ModelRefusedError } from "../scoring/model-json.ts";
import { putArtefact, readArtefact } from "./artefacts.ts";
import type { ModelCard } from "./card.ts";
import { failedGates } from "./gate-check.ts";
import { MAX_CHALLENGERS } from "./gates.ts";
import {
  cardOf,
  changeStatements,
  findModel,
  installShipped,
  lastChampion,
  type ModelRow,
  type NewModel,
  newModel,
} from "./registry.ts";
import { changeModelInput, registerModelInput } from "./schemas.ts";
import { concordance, shadowLatest } from "./shadow.ts";
import { driftReports, type ModelStatus, modelChanges, models } from "./tables.ts";

const DAY_MS = 86_400_000;

/** A model with its new status. */
export interface ModelState {
  model_id: string;
  status: ModelStatus;
}

/**
 * Registers a model as challenger: its artefact is verified against the card and compiled before anything is stored,
 * and it is scored in shadow from now on. The same model again changes nothing, but repairs what was lost. Throws
 * MODEL_REFUSED if the engine cannot evaluate it, MODEL_EXISTS if the id or the artefact is registered otherwise,
 * CHALLENGERS_FULL.
 */
export async function registerModel(
  env: Env,
  given: z.input<typeof registerModelInput>,
): Promise<ModelState & { sha256: string; shadow_scores: number }> {
  const { artefact, card, by } = checked(registerModelInput, given);
  const compiled = compiledOrRefused(artefact, card);
  await installShipped(env);
  const rows = await drizzle(env.DB).select().from(models);
  const known = rows.find(({ model_id, sha256 }) => model_id === card.model_id || sha256 === card.sha256);
  if (known && known.card !== canonicalJson(card)) {
    const message = `${known.model_id} is registered with another card or artefact`;
    throw new ProvisioningError("MODEL_EXISTS", message);
  }
  if (!known && rows.filter(({ status }) => status === "challenger").length >= MAX_CHALLENGERS) {
    const message = `there are ${MAX_CHALLENGERS} challengers: retire one first`;
    throw new ProvisioningError("CHALLENGERS_FULL", message);
  }
  await putArtefact(env, artefact);
  if (!known) await addChallenger(env, newModel(card, artefact), by);
  const status = known?.status ?? "challenger";
  const champion = await lastChampion(env);
  const is_compared = status === "challenger" && champion !== undefined;
  const shadow_scores = is_compared ? await shadowLatest(env, champion.sha256, compiled) : 0;
  return { model_id: card.model_id, status, sha256: card.sha256, shadow_scores };
}

async function addChallenger(env: Env, model: NewModel, by: string): Promise<void> {
  const db = drizzle(env.DB);
  const entry = { model_id: model.model_id, from_status: null, to_status: model.status } as const;
  await changing(
    db.batch([
      db.insert(models).values(model),
      ...changeStatements(db, { ...entry, changed_by: by, reason: "registered" }),
    ]),
  );
}

function compiledOrRefused(artefact: string, card: ModelCard): CompiledChampion {
  try {
    return compileChampion(artefact, card);
  } catch (cause) {
    if (cause instanceof ModelRefusedError)
      throw new ProvisioningError("MODEL_REFUSED", cause.message, cause);
    throw cause;
  }
}

/**
 * Makes a challenger the champion and retires the one before it, in one transaction, if it passes every gate of
 * scoring.md §6.6. Counts from the next unit of scoring work on. Throws GATES_FAILED with every gate it fails,
 * MODEL_REFUSED if its artefact is not intact, MODEL_UNKNOWN, MODEL_STATUS if it is no challenger (any more).
 */
export async function promoteModel(
  env: Env,
  given: z.input<typeof changeModelInput>,
): Promise<ModelState & { previous: string }> {
  const { model_id, by, reason } = checked(changeModelInput, given);
  const challenger = await requireModel(env, model_id, ["challenger"]);
  const champion = await lastChampion(env);
  if (!champion) throw new Error("there is a challenger, but never was a champion");
  const failed = await gatesFailedBy(env, challenger, champion);
  if (failed.length > 0) {
    throw new ProvisioningError("GATES_FAILED", `${model_id} does not pass: ${failed.join("; ")}`);
  }
  await requireArtefact(env, challenger.sha256);
  const approval = { changed_by: by, reason };
  const db = drizzle(env.DB);
  const promotion = changeStatements(db, {
    ...approval,
    model_id,
    from_status: "challenger",
    to_status: "champion",
  });
  const retirement = changeStatements(db, {
    ...approval,
    model_id: champion.model_id,
    from_status: "champion",
    to_status: "retired",
  });
  // A frozen champion stays frozen.
  await changing(db.batch(champion.status === "champion" ? [...retirement, ...promotion] : [...promotion]));
  return { model_id, status: "champion", previous: champion.model_id };
}

async function gatesFailedBy(env: Env, challenger: ModelRow, champion: ModelRow): Promise<string[]> {
  return failedGates({
    metrics: cardOf(challenger).metrics,
    champion_metrics: cardOf(champion).metrics,
    shadow_days: (nowMs() - Date.parse(challenger.shadow_since)) / DAY_MS,
    ...(await concordance(env, champion.sha256, challenger.model_id)),
  });
}

async function requireArtefact(env: Env, sha256: string): Promise<void> {
  try {
    await readArtefact(env, sha256);
  } catch (cause) {
    if (cause instanceof ModelRefusedError)
      throw new ProvisioningError("MODEL_REFUSED", cause.message, cause);
    throw cause;
  }
}

/**
 * Takes a champion or challenger out of use at once. With a frozen champion nothing is scored until another is
 * promoted. Throws MODEL_UNKNOWN, MODEL_STATUS.
 */
export async function freezeModel(env: Env, given: z.input<typeof changeModelInput>): Promise<ModelState> {
  return change(env, given, ["champion", "challenger"], "frozen");
}

/** Ends a challenger, or puts a frozen model away for good. Throws MODEL_UNKNOWN, MODEL_STATUS. */
export async function retireModel(env: Env, given: z.input<typeof changeModelInput>): Promise<ModelState> {
  return change(env, given, ["challenger", "frozen"], "retired");
}

async function change(
  env: Env,
  given: z.input<typeof changeModelInput>,
  from: readonly ModelStatus[],
  to_status: ModelStatus,
): Promise<ModelState> {
  const { model_id, by, reason } = checked(changeModelInput, given);
  const { status } = await requireModel(env, model_id, from);
  const db = drizzle(env.DB);
  const change = { model_id, from_status: status, to_status, changed_by: by, reason };
  await changing(db.batch([...changeStatements(db, change)]));
  return { model_id, status: to_status };
}

async function requireModel(env: Env, model_id: string, from: readonly ModelStatus[]): Promise<ModelRow> {
  await installShipped(env);
  const row = await findModel(env, model_id);
  if (!row) throw new ProvisioningError("MODEL_UNKNOWN", `there is no model ${model_id}`);
  if (!from.includes(row.status)) {
    throw new ProvisioningError(
      "MODEL_STATUS",
      `${model_id} is ${row.status}, this takes a ${from.join(" or ")}`,
    );
  }
  return row;
}

/** Runs a change of the registry; one that lost against another becomes MODEL_STATUS, and nothing of it is done. */
async function changing(work: PromiseLike<unknown>): Promise<void> {
  try {
    await work;
  } catch (cause) {
    if (!/another status by now|UNIQUE constraint failed: models/.test(causes(cause))) throw cause;
    const message = "the registry was changed at the same moment: nothing was done, look at it again";
    throw new ProvisioningError("MODEL_STATUS", message, cause);
  }
}

/** The messages of an error and of what it was caused by. */
function causes(error: unknown): string {
  return error instanceof Error ? `${error.message} ${causes(error.cause)}` : "";
}

/**
 * Every model with its card, approvals and last drift report, and for a challenger the gates it would fail now; and
 * every change of a status, newest first.
 */
export async function listModels(env: Env) {
  await installShipped(env);
  const db = drizzle(env.DB);
  const [rows, changes, reports] = await db.batch([
    db.select().from(models).orderBy(asc(models.created_at), asc(models.model_id)),
    db.select().from(modelChanges).orderBy(desc(modelChanges.change_id)),
    db.select().from(driftReports).orderBy(desc(driftReports.month)),
  ]);
  const champion = await lastChampion(env);
  const listed = rows.map(async (row) => {
    const { model_id, version, sha256, status, shadow_since } = row;
    const report = reports.find((one) => one.model_id === model_id);
    return {
      model_id,
      version,
      sha256,
      status,
      shadow_since,
      approvals: changes
        .filter((one) => one.model_id === model_id && one.to_status === "champion")
        .map(({ changed_by, reason, changed_at }) => ({ by: changed_by, reason, at: changed_at })),
      ...(status === "challenger" && champion
        ? { gates_failed: await gatesFailedBy(env, row, champion) }
        : {}),
      ...(report ? { drift: JSON.parse(report.report) as unknown } : {}),
      card: cardOf(row),
    };
  });
  return { models: await Promise.all(listed), changes };
}
