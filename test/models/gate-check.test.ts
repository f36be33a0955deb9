import { describe, expect, it } from "vitest";
import { failedGates, type PromotionEvidence } from "../../src/models/gate-check.ts";
import { GOOD_METRICS } from "./support.ts";

const PASSING: PromotionEvidence = {
  metrics: { ...GOOD_METRICS, auroc: 0.74, ks: 0.36 },
  champion_metrics: { auroc: 0.73 },
  shadow_days: 30,
  shadow_scores: 100,
  rank_concordance: 0.75,
};
const withMetrics = (changes: object) => ({ ...PASSING, metrics: { ...PASSING.metrics, ...changes } });
const bands = (changes: object) => ({
  calibration_by_band: { ...GOOD_METRICS.calibration_by_band, ...changes },
});

describe("the gates of a promotion", () => {
  it("let a model pass that reaches every border exactly", () => {
    expect(failedGates(PASSING)).toEqual([]);
    // 0.72 + 0.01 is 0.73 for people, though not for a binary computer.
    expect(failedGates({ ...withMetrics({ auroc: 0.73 }), champion_metrics: { auroc: 0.72 } })).toEqual([]);
    expect(failedGates(withMetrics(bands({ A: { mean_pd: 0.03, bad_rate: 0.01, rows: 9 } })))).toEqual([]);
    expect(failedGates(withMetrics({ air: { all: 0.8 } }))).toEqual([]);
  });

  it.each<[string, PromotionEvidence, RegExp]>([
    [
      "AUROC",
      { ...withMetrics({ auroc: 0.7199 }), champion_metrics: { auroc: 0.5 } },
      /^AUROC at least 0.72/,
    ],
    ["gain over the champion", withMetrics({ auroc: 0.7399 }), /above the champion's 0.73/],
    ["champion without AUROC", { ...PASSING, champion_metrics: {} }, /above the champion's \(missing\)/],
    ["KS", withMetrics({ ks: 0.3499 }), /^KS/],
    [
      "calibration",
      withMetrics(bands({ C: { mean_pd: 0.2, bad_rate: 0.1799, rows: 9 } })),
      /band C .*0\.0201/,
    ],
    [
      "calibration of an empty band",
      withMetrics(bands({ D: { mean_pd: 0, bad_rate: 0, rows: 0 } })),
      /band D/,
    ],
    ["AIR of one cohort", withMetrics({ air: { rich: 1, poor: 0.79 } }), /^AIR of poor/],
    ["AIR of no cohort", withMetrics({ air: {} }), /^AIR/],
    ["shadow days", { ...PASSING, shadow_days: 29.99 }, /30 days in shadow \(is 29\)/],
    ["shadow scores", { ...PASSING, shadow_scores: 99 }, /100 retailers in shadow/],
    ["rank concordance", { ...PASSING, rank_concordance: 0.7499 }, /^rank concordance/],
    ["undefined rank concordance", { ...PASSING, rank_concordance: null }, /^rank concordance.*missing/],
    ["shares for the drift reports", withMetrics({ psi_base: undefined }), /psi_base/],
  ])("fail on %s, and on nothing else", (_, evidence, message) => {
    const failed = failedGates(evidence);
    expect(failed).toHaveLength(1);
    expect(failed[0]).toMatch(message);
  });

  it("fail on every figure that is missing, each named", () => {
    const nothing = { ...PASSING, metrics: {}, rank_concordance: null, shadow_days: 0, shadow_scores: 0 };
    expect(failedGates(nothing)).toHaveLength(12);
  });
});
