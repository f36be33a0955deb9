import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BEHAVIOUR_MEASURES, behaviourOf } from "../../src/scoring/behaviour.ts";
import { ledgerView } from "../../src/scoring/settlement.ts";
import type { Statement, StatementInvoice, StatementPayment } from "../../src/scoring/types.ts";
import { anyStatement, creditNote, day, invoice, payment, statement } from "./builders.ts";

const T = day("2026-03-20");
/** The first of the last 60 days, and of the 360 before them. */
const RECENT = T - 59;
const BASELINE = RECENT - 360;

type Measure = (typeof BEHAVIOUR_MEASURES)[number];

function behaviour(of: Statement): (number | null)[] | null {
  return behaviourOf(ledgerView(of, T)!);
}

function measure(of: Statement, name: Measure): number | null {
  return behaviour(of)![BEHAVIOUR_MEASURES.indexOf(name)]!;
}

/** An order every 6 days, 60 in the baseline and 10 since, each of its own amount, due after 10 days, paid on the day. */
function steadyShop(change: (row: StatementInvoice, k: number) => Partial<StatementInvoice> = () => ({})) {
  const invoices = Array.from({ length: 70 }, (_, k) => {
    const row = invoice(BASELINE + 6 * k, { due_day: BASELINE + 6 * k + 10, amount_paise: 100_000 + k });
    return { ...row, ...change(row, k) };
  });
  return { invoices, payments: invoices.map((row) => payment(row, row.due_day!)) };
}

function asStatement(shop: { invoices: StatementInvoice[]; payments: StatementPayment[] }): Statement {
  return statement(shop.invoices, shop.payments);
}

/** Anscombe's difference of two counts. */
const counts = (recent: number, usual: number) => 2 * (Math.sqrt(recent + 0.375) - Math.sqrt(usual + 0.375));

describe("the behaviour of the last 60 days", () => {
  it("is 0 in every measure where it is as it was", () => {
    const values = behaviour(asStatement(steadyShop(() => ({ amount_paise: 100_000 }))));
    expect(values).toEqual(BEHAVIOUR_MEASURES.map(() => 0));
  });

  it("counts orders against the usual number", () => {
    const shop = steadyShop();
    const recent = shop.invoices.slice(60);
    const doubled = recent.map((row, k) => ({ ...row, invoice_id: `again-${k}` }));
    const busy = asStatement({ ...shop, invoices: [...shop.invoices, ...doubled] });
    expect(measure(busy, "order_count")).toBeCloseTo(counts(20, 10), 12);
    const mean = 100_029.5;
    const value = recent.reduce((sum, row) => sum + row.amount_paise, 0);
    expect(measure(busy, "order_value")).toBeCloseTo(Math.log((2 * value + mean) / (11 * mean)), 12);
  });

  it("compares the largest order with the baseline's 95th percentile", () => {
    const shop = steadyShop((_, k) => ({ amount_paise: k === 65 ? 900_000 : 100_000 }));
    expect(measure(asStatement(shop), "largest_order")).toBeCloseTo(Math.log(9), 12);
  });

  it("compares returns by value and by number", () => {
    const shop = steadyShop(() => ({ amount_paise: 100_000 }));
    const notes = [
      creditNote(BASELINE + 3, { amount_paise: 600_000 }),
      creditNote(RECENT, { amount_paise: 330_000 }),
      creditNote(T, { amount_paise: 330_000 }),
    ];
    const returning = asStatement({ ...shop, invoices: [...shop.invoices, ...notes] });
    // 6,600 of 10,000 (and a mean order of 1,000) now, 6,000 of 60,000 before.
    expect(measure(returning, "returned_share")).toBeCloseTo(0.6 - 0.1, 12);
    expect(measure(returning, "credit_note_count")).toBeCloseTo(counts(2, 1 / 6), 12);
  });

  it("sees timely payment after a late past", () => {
    const shop = steadyShop();
    const late = shop.payments.map((row, k) =>
      shop.invoices[k]!.due_day! < RECENT ? { ...row, paid_day: row.paid_day + 30 } : row,
    );
    const turned = asStatement({ ...shop, payments: late });
    // What fell due in the baseline was paid 30 days late, what fell due since on its day.
    const due = shop.invoices.filter((row) => row.due_day! >= RECENT && row.due_day! <= T).length;
    const before = shop.invoices.filter((row) => row.due_day! < RECENT).length;
    const smoothed = 1 / (before + 2);
    const sd = Math.sqrt(due * smoothed * (1 - smoothed));
    expect(measure(turned, "on_time_surge")).toBeCloseTo(due / sd, 12);
    expect(measure(turned, "lateness_fall")).toBeCloseTo((Math.log(31) * due) / (due + 3), 12);
  });

  it("sees equal orders, and payments that come together", () => {
    const shop = steadyShop((_, k) => (k >= 66 ? { amount_paise: 55_000 } : {}));
    expect(measure(asStatement(shop), "equal_orders")).toBeCloseTo(Math.log(5 / 2), 12);
    const together = shop.payments.map((row, k) => (k >= 60 ? { ...row, paid_day: T } : row));
    const crowded = asStatement({ ...shop, payments: together });
    expect(measure(crowded, "payments_on_a_day")).toBeCloseTo(Math.log(11 / 2), 12);
    expect(measure(crowded, "equal_payments")).toBeCloseTo(Math.log(5 / 2), 12);
  });

  it("has no baseline before 180 days are over, and none to compare with where nothing was ordered in it", () => {
    const since = (first_day: number) => behaviour(statement([invoice(first_day), invoice(T)]));
    expect(since(RECENT - 179)).toBeNull();
    expect(since(RECENT - 180)).not.toBeNull();
    expect(since(BASELINE - 1)).toEqual(BEHAVIOUR_MEASURES.map(() => null));
    expect(behaviour(statement([invoice(BASELINE - 1)]))).toEqual(BEHAVIOUR_MEASURES.map(() => 0));
  });

  it("is the same for any order of rows, whatever comes later, and never below 0", () => {
    fc.assert(
      fc.property(anyStatement(T), (given) => {
        const view = ledgerView(given, T);
        if (view === null) return;
        const values = behaviourOf(view);
        for (const value of values ?? []) if (value !== null) expect(value).toBeGreaterThanOrEqual(0);
        expect(JSON.parse(JSON.stringify(values))).toEqual(values);
        const shuffled = {
          ...given,
          invoices: given.invoices.filter((row) => row.invoice_day <= T).reverse(),
          payments: given.payments.filter((row) => row.paid_day <= T).reverse(),
        };
        expect(behaviourOf(ledgerView(shuffled, T)!)).toEqual(values);
      }),
      { numRuns: 1000 },
    );
  });
});
