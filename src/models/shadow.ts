import { and, eq, getTableColumns, inArray, type SQL, sql } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import { causeText } from "../lib/cause.ts";
import { istDay } from "../lib/days.ts";
import { nowMs } from "../lib/seams.ts";
import { listed } from "../lib/sql.ts";
import { latestScoresOf, storedScores } from "../score/population.ts";
import type { NewScore } from "../score/tables.ts";
import { type CompiledChampion, ENGINE_VERSION, replayCard } from "../scoring/engine.ts";
import type { ReplayInputs } from "../scoring/types.ts";
import { rankCorrelation } from "./rank-correlation.ts";
import { shadowScores } from "./tables.ts";

/** A row of `shadow_scores`. */
export type ShadowScore = typeof shadowScores.$inferSelect;

/** Latest scores older than this are of retailers whom nobody may score any more. */
export const POPULATION_DAYS = 31;
/** Retailers that a new challenger is scored on at once, and that concordance is measured over at most. */
const MAX_COMPARED = 10_000;

/**
 * What the challengers make of the inputs of some scores. No row where no model was asked: too little data, or a cold
 * start. A challenger that fails on one is left out there and logged; the champion's score goes on without it.
 */
export function shadowRows(
  scores: readonly Pick<NewScore, "score_id" | "replay_inputs">[],
  challengers: readonly CompiledChampion[],
): ShadowScore[] {
  if (challengers.length === 0) return [];
  return scores.flatMap(({ score_id, replay_inputs }) => {
    const inputs = JSON.parse(replay_inputs) as ReplayInputs;
    return challengers.flatMap((challenger) => shadowRow(score_id, inputs, challenger) ?? []);
  });
}

function shadowRow(
  score_id: string,
  inputs: ReplayInputs,
  challenger: CompiledChampion,
): ShadowScore | undefined {
  if (inputs.route === "cold_start") return undefined;
  const { model_id, sha256 } = challenger.identity;
  try {
    const card = replayCard(inputs, challenger);
    if (card.status === "insufficient") return undefined;
    const scored = card.status === "scored" ? card : null;
    return {
      score_id,
      model_id,
      model_sha256: sha256,
      as_of_day: inputs.as_of_day,
      status: card.status,
      altscore: scored?.altscore ?? null,
      risk_band: scored?.risk_band ?? null,
      probability_of_default: scored?.probability_of_default ?? null,
      margin: scored?.margin ?? null,
    };
  } catch (cause) {
    console.error(JSON.stringify({ task: "shadow", model_id, score_id, cause: causeText(cause) }));
    return undefined;
  }
}

/**
 * The statement that stores shadow scores, for the `db.batch()` that stores their scores. `isStored` says in SQL
 * whether the score of an id is there: a shadow of a score that was not stored is none.
 */
export function shadowInsert(
  db: DrizzleD1Database,
  rows: readonly ShadowScore[],
  isStored: (score_id: SQL) => SQL = () => sql`true`,
) {
  const columns = Object.keys(getTableColumns(shadowScores)).map((name) => sql.raw(`value->>'$.${name}'`));
  return db
    .insert(shadowScores)
    .select(
      sql`SELECT ${sql.join(columns, sql`, `)} FROM json_each(${JSON.stringify(rows)})
        WHERE ${isStored(sql`value->>'$.score_id'`)}`,
    )
    .onConflictDoNothing();
}

/**
 * Scores a new challenger on the stored inputs of the champion's latest scores, so that the two can be compared from
 * the first day and while a frozen champion computes nothing new. Returns how many shadow scores that made.
 */
export async function shadowLatest(
  env: Env,
  champion_sha256: string,
  challenger: CompiledChampion,
): Promise<number> {
  const db = drizzle(env.DB);
  let made = 0;
  for await (const page of latestScoresOf(env, champion_sha256, istDay(nowMs()) - POPULATION_DAYS)) {
    const stored = await storedScores(
      env,
      page.map(({ score_id }) => score_id),
    );
    const replayable = stored.filter((score) => score.engine_version === ENGINE_VERSION);
    const rows = shadowRows(replayable, [challenger]);
    await shadowInsert(db, rows);
    made += rows.length;
    if (made >= MAX_COMPARED) break;
  }
  return made;
}

/** How far champion and challenger rank the same retailers alike, over the champion's latest score of each. */
export interface Concordance {
  shadow_scores: number;
  /** Spearman's rank correlation of the two scores; null if it is not defined. */
  rank_concordance: number | null;
}

/** The concordance of a challenger with the champion over the retailers that both have scored. */
export async function concordance(
  env: Env,
  champion_sha256: string,
  challenger_id: string,
): Promise<Concordance> {
  const [served, shadow]: [number[], number[]] = [[], []];
  for await (const page of latestScoresOf(env, champion_sha256, istDay(nowMs()) - POPULATION_DAYS)) {
    const altscores = new Map(page.map(({ score_id, altscore }) => [score_id, altscore]));
    const rows = await drizzle(env.DB)
      .select({ score_id: shadowScores.score_id, altscore: shadowScores.altscore })
      .from(shadowScores)
      .where(
        and(
          inArray(shadowScores.score_id, listed([...altscores.keys()])),
          eq(shadowScores.model_id, challenger_id),
          eq(shadowScores.status, "scored"),
        ),
      );
    for (const row of rows) {
      const altscore = altscores.get(row.score_id);
      if (typeof altscore !== "number") continue;
      served.push(altscore);
      shadow.push(row.altscore!);
    }
    if (served.length >= MAX_COMPARED) break;
  }
  return { shadow_scores: served.length, rank_concordance: rankCorrelation(served, shadow) };
}
