import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Contributions } from "../../src/scoring/contributions.ts";
import {
  FEATURE_COUNT,
  FEATURE_INDEX,
  FEATURE_NAMES,
  type FeatureName,
} from "../../src/scoring/feature-table.ts";
import {
  NEGATIVE_RULES,
  NO_DATA_CODE,
  POSITIVE_RULES,
  REASON_CODES,
  reasonTexts,
} from "../../src/scoring/reason-table.ts";
import { reasonsFor } from "../../src/scoring/reasons.ts";
import type { ReplayInputs } from "../../src/scoring/types.ts";

type Values = Partial<Record<FeatureName, number>>;

/** A retailer whose every value is known, with the given values and contributions. */
function reasons(
  values: Values,
  terms: Values,
  extra: { uncertainty?: number; nulls?: FeatureName[]; past?: Values } = {},
) {
  const features: (number | null)[] = FEATURE_NAMES.map((name) => values[name] ?? 0);
  for (const name of extra.nulls ?? []) features[FEATURE_INDEX[name]] = null;
  const inputs: ReplayInputs = {
    as_of_day: 20_000,
    route: "primary",
    features,
    payment_features_60d_ago: null,
    completeness: { score: 100, invoice: 100, payment: 100, temporal: 100, identity: 100, schema: 100 },
    csv_capped: false,
    gmv_6m_paise: 0,
    best_gmv_6m_paise: 0,
    longest_gap_days: 0,
    history: { close_to_due_share: 0, no_delay_share: 0, paid_at_once_share: 0 },
    anomaly: {
      order_count_sigmas: null,
      order_value_sigmas: null,
      returned_share_60d: null,
      returned_share_before: null,
      behaviour: null,
    },
  };
  const contributions: Contributions = {
    features: new Float64Array(FEATURE_COUNT),
    bias: 0,
    uncertainty: extra.uncertainty ?? 0,
  };
  for (const [name, term] of Object.entries(terms))
    contributions.features[FEATURE_INDEX[name as FeatureName]] = term;
  const long = extra.past && FEATURE_NAMES.map((name) => extra.past?.[name] ?? values[name] ?? 0);
  return reasonsFor(inputs, contributions, long ?? null);
}

function codesOf(given: ReturnType<typeof reasons>): string[] {
  return (given ?? []).map((reason) => reason.code);
}

/** Three positive and two negative reasons that are true and moved the score. */
const VALUES: Values = {
  gmv_per_order_cv: 0.2,
  return_rate_pct: 1,
  distributor_count: 2,
  overdue_share: 0.5,
  distributor_tenure_months: 8,
};
const TERMS: Values = {
  gmv_per_order_cv: -0.1,
  return_rate_pct: -0.3,
  distributor_count: -0.2,
  overdue_share: 0.4,
  distributor_tenure_months: 0.5,
};

describe("the reason table", () => {
  it("has 12 positive and 12 negative codes, each with both languages", () => {
    const negative = [...NEGATIVE_RULES.map((rule) => rule.code), NO_DATA_CODE];
    expect(POSITIVE_RULES).toHaveLength(12);
    expect(negative).toHaveLength(12);
    expect([...POSITIVE_RULES.map((rule) => rule.code), ...negative].sort()).toEqual(
      [...REASON_CODES].sort(),
    );
    for (const code of REASON_CODES) {
      const { label_en, label_hi, explain_en, explain_hi } = reasonTexts(code);
      for (const text of [label_en, explain_en]) expect(text).toMatch(/^[\x20-\x7e]+$/);
      for (const text of [label_hi, explain_hi]) expect(text).toMatch(/[\u0900-\u097f]/);
    }
    expect(() => reasonTexts("NO_SUCH_CODE")).toThrow(RangeError);
  });

  it.each([
    ["positive", POSITIVE_RULES],
    ["negative", NEGATIVE_RULES],
  ] as const)("gives every feature to exactly one aspect of the %s codes", (_, rules) => {
    expect(rules.flatMap((rule) => rule.aspects.flat()).sort()).toEqual([...FEATURE_NAMES].sort());
  });
});

describe("where the payment history of 60 days ago moved the score as well", () => {
  const terms = { ...TERMS, p90_payment_delay_days: 0.9, overdue_share: 0.4 };
  const values = { ...VALUES, overdue_share: 0 };
  const past = { p90_payment_delay_days: 40, overdue_share: 1 };

  it("a statement about bills as they were once paid is true if it was true then", () => {
    expect(codesOf(reasons(values, terms, { past }))).toContain("P90_DELAY_GT_15DAYS");
    expect(codesOf(reasons(values, terms))).not.toContain("P90_DELAY_GT_15DAYS");
  });

  it("a statement about today is not", () => {
    expect(codesOf(reasons(values, terms, { past }))).not.toContain("OVERDUE_UNPAID_INVOICES");
  });
});

describe("statements that contradict each other", () => {
  const pairs = POSITIVE_RULES.flatMap((positive) => {
    const negative = NEGATIVE_RULES.find((rule) => rule.code === positive.opposite);
    return negative === undefined ? [] : [[positive.code, positive, negative] as const];
  });

  it("name each other", () => {
    expect(pairs).toHaveLength(6);
    for (const [code, , negative] of pairs) expect(negative.opposite).toBe(code);
  });

  // A season can be deep and end soon; of the others never both are true.
  it.each(pairs.filter(([code]) => code !== "SEASONAL_RECOVERY"))(
    "%s and its opposite are never both true",
    (_, positive, negative) => {
      const number = fc.option(fc.double({ min: -3, max: 60, noNaN: true }), { nil: null });
      const share = fc.double({ min: 0, max: 1, noNaN: true });
      fc.assert(
        fc.property(
          fc.array(number, { minLength: FEATURE_COUNT, maxLength: FEATURE_COUNT }),
          fc.record({ close_to_due_share: share, no_delay_share: share, paid_at_once_share: share }),
          (features, history) => {
            const facts = {
              value: (name: FeatureName) => features[FEATURE_INDEX[name]]!,
              history,
              longest_gap_days: null,
            };
            const said = [positive.holds(facts), negative.holds(facts)];
            expect(said).not.toEqual([true, true]);
            // What is plainly true may be leaned against by nothing.
            expect(said[0]! && negative.leans(facts)).toBe(false);
            expect(said[1]! && positive.leans(facts)).toBe(false);
          },
        ),
        { numRuns: 1000 },
      );
    },
  );
});

describe("the reasons of a score", () => {
  it("are ranked by size within their direction", () => {
    expect(reasons(VALUES, TERMS)).toEqual([
      { code: "LOW_RETURN_RATE", direction: "positive", rank: 1 },
      { code: "MULTI_DISTRIBUTOR_NETWORK", direction: "positive", rank: 2 },
      { code: "STABLE_BASKET_SIZE", direction: "positive", rank: 3 },
      { code: "SHORT_DISTRIBUTOR_TENURE", direction: "negative", rank: 1 },
      { code: "OVERDUE_UNPAID_INVOICES", direction: "negative", rank: 2 },
    ]);
  });

  it("break ties by code", () => {
    const tied = reasons(VALUES, { ...TERMS, gmv_per_order_cv: -0.2, return_rate_pct: -0.2 })!;
    expect(tied.slice(0, 3).map((reason) => reason.code)).toEqual([
      "LOW_RETURN_RATE",
      "MULTI_DISTRIBUTOR_NETWORK",
      "STABLE_BASKET_SIZE",
    ]);
  });

  it("are none at all when one that is needed is untrue of the data", () => {
    expect(reasons({ ...VALUES, distributor_count: 1 }, TERMS)).toBeNull();
    expect(reasons({ ...VALUES, distributor_tenure_months: 60 }, TERMS)).toBeNull();
    expect(reasons({ ...VALUES, overdue_share: 0 }, TERMS)).toBeNull();
  });

  it("are none at all when one that is needed did not move the score that way", () => {
    expect(reasons(VALUES, { ...TERMS, gmv_per_order_cv: 0.1 })).toBeNull();
    expect(reasons(VALUES, { ...TERMS, overdue_share: -0.1 })).toBeNull();
  });

  it("sum an aspect's features, so that opposite moves cancel", () => {
    const enough = { ...VALUES, active_months_pct: 100, distributor_tenure_months: 10 };
    const terms = { ...TERMS, active_months_pct: -0.1 };
    expect(codesOf(reasons(enough, terms))).toContain("LOW_RETURN_RATE");
    expect(codesOf(reasons(enough, { ...terms, return_freq_pct: 0.4 }))).not.toContain("LOW_RETURN_RATE");
  });

  it("fill up to the least number with what the data lean towards, by the largest single feature", () => {
    // Returned goods are under the border of plain truth, and another feature of the aspect moved the other way.
    const filled = codesOf(reasons({ ...VALUES, return_rate_pct: 4 }, { ...TERMS, return_freq_pct: 0.4 }));
    expect(filled.slice(0, 3)).toEqual([
      "LOW_RETURN_RATE",
      "MULTI_DISTRIBUTOR_NETWORK",
      "STABLE_BASKET_SIZE",
    ]);
    // Where enough is plainly true, nothing is added.
    const enough = { ...VALUES, active_months_pct: 60, return_rate_pct: 1 };
    expect(codesOf(reasons(enough, { ...TERMS, active_months_pct: -0.9 }))).not.toContain(
      "HIGH_ACTIVE_MONTHS",
    );
  });

  it("never say two things that contradict each other", () => {
    // 20 months are neither short nor long: both statements lean, and the one that is needed first is made.
    const between = {
      ...VALUES,
      distributor_tenure_months: 20,
      distributor_count: 1,
      max_consecutive_delays: 5,
    };
    const long = codesOf(
      reasons(between, { ...TERMS, distributor_tenure_months: -0.3, max_consecutive_delays: 0.2 }),
    );
    expect(long).toContain("LONG_DISTRIBUTOR_TENURE");
    expect(long).not.toContain("SHORT_DISTRIBUTOR_TENURE");
    // Both are plainly true of their own aspects: the larger move decides.
    const season = { ...VALUES, seasonal_recovery_rate: 0.9, seasonal_amplitude: 3 };
    const recovered = { ...TERMS, off_season_payment_delay: -0.2, seasonal_amplitude: 0.1 };
    expect(codesOf(reasons(season, recovered))).not.toContain("SEASONAL_GAP_DEEP");
    const deep = codesOf(reasons(season, { ...recovered, seasonal_amplitude: 0.3 }));
    expect(deep).toContain("SEASONAL_GAP_DEEP");
    expect(deep).not.toContain("SEASONAL_RECOVERY");
  });

  it("make no statement about a year or a rhythm that is not known", () => {
    const moved = { ...TERMS, active_months_pct: -1, gmv_3m_vs_12m_ratio: -1, monthly_order_frequency: -1 };
    const young = { ...VALUES, active_months_pct: 100, distributor_tenure_months: 3, gmv_3m_vs_12m_ratio: 2 };
    const once = { ...young, monthly_order_frequency: 0.25 };
    const codes = codesOf(reasons(once, moved, { nulls: ["order_gap_cv", "inter_demand_cv"] }));
    expect(codes).not.toContain("HIGH_ACTIVE_MONTHS");
    expect(codes).not.toContain("GROWING_BASKET_SIZE");
    expect(codes).not.toContain("CONSISTENT_ORDER_FREQ");
    expect(codesOf(reasons({ ...once, monthly_order_frequency: 2 }, moved))).toContain("GROWING_BASKET_SIZE");
    expect(codesOf(reasons({ ...once, distributor_tenure_months: 9 }, moved))).toContain(
      "HIGH_ACTIVE_MONTHS",
    );
  });

  it("never fill up with what the data contradict", () => {
    const punctual = { ...VALUES, overdue_share: 0, avg_payment_delay_days: 0, worst_delay_365: 0 };
    const blamed = { ...TERMS, avg_payment_delay_days: 0.9, worst_delay_365: 0.9 };
    expect(reasons(punctual, blamed)).toBeNull();
  });

  it("count what a missing value contributed as missing data, not as behaviour", () => {
    const codes = reasons(VALUES, { ...TERMS, gmv_yoy_growth: 0.7 }, { nulls: ["gmv_yoy_growth"] })!;
    expect(codes.find((reason) => reason.direction === "negative")?.code).toBe(NO_DATA_CODE);
    const sparse_only = reasons(
      VALUES,
      { ...TERMS, croston_demand_rate: 0.7 },
      { nulls: ["croston_demand_rate"] },
    )!;
    expect(sparse_only.map((reason) => reason.code)).not.toContain(NO_DATA_CODE);
  });

  it("name the allowance for too little data", () => {
    expect(reasons(VALUES, TERMS, { uncertainty: 0.45 })![4]).toEqual({
      code: NO_DATA_CODE,
      direction: "negative",
      rank: 2,
    });
  });

  it("are at most four in a direction", () => {
    const many = reasons(
      { ...VALUES, active_months_pct: 100, seasonal_recovery_rate: 1, gmv_3m_vs_12m_ratio: 1.2 },
      { ...TERMS, active_months_pct: -1, seasonal_recovery_rate: -1, gmv_3m_vs_12m_ratio: -1 },
    )!;
    expect(many.filter((reason) => reason.direction === "positive").map((reason) => reason.rank)).toEqual([
      1, 2, 3, 4,
    ]);
  });
});
