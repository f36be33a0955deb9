import { desc, lt } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import { dayToIso, istDay } from "../lib/days.ts";
import { nowIso, nowMs } from "../lib/seams.ts";
import { latestScoresOf } from "../score/population.ts";
import { type DriftReport, DriftTally } from "./drift.ts";
import { PSI_FREEZE_ABOVE } from "./gates.ts";
import { cardOf, changeStatements, lastChampion } from "./registry.ts";
import { POPULATION_DAYS } from "./shadow.ts";
import { driftReports } from "./tables.ts";

/**
 * Reports on the month that ended (the one of yesterday, IST) for the champion, and freezes it if the scores have
 * moved too far, in one transaction. The same month again replaces its report. Null while there is no champion.
 */
export async function reportDrift(env: Env): Promise<DriftReport | null> {
  const champion = await lastChampion(env);
  if (champion?.status !== "champion") {
    console.error(JSON.stringify({ task: "drift", cause: "there is no champion to report on" }));
    return null;
  }
  const { model_id } = champion;
  const today = istDay(nowMs());
  const month = dayToIso(today - 1).slice(0, "YYYY-MM".length);
  const tally = new DriftTally();
  for await (const page of latestScoresOf(env, champion.sha256, today - POPULATION_DAYS)) {
    for (const score of page) tally.add(score);
  }
  const psi_base = cardOf(champion).metrics.psi_base;
  const report = tally.report({ month, model_id }, psi_base, await meanBefore(env, month));
  const { status } = report;
  const row = { month, model_id, status, report: JSON.stringify(report), created_at: nowIso() };
  const db = drizzle(env.DB);
  const stored = db
    .insert(driftReports)
    .values(row)
    .onConflictDoUpdate({ target: [driftReports.month, driftReports.model_id], set: row });
  const frozen = changeStatements(db, {
    model_id,
    from_status: "champion",
    to_status: "frozen",
    changed_by: "system",
    reason: `drift report ${month}: PSI ${report.psi?.toFixed(4)} above ${PSI_FREEZE_ABOVE}`,
  });
  await db.batch(status === "freeze" ? [stored, ...frozen] : [stored]);
  if (status !== "green") console.error(JSON.stringify({ task: "drift", month, model_id, status }));
  return report;
}

/** Mean score in the newest report of an earlier month, of whichever model served then; null without one. */
async function meanBefore(env: Env, month: string): Promise<number | null> {
  const row = await drizzle(env.DB)
    .select({ report: driftReports.report })
    .from(driftReports)
    .where(lt(driftReports.month, month))
    .orderBy(desc(driftReports.month), desc(driftReports.created_at))
    .limit(1)
    .get();
  return row ? (JSON.parse(row.report) as DriftReport).mean_altscore : null;
}
