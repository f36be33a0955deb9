import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultLogOdds, requireCalibration } from "../../src/scoring/calibration.ts";
import { bandOf, bestScoreWithin, logOddsOf, scoreOf } from "../../src/scoring/score-map.ts";

const ofPd = (pd: number) => scoreOf(Math.log((1 - pd) / pd));

describe("the score", () => {
  it.each([
    [0.005, 900],
    [0.05, 750],
    [0.082, 667],
    [0.12, 600],
    [0.25, 450],
    [0.6, 300],
  ])("of a PD of %d is %i", (pd, score) => {
    expect(ofPd(pd)).toBe(score);
  });

  it("is clipped to 300-900", () => {
    expect(ofPd(0.0001)).toBe(900);
    expect(ofPd(0.99)).toBe(300);
    expect(scoreOf(Number.POSITIVE_INFINITY)).toBe(900);
    expect(scoreOf(Number.NEGATIVE_INFINITY)).toBe(300);
  });

  it("never rises with the PD", () => {
    const pd = fc.double({ min: 1e-6, max: 1 - 1e-6, noNaN: true });
    fc.assert(
      fc.property(pd, pd, (a, b) => {
        expect(ofPd(Math.min(a, b))).toBeGreaterThanOrEqual(ofPd(Math.max(a, b)));
        expect(Number.isInteger(ofPd(a))).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it("is given back by its inverse", () => {
    for (let score = 300; score <= 900; score++) expect(scoreOf(logOddsOf(score))).toBe(score);
  });

  it("belongs to a band by its integer value", () => {
    expect([900, 750, 749, 600, 599, 450, 449, 300].map(bandOf).join("")).toBe("AABBCCDD");
  });

  it("has a best value within some bands of another, which the log odds of a cap give exactly", () => {
    expect([300, 449, 450, 600, 750].map((score) => bestScoreWithin(score, 1))).toEqual([
      599, 599, 749, 900, 900,
    ]);
    expect(bestScoreWithin(449, 0)).toBe(449);
    for (const cap of [599, 749, 900]) expect(scoreOf(logOddsOf(cap))).toBe(cap);
  });
});

describe("the calibration", () => {
  it("is linear in the margin", () => {
    expect(defaultLogOdds({ a: 2, b: -1 }, 3)).toBe(5);
  });

  it.each([
    { a: 0, b: 0 },
    { a: -1, b: 0 },
    { a: Number.NaN, b: 0 },
    { a: 1, b: Number.POSITIVE_INFINITY },
  ])("is refused unless it keeps the margin's order: %o", (calibration) => {
    expect(() => requireCalibration(calibration)).toThrow(/calibration/);
  });
});
