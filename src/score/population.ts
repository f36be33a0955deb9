import { and, asc, eq, gt, gte, inArray, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import { listed } from "../lib/sql.ts";
import type { Reason } from "../scoring/types.ts";
import { latestScores, type StoredScore, scores } from "./tables.ts";

/** Rows of a page: one bound query each, small enough to hold. */
const PAGE = 500;

/** What governance looks at of a score. */
export interface ScoreFacts {
  score_id: string;
  retailer_id: string;
  status: StoredScore["status"];
  /** Null unless scored. */
  altscore: number | null;
  anomaly_flag: boolean;
  reason_codes: string[];
}

/**
 * The latest score of every retailer that was made by a model on `from_day` or later, in pages in the order of the
 * retailers.
 */
export async function* latestScoresOf(
  env: Env,
  model_sha256: string,
  from_day: number,
): AsyncGenerator<ScoreFacts[]> {
  for (let after = ""; ; ) {
    const rows = await drizzle(env.DB)
      .select({
        score_id: scores.score_id,
        retailer_id: scores.retailer_id,
        status: scores.status,
        altscore: scores.altscore,
        anomaly_flag: sql<number | null>`${scores.scorecard}->>'$.anomaly_flag'`,
        reasons: sql<string | null>`${scores.scorecard}->'$.reasons'`,
      })
      .from(latestScores)
      .innerJoin(scores, eq(scores.score_id, latestScores.score_id))
      .where(
        and(
          gt(latestScores.retailer_id, after),
          gte(latestScores.as_of_day, from_day),
          eq(scores.model_sha256, model_sha256),
        ),
      )
      .orderBy(asc(latestScores.retailer_id))
      .limit(PAGE);
    const page = rows.map(({ anomaly_flag, reasons, ...row }) => ({
      ...row,
      anomaly_flag: anomaly_flag === 1,
      reason_codes: (JSON.parse(reasons ?? "[]") as Reason[]).map(({ code }) => code),
    }));
    if (page.length > 0) yield page;
    if (page.length < PAGE) return;
    after = page.at(-1)!.retailer_id;
  }
}

/** Stored scores by id, in no order; those that are not there are left out. At most some hundred at a time. */
export function storedScores(env: Env, score_ids: readonly string[]): Promise<StoredScore[]> {
  return drizzle(env.DB)
    .select()
    .from(scores)
    .where(inArray(scores.score_id, listed(score_ids)));
}

/** Ids of the scores stored last, newest first. */
export async function newestScoreIds(env: Env, count: number): Promise<string[]> {
  const rows = await drizzle(env.DB)
    .select({ score_id: scores.score_id })
    .from(scores)
    .orderBy(sql`rowid DESC`)
    .limit(count);
  return rows.map((row) => row.score_id);
}
