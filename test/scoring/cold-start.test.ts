import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { COLD_START_RULES, coldStartContributions } from "../../src/scoring/cold-start.ts";
import { FEATURE_COUNT, FEATURE_INDEX, FEATURES, type FeatureName } from "../../src/scoring/feature-table.ts";

type Values = Partial<Record<FeatureName, number>>;

/** A retailer of whom only the given values are known. */
function vector(values: Values): (number | null)[] {
  const features = new Array<number | null>(FEATURE_COUNT).fill(null);
  for (const [name, value] of Object.entries(values)) features[FEATURE_INDEX[name as FeatureName]] = value;
  return features;
}

/** Log odds of default before the allowance for a short history. */
function logOdds(features: (number | null)[]): number {
  const { features: terms, bias } = coldStartContributions(features);
  return terms.reduce((sum, term) => sum + term, bias);
}

describe("the cold-start card", () => {
  it("has one rule a feature, its points ascending and never against the feature's sign", () => {
    expect(new Set(COLD_START_RULES.map((rule) => rule.name)).size).toBe(COLD_START_RULES.length);
    for (const { name, at, values, log_odds } of COLD_START_RULES) {
      const sign = FEATURES[at]!.sign === "+" ? 1 : -1;
      expect(FEATURES[at]!.name).toBe(name);
      for (let i = 1; i < values.length; i++) {
        expect(values[i]!).toBeGreaterThan(values[i - 1]!);
        expect(sign * (log_odds[i]! - log_odds[i - 1]!)).toBeGreaterThanOrEqual(0);
      }
    }
  });

  it("reads a rule along the line through its points, and flat outside them", () => {
    for (const { name, at, values, log_odds } of COLD_START_RULES) {
      const term = (value: number) => coldStartContributions(vector({ [name]: value })).features[at]!;
      const last = values.length - 1;
      for (let i = 0; i <= last; i++) expect(term(values[i]!)).toBe(log_odds[i]);
      expect(term(values[0]! - 1)).toBe(log_odds[0]);
      expect(term(values[last]! + 1)).toBe(log_odds[last]);
      expect(term((values[0]! + values[1]!) / 2)).toBeCloseTo((log_odds[0]! + log_odds[1]!) / 2, 12);
    }
  });

  it("adds nothing for what is not known", () => {
    const { features, bias } = coldStartContributions(vector({}));
    expect(Array.from(features)).toEqual(new Array(FEATURE_COUNT).fill(0));
    expect(logOdds(vector({}))).toBe(bias);
  });

  it("weighs an old overdue bill most, and the longest delay more than the mean one", () => {
    const span = (name: FeatureName): number => {
      const { log_odds } = COLD_START_RULES.find((rule) => rule.name === name)!;
      return Math.max(...log_odds) - Math.min(...log_odds);
    };
    const widest = COLD_START_RULES.toSorted((a, b) => span(b.name) - span(a.name))[0]!;
    expect(widest.name).toBe("oldest_overdue_days");
    expect(span("worst_delay_365")).toBeGreaterThan(span("avg_payment_delay_days"));
  });

  it("never lowers the risk when a value gets worse", () => {
    const value = fc.option(fc.double({ min: -5, max: 400, noNaN: true }), { nil: null });
    fc.assert(
      fc.property(
        fc.array(value, { minLength: FEATURE_COUNT, maxLength: FEATURE_COUNT }),
        fc.nat({ max: FEATURE_COUNT - 1 }),
        fc.double({ min: 0, max: 400, noNaN: true }),
        (features, at, by) => {
          const before = features[at];
          fc.pre(before !== null && before !== undefined);
          const worse = features.with(at, FEATURES[at]!.sign === "+" ? before + by : before - by);
          expect(logOdds(worse)).toBeGreaterThanOrEqual(logOdds(features) - 1e-12);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
