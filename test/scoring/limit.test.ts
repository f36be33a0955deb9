import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyFreshness } from "../../src/scoring/freshness.ts";
import { type LimitInputs, recommendLimit, requestedLimit } from "../../src/scoring/limit.ts";
import { bandOf } from "../../src/scoring/score-map.ts";

/** A primary score of 800 with Rs 10 lakh of trailing six-month GMV, several distributors, full records. */
function limit(overrides: Partial<LimitInputs> = {}) {
  const altscore = overrides.altscore ?? 800;
  return recommendLimit({
    route: "primary",
    risk_band: bandOf(altscore),
    altscore,
    gmv_6m_paise: 100_000_000,
    best_gmv_6m_paise: 100_000_000,
    low_completeness: false,
    single_distributor: false,
    ...overrides,
  });
}

describe("the recommended limit", () => {
  it.each([
    [900, 300_000],
    [750, 300_000],
    [749, 250_000],
    [600, 150_000],
    [599, 150_000],
    [450, 100_000],
    [449, 0],
  ])("of a score of %i is %i on Rs 10 lakh", (altscore, expected) => {
    expect(limit({ altscore }).recommended_limit_inr).toBe(expected);
  });

  it("loses no thousand to rounding where the share is exact", () => {
    for (let thousands = 1; thousands <= 3000; thousands++) {
      const exact = limit({ gmv_6m_paise: thousands * 1_000_000 });
      expect(exact.recommended_limit_inr).toBe(thousands * 3_000);
    }
  });

  it("is halved for incomplete records and for a single distributor, and says so", () => {
    expect(limit({ low_completeness: true })).toMatchObject({
      recommended_limit_inr: 150_000,
      limit_source: "low_confidence_cap",
    });
    expect(limit({ single_distributor: true })).toMatchObject({
      recommended_limit_inr: 150_000,
      limit_source: "model",
      trail: [{ guardrail: "single_distributor_halved", effect: "limit 300000 -> 150000" }],
    });
    expect(limit({ low_completeness: true, single_distributor: true }).recommended_limit_inr).toBe(75_000);
  });

  it("of a cold start is the smaller of 25,000 and the ceiling", () => {
    const cold = (gmv_inr: number) =>
      limit({ route: "cold_start", altscore: 700, gmv_6m_paise: gmv_inr * 100 });
    expect(cold(1_000_000)).toMatchObject({
      recommended_limit_inr: 25_000,
      limit_source: "cold_start",
      ceiling_applied: false,
    });
    expect(cold(50_000)).toMatchObject({ recommended_limit_inr: 15_000, ceiling_applied: true });
    expect(cold(0).recommended_limit_inr).toBe(0);
  });

  it("of a sparse buyer is made of its best six months, under the trailing ceiling", () => {
    const season = limit({ route: "sparse", best_gmv_6m_paise: 400_000_000 });
    expect(season).toMatchObject({
      recommended_limit_inr: 300_000,
      limit_source: "gmv_ceiling",
      ceiling_applied: true,
    });
    const off = limit({ route: "sparse", gmv_6m_paise: 0, best_gmv_6m_paise: 400_000_000 });
    expect(off).toMatchObject({ recommended_limit_inr: 25_000, limit_source: "gmv_ceiling" });
    expect(off.trail.map((entry) => entry.guardrail)).toContain("zero_gmv_cap");
  });

  it("is whole thousands, never above 30 % of the trailing GMV (25,000 without any), never negative", () => {
    fc.assert(
      fc.property(
        fc.record({
          route: fc.constantFrom("primary" as const, "sparse" as const, "cold_start" as const),
          altscore: fc.integer({ min: 300, max: 900 }),
          gmv_6m_paise: fc.integer({ min: -1_000_000, max: 10_000_000_000 }),
          extra_paise: fc.nat(10_000_000_000),
          low_completeness: fc.boolean(),
          single_distributor: fc.boolean(),
        }),
        ({ extra_paise, ...inputs }) => {
          const given = limit({ ...inputs, best_gmv_6m_paise: inputs.gmv_6m_paise + extra_paise });
          const inr = given.recommended_limit_inr;
          const gmv_inr = given.gmv_6m_trailing_inr;
          expect(inr % 1000).toBe(0);
          expect(inr).toBeGreaterThanOrEqual(0);
          expect(inr).toBeLessThanOrEqual(gmv_inr > 0 ? 0.3 * gmv_inr : 25_000);
          if (inputs.altscore < 450) expect(inr).toBe(0);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe("a requested limit", () => {
  it("is compared with the ceiling; a lender may override to 150 % of it", () => {
    expect(requestedLimit({ ceiling_inr: 30_500 }, 30_500)).toEqual({
      requested_inr: 30_500,
      within_ceiling: true,
      override_max_inr: 45_000,
    });
    expect(requestedLimit({ ceiling_inr: 30_500 }, 30_501).within_ceiling).toBe(false);
  });
});

describe("a card's age", () => {
  const card = {
    warnings: [] as string[],
    low_confidence: false,
    recommended_limit_inr: 45_000,
    limit_source: "model" as const,
    guardrails: [] as { guardrail: string; effect: string }[],
  };

  it("changes nothing up to 7 days and warns from 8", () => {
    expect(applyFreshness(card, 7)).toEqual(card);
    expect(applyFreshness(card, 8)).toEqual({ ...card, warnings: ["data_stale"] });
    expect(applyFreshness(card, 14)?.low_confidence).toBe(false);
  });

  it("halves the limit from 15 days, and gives no score after 30", () => {
    expect(applyFreshness(card, 15)).toMatchObject({
      low_confidence: true,
      recommended_limit_inr: 22_000,
      limit_source: "low_confidence_cap",
      guardrails: [{ guardrail: "freshness_low_confidence", effect: "limit 45000 -> 22000" }],
    });
    expect(applyFreshness(card, 30)).not.toBeNull();
    expect(applyFreshness(card, 31)).toBeNull();
    expect(card.warnings).toEqual([]);
  });

  it("does not halve a limit that incomplete records have halved", () => {
    const halved = { ...card, guardrails: [{ guardrail: "data_quality_low_confidence", effect: "" }] };
    expect(applyFreshness(halved, 20)?.recommended_limit_inr).toBe(45_000);
  });
});
