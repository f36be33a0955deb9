import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DriftTally } from "../../src/models/drift.ts";
import { PSI_MIN_SCORES } from "../../src/models/gates.ts";
import { freezeModel } from "../../src/models/lifecycle.ts";
import { reportDrift } from "../../src/models/monthly.ts";
import { findModel, NoChampionError, scoringModels } from "../../src/models/registry.ts";
import { driftReports, modelChanges } from "../../src/models/tables.ts";
import { latestScores, scores } from "../../src/score/tables.ts";
import { BY, freshSystemWithChampion, GOOD_METRICS, seedScores } from "./support.ts";

const OF = { month: "2026-10", model_id: "mdl_0000000000000001" };
const BASE = GOOD_METRICS.psi_base;
/** Scores that fall into the bins as often as the shares say. */
const spread = (shares: readonly number[], count: number) =>
  shares.flatMap((share, bin) => new Array<number>(Math.round(share * count)).fill(310 + 50 * bin));
const scored = (altscore: number) => ({
  status: "scored" as const,
  altscore,
  anomaly_flag: false,
  reason_codes: ["P01"],
});
const tallied = (altscores: readonly number[]) => {
  const tally = new DriftTally();
  for (const altscore of altscores) tally.add(scored(altscore));
  return tally;
};

describe("a drift report", () => {
  it("is green where the scores fall as when the model was measured", () => {
    const report = tallied(spread(BASE, 1_000)).report(OF, BASE, 700);
    expect(report).toMatchObject({ ...OF, status: "green", scores: 1_000, score_shares: BASE });
    expect(report.psi).toBeCloseTo(0, 12);
    expect(report.score_shift).toBeCloseTo(report.mean_altscore! - 700, 12);
  });

  it("freezes where all scores fall into one bin", () => {
    expect(tallied(new Array(1_000).fill(320)).report(OF, BASE, null)).toMatchObject({
      status: "freeze",
      score_shift: null,
    });
  });

  it("never judges fewer scores than tell drift from chance, nor without a base", () => {
    const few = tallied(new Array(PSI_MIN_SCORES - 1).fill(320));
    expect(few.report(OF, BASE, null)).toMatchObject({ status: "too_few", psi: null });
    expect(few.report(OF, undefined, null)).toMatchObject({ status: "no_base", psi: null });
    expect(tallied(new Array(PSI_MIN_SCORES).fill(320)).report(OF, BASE, null).status).toBe("freeze");
    expect(new DriftTally().report(OF, BASE, 700)).toMatchObject({
      status: "too_few",
      scores: 0,
      mean_altscore: null,
      score_shift: null,
      explainable_share: null,
      anomaly_share: null,
    });
  });

  it("counts reasons, anomalies and what could not be explained", () => {
    const tally = new DriftTally();
    tally.add({ ...scored(700), reason_codes: ["P02", "N01"] });
    tally.add({ ...scored(710), anomaly_flag: true });
    tally.add({ ...scored(720), reason_codes: ["N01"] });
    tally.add({ status: "unexplainable", altscore: null, anomaly_flag: false, reason_codes: [] });
    tally.add({ status: "insufficient", altscore: null, anomaly_flag: false, reason_codes: [] });
    expect(tally.report(OF, BASE, null)).toMatchObject({
      scores: 3,
      mean_altscore: 710,
      explainable_share: 3 / 4,
      reason_counts: { N01: 2, P01: 1, P02: 1 },
      anomaly_share: 1 / 3,
    });
  });

  it("does not depend on the order of the scores", () => {
    const anyScores = fc.array(fc.integer({ min: 300, max: 900 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(anyScores, (altscores) => {
        const turned = tallied([...altscores].reverse());
        const report = tallied(altscores).report(OF, BASE, null);
        expect(turned.report(OF, BASE, null)).toEqual(report);
        expect(report.score_shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("the monthly job", () => {
  const db = drizzle(env.DB);
  let model_id = "";
  beforeEach(async () => {
    ({ model_id } = await freshSystemWithChampion());
    vi.spyOn(console, "error").mockImplementation(() => {});
    // 09:00 in India on the first of the month.
    vi.useFakeTimers({ toFake: ["Date"], now: Date.parse("2026-11-01T03:30:00Z") });
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  /** Copies of one stored score for that many retailers, each with a score of its own. */
  async function spreadScores(altscores: readonly number[]): Promise<void> {
    const [row] = (await seedScores(3)).filter(({ status }) => status === "scored");
    await db.delete(latestScores);
    const ids = altscores.map((altscore, i) => ({ altscore, id: i.toString(16).padStart(16, "0") }));
    const json = JSON.stringify(ids);
    const columns =
      "as_of_day, ledger_revision, watermarks, model_id, model_sha256, engine_version, score_version, status";
    await env.DB.batch([
      env.DB.prepare(
        `INSERT INTO scores (score_id, retailer_id, input_hash, altscore, ${columns}, replay_inputs, scorecard, scored_at)
         SELECT 'scr_' || (value->>'$.id'), 'ret_' || (value->>'$.id'), value->>'$.id', value->>'$.altscore', ${columns},
           '{}', scorecard, scored_at FROM json_each(?1), scores WHERE score_id = ?2`,
      ).bind(json, row!.score_id),
      env.DB.prepare(
        `INSERT INTO latest_scores SELECT 'ret_' || (value->>'$.id'), 'scr_' || (value->>'$.id'), ?2, 1 FROM json_each(?1)`,
      ).bind(json, row!.as_of_day),
    ]);
  }

  it("reports on the latest score of every retailer, in the month that ended", async () => {
    await spreadScores(spread(BASE, 1_200));
    const report = await reportDrift(env);
    expect(report).toMatchObject({
      month: "2026-10",
      model_id,
      status: "green",
      scores: 1_200,
      score_shift: null,
    });
    expect(Object.values(report!.reason_counts).every((count) => count === 1_200)).toBe(true);
    expect(await db.select().from(driftReports)).toMatchObject([
      { month: "2026-10", model_id, status: "green" },
    ]);

    vi.setSystemTime(Date.parse("2026-11-30T12:00:00Z"));
    await db.update(scores).set({ altscore: 500 });
    expect((await reportDrift(env))?.score_shift).toBeCloseTo(500 - report!.mean_altscore!, 9);
  });

  it("replaces the report when the same month runs again", async () => {
    await spreadScores(spread(BASE, 1_200));
    await reportDrift(env);
    await reportDrift(env);
    expect(await db.select().from(driftReports)).toHaveLength(1);
  });

  it("leaves out scores that are older than a month", async () => {
    await spreadScores(spread(BASE, 1_200));
    vi.setSystemTime(Date.parse("2026-12-05T03:30:00Z"));
    expect(await reportDrift(env)).toMatchObject({ month: "2026-12", scores: 0, status: "too_few" });
  });

  it("freezes the champion when the scores have moved too far, and says why", async () => {
    await spreadScores(new Array(1_200).fill(320));
    expect(await reportDrift(env)).toMatchObject({ status: "freeze" });
    expect((await findModel(env, model_id))?.status).toBe("frozen");
    const changes = await db.select().from(modelChanges).where(eq(modelChanges.to_status, "frozen"));
    expect(changes).toMatchObject([
      {
        model_id,
        changed_by: "system",
        reason: expect.stringMatching(/^drift report 2026-10: PSI \d+\.\d{4} above 0\.3$/),
      },
    ]);
    await expect(scoringModels(env)).rejects.toThrow(NoChampionError);
    expect(await reportDrift(env)).toBeNull();
  });

  it("does not freeze on few scores, and has nothing to say without a champion", async () => {
    await spreadScores(new Array(PSI_MIN_SCORES - 1).fill(320));
    expect(await reportDrift(env)).toMatchObject({ status: "too_few" });
    await freezeModel(env, { model_id, ...BY });
    expect(await reportDrift(env)).toBeNull();
  });
});
