import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FEATURE_INDEX, FEATURE_NAMES, FEATURES, type FeatureName } from "../../src/scoring/feature-table.ts";
import { computeFeatures } from "../../src/scoring/features.ts";
import type { Statement, StatementInvoice, StatementPayment } from "../../src/scoring/types.ts";
import { anyStatement, day, invoice, payment, regularStatement } from "./builders.ts";
import { naiveFeatures } from "./naive-features.ts";

const RUNS = { numRuns: 1_000 };
const T = day("2026-03-20");

/** The vector of a statement, or null without a row. */
function vectorOf(given: Statement, as_of_day = T): (number | null)[] | null {
  return computeFeatures(given, as_of_day)?.values ?? null;
}

/** The vector by the definitions computed the slow way. */
function slowVectorOf(given: Statement, as_of_day: number): (number | null)[] | null {
  const slow = naiveFeatures(given, as_of_day);
  return slow === null ? null : FEATURE_NAMES.map((name) => slow[name]);
}

function featureOf(vector: (number | null)[] | null, name: FeatureName): number | null {
  return vector === null ? null : vector[FEATURE_INDEX[name]]!;
}

/** Both vectors are the same but for the named features, which may differ in the last bits. */
function expectSame(
  got: (number | null)[] | null,
  expected: (number | null)[] | null,
  rounded: readonly FeatureName[] = [],
): void {
  if (got === null || expected === null) {
    expect(got).toEqual(expected);
    return;
  }
  for (const [i, name] of FEATURE_NAMES.entries()) {
    if (rounded.includes(name)) expectClose(name, got[i]!, expected[i]!);
    else expect([name, got[i]]).toEqual([name, expected[i]]);
  }
}

function expectClose(name: string, got: number | null, expected: number | null): void {
  if (got === null || expected === null) expect([name, got]).toEqual([name, expected]);
  else
    expect([
      name,
      Math.abs(got - expected) <= 1e-12 * Math.max(1, Math.abs(expected)),
      got,
      expected,
    ]).toEqual([name, true, got, expected]);
}

describe("every feature equals its definition computed the slow way", () => {
  const days = fc.oneof(
    fc.integer({ min: day("2023-01-01"), max: day("2028-12-31") }),
    fc.constantFrom(...["2024-02-29", "2025-02-28", "2026-03-31", "2027-12-31", "2028-01-01"].map(day)),
  );

  it("for any statement and day", () => {
    fc.assert(
      fc.property(
        days.chain((t) => fc.tuple(fc.constant(t), anyStatement(t))),
        ([t, given]) => {
          expectSame(vectorOf(given, t), slowVectorOf(given, t), FEATURE_NAMES);
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it("for any retailer that orders every few days over years", () => {
    fc.assert(
      fc.property(
        days.chain((t) => fc.tuple(fc.constant(t), regularStatement(t))),
        ([t, given]) => {
          expectSame(vectorOf(given, t), slowVectorOf(given, t), FEATURE_NAMES);
        },
      ),
      RUNS,
    );
  });

  it("and these cases reach every feature, and every null but those of a retailer without a row", () => {
    const known = new Set<string>();
    const missing = new Set<string>();
    for (const given of fc.sample(anyStatement(T), { numRuns: 1_000, seed: 1 })) {
      for (const [i, value] of (vectorOf(given) ?? []).entries()) {
        (value === null ? missing : known).add(FEATURE_NAMES[i]!);
      }
    }
    expect([...known].sort()).toEqual([...FEATURE_NAMES].sort());
    const row_makes_known = ["monthly_order_frequency", "recency_days"];
    const nullable = FEATURES.filter((f) => f.null_when !== "never" && !row_makes_known.includes(f.name));
    expect([...missing].sort()).toEqual(nullable.map((f) => f.name).sort());
  });
});

describe("what must not matter does not", () => {
  it("the order of rows", () => {
    fc.assert(
      fc.property(anyStatement(T), fc.infiniteStream(fc.nat()), (given, random) => {
        const shuffled = <Row>(rows: readonly Row[]): Row[] =>
          rows
            .map((row) => ({ row, key: random.next().value as number }))
            .sort((a, b) => a.key - b.key)
            .map(({ row }) => row);
        const { sources, invoices, payments } = given;
        const other = {
          ...given,
          sources: shuffled(sources),
          invoices: shuffled(invoices),
          payments: shuffled(payments),
        };
        expectSame(vectorOf(other), vectorOf(given));
      }),
      RUNS,
    );
  });

  it("rows dated after the day: invoices, credit notes on known invoices, payments of known invoices", () => {
    fc.assert(
      fc.property(anyStatement(T), anyStatement(T), fc.integer({ min: 1, max: 400 }), (given, more, days) => {
        const later_invoices = more.invoices.map((row, i) => ({
          ...row,
          invoice_id: `later-${i}`,
          invoice_day: T + days,
          due_day: T + days + 7,
          original_invoice_id: given.invoices[i]?.invoice_id ?? null,
        }));
        const later_payments = given.invoices.map((row, i) =>
          payment(row, T + days, { payment_id: `later-${i}`, bounced: i % 2 === 0 }),
        );
        const other = {
          ...given,
          invoices: [...given.invoices, ...later_invoices],
          payments: [...given.payments, ...later_payments],
        };
        expectSame(vectorOf(other), vectorOf(given));
      }),
      RUNS,
    );
  });

  it("which 400 years it is: the calendar repeats after them", () => {
    const shift_days = 146_097;
    const shifted = <Row>(row: Row, ...keys: (keyof Row)[]): Row => {
      const moved = { ...row };
      for (const key of keys) {
        if (row[key] !== null) moved[key] = ((row[key] as number) + shift_days) as Row[keyof Row];
      }
      return moved;
    };
    fc.assert(
      fc.property(anyStatement(T), (given) => {
        const other = {
          ...given,
          sources: given.sources.map((row) => shifted(row, "first_invoice_day")),
          invoices: given.invoices.map((row) => shifted(row, "invoice_day", "due_day")),
          payments: given.payments.map((row) => shifted(row, "paid_day")),
        };
        expectSame(vectorOf(other, T + shift_days), vectorOf(given));
      }),
      RUNS,
    );
  });

  it("from which of two distributors with equal terms a bill is, but for what counts or orders distributors", () => {
    // Equal due and invoice days are told apart by distributor in 14; 7 and 24 sum squares in another order.
    fc.assert(
      fc.property(anyStatement(T), fc.infiniteStream(fc.boolean()), (given, is_moved) => {
        const sources = given.sources.map((row) => ({ ...row, usual_term_days: 30 }));
        const one = { ...given, sources, ...renamed(given, () => "d1") };
        const home = new Map(
          given.invoices.map((row) => [row.invoice_id, is_moved.next().value ? "d2" : "d1"]),
        );
        const two = { ...one, ...renamed(given, (invoice_id) => home.get(invoice_id)!) };
        expectSame(withoutDistributors(vectorOf(two)), withoutDistributors(vectorOf(one)), [
          "delay_std_180",
          "gmv_per_order_cv",
        ]);
      }),
      RUNS,
    );
  });
});

/** A vector with the features left out that distributors count or decide the order in. */
function withoutDistributors(vector: (number | null)[] | null): (number | null)[] | null {
  return (
    vector?.with(FEATURE_INDEX.distributor_count, 0).with(FEATURE_INDEX.max_consecutive_delays, 0) ?? null
  );
}

/** Rows with the distributor of the invoice that they belong to. */
function renamed(
  { invoices, payments }: Statement,
  distributorOf: (invoice_id: string) => string,
): Pick<Statement, "invoices" | "payments"> {
  const owner = (row: StatementInvoice) => distributorOf(row.original_invoice_id ?? row.invoice_id);
  return {
    invoices: invoices.map((row) => ({ ...row, distributor_id: owner(row) })),
    payments: payments.map((row) => ({ ...row, distributor_id: distributorOf(row.invoice_id) })),
  };
}

describe("money is exact", () => {
  const scaled = (given: Statement, factor: number): Statement => ({
    ...given,
    invoices: given.invoices.map((row) => ({ ...row, amount_paise: row.amount_paise * factor })),
    payments: given.payments.map((row) => ({ ...row, amount_paise: row.amount_paise * factor })),
  });
  /** The one feature that is an amount. */
  const withoutAmount = (vector: (number | null)[] | null) =>
    vector?.with(FEATURE_INDEX.avg_monthly_gmv_log, 0) ?? null;

  it("all amounts times an integer: nothing but the amount changes; what divides means may round", () => {
    const rounded = [
      "gmv_per_order_cv",
      "gmv_trend_slope",
      "gmv_3m_vs_12m_ratio",
      "seasonal_recovery_rate",
      "outstanding_to_monthly",
    ] as const;
    fc.assert(
      fc.property(anyStatement(T), fc.integer({ min: 2, max: 1_000 }), (given, factor) => {
        expectSame(withoutAmount(vectorOf(scaled(given, factor))), withoutAmount(vectorOf(given)), rounded);
      }),
      RUNS,
    );
  });

  it("all amounts times a power of two: not a bit of the others changes", () => {
    fc.assert(
      fc.property(anyStatement(T), fc.integer({ min: 1, max: 13 }), (given, power) => {
        expectSame(withoutAmount(vectorOf(scaled(given, 2 ** power))), withoutAmount(vectorOf(given)));
      }),
      RUNS,
    );
  });

  it("shares of the largest amounts are the nearest double of the true share", () => {
    // Bills and payments of 9e12 paise: together the most that a statement may hold.
    const amount = fc.integer({ min: 1, max: 9_000_000_000_000 });
    fc.assert(
      fc.property(fc.array(fc.tuple(amount, fc.boolean()), { minLength: 1, maxLength: 5 }), (bills) => {
        const rows = bills.map(([amount_paise]) => invoice(T - 60, { due_day: T - 30, amount_paise }));
        const payments = rows.filter((_, i) => bills[i]![1]).map((row) => payment(row, T - 30));
        const vector = vectorOf({ ...EMPTY, invoices: rows, payments });
        const sum = (of: typeof bills) =>
          of.reduce((paise, [amount_paise]) => paise + BigInt(amount_paise), 0n);
        const paid = sum(bills.filter(([, is_paid]) => is_paid));
        expect(featureOf(vector, "collect_ratio_90")).toBe(Number(paid) / Number(sum(bills)));
        expect(featureOf(vector, "overdue_share")).toBe(paid === sum(bills) ? 0 : 1);
      }),
      RUNS,
    );
  });
});

const EMPTY: Statement = {
  retailer_id: "ret_0000000000000001",
  sources: [],
  invoices: [],
  payments: [],
  identity_verified: true,
};

/** No `+` feature of the list falls, no `-` feature rises; a null stays null. */
function expectNotSafer(
  riskier: Statement,
  given: Statement,
  plus: readonly FeatureName[],
  minus: readonly FeatureName[],
): void {
  const [after, before] = [vectorOf(riskier), vectorOf(given)];
  for (const [names, sign] of [
    [plus, 1],
    [minus, -1],
  ] as const) {
    for (const name of names) {
      const [old_value, new_value] = [featureOf(before, name), featureOf(after, name)];
      if (old_value === null) continue;
      expect([name, sign * (new_value! - old_value) >= 0]).toEqual([name, true]);
    }
  }
}

describe("paying worse never looks safer", () => {
  // What an average, a share, a maximum or an age of late bills makes is monotone by definition. Not so:
  // - 7 and 34 are spreads and differences: one more late bill can make the others look alike;
  // - 12 and 13 look at payments up to the settlement: a part paid later may come after it and count no more;
  // - 18 has a window of payment days, which a later payment can enter or leave;
  // - 15 is monotone for bills that are overdue; one that is not yet due adds to the open amount alone.
  const DELAYS: readonly FeatureName[] = [
    "avg_payment_delay_days",
    "wavg_delay_180",
    "avg_delay_90",
    "p90_payment_delay_days",
    "max_delay_180",
    "worst_delay_365",
    "late15_share_180",
    "max_consecutive_delays",
    "oldest_overdue_days",
    "credit_term_utilization",
    "outstanding_to_monthly",
  ];
  const PUNCTUALITY: readonly FeatureName[] = [
    "zero_delay_rate",
    "ontime_share_180",
    "days_since_late15",
    "collect_ratio_90",
  ];

  /** The statement with payment `which` replaced; null where there is none. */
  function changed(
    given: Statement,
    which: number,
    change: (row: StatementPayment) => StatementPayment,
  ): { riskier: Statement; is_overdue: boolean } | null {
    const row = given.payments[which % Math.max(1, given.payments.length)];
    if (row === undefined || vectorOf(given) === null) return null;
    const bill = given.invoices.find(({ invoice_id }) => invoice_id === row.invoice_id)!;
    const due_day = bill.due_day ?? bill.invoice_day + 30;
    const payments = given.payments.map((other) => (other === row ? change(row) : other));
    return { riskier: { ...given, payments }, is_overdue: due_day < T };
  }

  it("when a payment comes later, or after the day and so not at all", () => {
    fc.assert(
      fc.property(anyStatement(T), fc.nat(), fc.integer({ min: 1, max: 200 }), (given, which, days) => {
        const found = changed(given, which, (row) => ({ ...row, paid_day: row.paid_day + days }));
        if (found === null) return;
        expectNotSafer(found.riskier, given, DELAYS, PUNCTUALITY);
        if (found.is_overdue) expectNotSafer(found.riskier, given, ["overdue_share"], []);
      }),
      RUNS,
    );
  });

  it("when a payment bounces; then the bounce rate does not fall either", () => {
    fc.assert(
      fc.property(anyStatement(T), fc.nat(), (given, which) => {
        const found = changed(given, which, (row) => ({ ...row, bounced: true }));
        if (found === null) return;
        expectNotSafer(found.riskier, given, [...DELAYS, "bounce_rate_180"], PUNCTUALITY);
        if (found.is_overdue) expectNotSafer(found.riskier, given, ["overdue_share"], []);
      }),
      RUNS,
    );
  });

  it("when a payment is smaller", () => {
    fc.assert(
      fc.property(
        anyStatement(T),
        fc.nat(),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (given, which, part) => {
          const found = changed(given, which, (row) => ({
            ...row,
            amount_paise: Math.max(1, Math.floor(row.amount_paise * part)),
          }));
          if (found === null) return;
          expectNotSafer(found.riskier, given, DELAYS, PUNCTUALITY);
        },
      ),
      RUNS,
    );
  });

  it("when one more bill was paid as late as a bill in the window can be", () => {
    fc.assert(
      fc.property(anyStatement(T), fc.integer({ min: 1, max: 9_000_000 }), (given, amount_paise) => {
        if (vectorOf(given) === null) return;
        // Due on the window's first day and paid on its last; a term of 0 days is all used up.
        const bill = invoice(T - 179, { invoice_id: "late", due_day: T - 179, amount_paise });
        const riskier = {
          ...given,
          invoices: [...given.invoices, bill],
          payments: [...given.payments, payment(bill, T)],
        };
        const others = DELAYS.filter((name) => name !== "outstanding_to_monthly");
        expectNotSafer(riskier, given, others, PUNCTUALITY);
        expect(featureOf(vectorOf(riskier), "max_delay_180")).toBe(179);
        expect(featureOf(vectorOf(riskier), "days_since_late15")).toBe(0);
      }),
      RUNS,
    );
  });
});
