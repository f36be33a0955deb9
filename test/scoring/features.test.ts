import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FEATURE_COUNT, FEATURE_NAMES, FEATURES } from "../../src/scoring/feature-table.ts";
import { computeFeatures } from "../../src/scoring/features.ts";
import type { Statement } from "../../src/scoring/types.ts";
import { anyStatement, creditNote, day, feature, invoice, payment, source, statement } from "./builders.ts";
import vectors from "./fixtures/feature-vectors.jsonl?raw";

const T = day("2026-03-20");

interface Vector {
  as_of_day: number;
  route: string;
  features: (number | null)[];
  statement: Statement;
}

describe("the feature table", () => {
  it("numbers 42 features of five families without a gap, each with a sign, unit and null rule", () => {
    expect(FEATURES.map((f) => f.number)).toEqual(Array.from({ length: 42 }, (_, i) => i + 1));
    expect(new Set(FEATURE_NAMES).size).toBe(FEATURE_COUNT);
    expect(new Set(FEATURES.map((f) => f.family)).size).toBe(5);
    for (const f of FEATURES)
      expect(f.definition.length > 0 && f.unit.length > 0 && f.null_when.length > 0).toBe(true);
  });
});

describe("the 42 features", () => {
  const cases: Vector[] = vectors
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

  it.each(cases.map((vector, i) => ({ ...vector, name: `${vector.route} ${i}` })))(
    "equal an independent computation with numpy: $name",
    ({ as_of_day, route, features, statement: given }) => {
      const computed = computeFeatures(given, as_of_day)!;
      expect(computed.route).toBe(route);
      computed.values.forEach((value, i) => {
        const expected = features[i]!;
        if (expected === null || value === null)
          expect([FEATURE_NAMES[i], value]).toEqual([FEATURE_NAMES[i], expected]);
        else expect(Math.abs(value - expected)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(expected)));
      });
    },
  );

  it("have no row without an invoice in the 36 months up to the day", () => {
    expect(computeFeatures(statement([]), T)).toBeNull();
    expect(computeFeatures(statement([invoice(T + 1)]), T)).toBeNull();
    expect(computeFeatures(statement([invoice(day("2023-03-20"))]), T)).toBeNull();
    expect(computeFeatures(statement([invoice(day("2023-03-21"))]), T)).not.toBeNull();
    expect(computeFeatures(statement([creditNote(T)]), T)).toBeNull();
  });

  it("hold no NaN, no infinity and no -0, so that JSON keeps them", () => {
    fc.assert(
      fc.property(anyStatement(T), (given) => {
        const values = computeFeatures(given, T)?.values ?? [];
        for (const value of values)
          expect(value === null || (Number.isFinite(value) && !Object.is(value, -0))).toBe(true);
        expect(JSON.parse(JSON.stringify(values))).toEqual(values);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("an invoice is settled", () => {
  const bill = invoice(T - 60, { due_day: T - 30, amount_paise: 10_000 });
  const late = (payments: Parameters<typeof statement>[1], notes = [] as ReturnType<typeof creditNote>[]) =>
    feature(statement([bill, ...notes], payments), T, "avg_payment_delay_days");

  it("on the first day that payments reach 99 % of it", () => {
    expect(late([payment(bill, T - 20, { amount_paise: 9_900 })])).toBe(10);
    expect(late([payment(bill, T - 20, { amount_paise: 9_899 })])).toBe(30);
    expect(
      late([payment(bill, T - 25, { amount_paise: 5_000 }), payment(bill, T - 22, { amount_paise: 4_900 })]),
    ).toBe(8);
  });

  it("by credit notes that name it, and by no other", () => {
    const note = creditNote(T - 20, { amount_paise: 10_000, original_invoice_id: bill.invoice_id });
    expect(late([], [note])).toBe(10);
    expect(late([], [{ ...note, original_invoice_id: null }])).toBe(30);
    expect(late([], [{ ...note, distributor_id: "d2" }])).toBe(30);
  });

  it("by no bounced payment", () => {
    expect(late([payment(bill, T - 20, { bounced: true })])).toBe(30);
  });

  it("never, for one who does not pay: the delay runs to the day", () => {
    expect(late([])).toBe(30);
    expect(feature(statement([bill]), T + 500, "days_since_late15")).toBe(0);
  });

  it("late by no more than a year", () => {
    const old = invoice(T - 600, { due_day: T - 500 });
    expect(feature(statement([old]), T - 330, "worst_delay_365")).toBe(170);
    expect(feature(statement([old], [payment(old, T - 10)]), T - 330, "worst_delay_365")).toBe(170);
    expect(feature(statement([invoice(T - 394, { due_day: T - 364 })]), T, "worst_delay_365")).toBe(364);
  });
});

describe("a missing due day", () => {
  it("is the invoice day and the distributor's usual term", () => {
    const bill = invoice(T - 40, { due_day: null });
    const of = (usual_term_days: number) => statement([bill], [], { sources: [source({ usual_term_days })] });
    expect(feature(of(10), T, "avg_payment_delay_days")).toBe(30);
    expect(feature(of(40), T, "avg_payment_delay_days")).toBe(0);
    expect(feature(statement([bill], [], { sources: [] }), T, "avg_payment_delay_days")).toBe(10);
  });
});

describe("a partial payment", () => {
  const bill = invoice(T - 60, { due_day: T - 30, amount_paise: 10_000 });
  const part = (...amounts: number[]) =>
    statement(
      [bill],
      amounts.map((amount_paise, k) => payment(bill, T - 40 + k, { amount_paise })),
    );

  it("is more than one payment up to the settlement, or too little so far", () => {
    expect(feature(part(10_000), T, "partial_payment_freq")).toBe(0);
    expect(feature(part(5_000, 5_000), T, "partial_payment_freq")).toBe(1);
    expect(feature(part(5_000), T, "partial_payment_freq")).toBe(1);
    expect(feature(part(9_600), T, "partial_payment_freq")).toBe(0);
    expect(feature(part(), T, "partial_payment_freq")).toBe(0);
  });

  it("is not what comes after the settlement", () => {
    expect(feature(part(10_000, 50), T, "partial_payment_freq")).toBe(0);
    expect(feature(part(4_000), T, "partial_payment_ratio")).toBe(0.4);
    expect(feature(part(10_000), T, "partial_payment_ratio")).toBe(1);
  });
});

describe("windows", () => {
  it("of n days begin after t - n and end with t", () => {
    const due = (due_day: number) => statement([invoice(due_day - 30, { due_day })]);
    expect(feature(due(T - 179), T, "max_delay_180")).toBe(179);
    expect(feature(due(T - 180), T, "max_delay_180")).toBeNull();
    expect(feature(due(T), T, "max_delay_180")).toBe(0);
    expect(feature(due(T + 1), T, "max_delay_180")).toBeNull();
  });

  it("of months are clipped to the month's end", () => {
    const of = statement([
      invoice(day("2025-02-28")),
      invoice(day("2025-03-01")),
      creditNote(day("2025-02-28")),
    ]);
    expect(feature(of, day("2026-02-28"), "return_freq_pct")).toBe(0);
    expect(feature(of, day("2026-02-27"), "return_freq_pct")).toBe(50);
  });

  it("count the running month as complete on its last day", () => {
    const of = statement([invoice(day("2026-01-10")), invoice(day("2026-02-10"), { amount_paise: 300_000 })]);
    expect(feature(of, day("2026-02-27"), "gmv_3m_vs_12m_ratio")).toBe(1);
    expect(feature(of, day("2026-02-27"), "avg_monthly_gmv_log")).toBeCloseTo(Math.log(1001), 12);
    expect(feature(of, day("2026-02-28"), "avg_monthly_gmv_log")).toBeCloseTo(Math.log(2001), 12);
  });
});

describe("routing", () => {
  const monthly = (first: string, months: number) => {
    const [year, month] = first.split("-").map(Number) as [number, number];
    return Array.from({ length: months }, (_, k) =>
      invoice(day(new Date(Date.UTC(year, month - 1 + k, 10)).toISOString().slice(0, 10))),
    );
  };

  it("is a cold start under six months of history", () => {
    expect(computeFeatures(statement([invoice(day("2025-10-31"))]), T)?.route).toBe("cold_start");
    expect(computeFeatures(statement(monthly("2025-09", 7)), T)?.route).toBe("primary");
  });

  it("is sparse with fewer than six active months in the year, and only then has a Croston rate", () => {
    const rare = statement([...monthly("2024-09", 3), ...monthly("2025-11", 3)]);
    expect(computeFeatures(rare, T)?.route).toBe("sparse");
    expect(feature(rare, T, "croston_demand_rate")).toBeGreaterThan(0);
    expect(feature(statement(monthly("2024-09", 18)), T, "croston_demand_rate")).toBeNull();
  });

  it("is sparse for rare and uneven orders: intervals above 1.32 months, squared cv of the orders above 0.49", () => {
    /** Orders of each month, the last one before the running month; under 18 months there is no amplitude. */
    const routeOf = (orders_by_month: number[]) => {
      const first_month = 24 * 12 + 14 - orders_by_month.length;
      const days = orders_by_month.flatMap((orders, k) =>
        Array.from({ length: orders }, (_, i) => Date.UTC(2000, first_month + k, 1 + i) / 86_400_000),
      );
      return computeFeatures(statement(days.map((invoice_day) => invoice(invoice_day))), day("2025-03-20"))
        ?.route;
    };
    const rare = [1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1];
    const uneven = (...last: number[]) => [...rare.slice(0, -last.length), ...last];
    // Ten active months in 14: mean interval 13 / 9 = 1.44.
    expect(routeOf(rare)).toBe("primary");
    expect(routeOf(uneven(4))).toBe("primary"); // squared cv 0.479
    expect(routeOf(uneven(4, 4))).toBe("sparse"); // 0.5625
    // The same unevenness at intervals of 13 / 10 and of 16 / 12 months.
    expect(routeOf([1, 1, ...uneven(4, 4).slice(2)])).toBe("primary");
    expect(routeOf([1, 1, 1, ...uneven(4, 4)])).toBe("sparse");
  });

  it("follows Croston with the Syntetos-Boylan correction", () => {
    // Months 1..18 from September 2024; demands of 1 at 1, 2, 3 and 15, 16, 17: intervals 1, 1, 12, 1, 1.
    const rare = statement([...monthly("2024-09", 3), ...monthly("2025-11", 3)]);
    let p = 1;
    for (const gap of [1, 1, 12, 1, 1]) p += 0.1 * (gap - p);
    expect(feature(rare, T, "croston_demand_rate")).toBeCloseTo(0.95 / p, 12);
  });
});
