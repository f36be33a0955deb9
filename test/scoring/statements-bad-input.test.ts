import { describe, expect, it } from "vitest";
import { FEATURE_INDEX } from "../../src/scoring/feature-table.ts";
import { computeFeatures } from "../../src/scoring/features.ts";
import { replayInputsOf } from "../../src/scoring/inputs.ts";
import { StatementRefusedError } from "../../src/scoring/statement-check.ts";
import type { Statement } from "../../src/scoring/types.ts";
import { creditNote, day, feature, invoice, payment, source, statement } from "./builders.ts";

const T = day("2026-03-20");
const bill = invoice(T - 60, { invoice_id: "bill", due_day: T - 30, amount_paise: 10_000 });
const paid = payment(bill, T - 30, { payment_id: "paid" });

describe("a statement that no door lets in is refused, by its first bad row", () => {
  const withBill = (overrides: Partial<typeof bill>) => statement([{ ...bill, ...overrides }]);
  const withPayment = (overrides: Partial<typeof paid>) => statement([bill], [{ ...paid, ...overrides }]);
  const withSource = (overrides: Parameters<typeof source>[0]) =>
    statement([bill], [], { sources: [source(overrides)] });

  it.each<[string, Statement, string]>([
    ["an amount of nothing", withBill({ amount_paise: 0 }), "invoice bill: amount_paise 0"],
    ["a negative amount", withBill({ amount_paise: -1 }), "invoice bill: amount_paise -1"],
    ["parts of a paisa", withBill({ amount_paise: 0.5 }), "invoice bill: amount_paise 0.5"],
    ["an amount that is no number", withBill({ amount_paise: Number.NaN }), "amount_paise NaN"],
    ["an amount beyond exact integers", withBill({ amount_paise: 2 ** 53 }), "amount_paise 9007199254740992"],
    ["a day that is no number", withBill({ invoice_day: Number.NaN }), "invoice bill: invoice_day NaN"],
    ["half a day", withBill({ invoice_day: T - 0.5 }), `invoice_day ${T - 0.5}`],
    ["a day beyond the calendar", withBill({ invoice_day: 2 ** 31 }), "invoice_day 2147483648"],
    ["a due day that is no day", withBill({ due_day: Number.POSITIVE_INFINITY }), "due_day Infinity"],
    ["a due day before the invoice", withBill({ due_day: T - 61 }), "invoice bill is due before its day"],
    ["a credit note of nothing", statement([bill, creditNote(T, { amount_paise: 0 })]), "amount_paise 0"],
    ["a payment of nothing", withPayment({ amount_paise: 0 }), "payment paid: amount_paise 0"],
    ["a negative payment", withPayment({ amount_paise: -10_000 }), "payment paid: amount_paise -10000"],
    ["a payment on no day", withPayment({ paid_day: Number.NaN }), "payment paid: paid_day NaN"],
    ["an invoice twice", statement([bill, { ...bill }]), "invoice bill is there twice"],
    [
      "a credit note with an invoice's id",
      statement([bill, creditNote(T, { invoice_id: "bill" })]),
      "invoice bill is there twice",
    ],
    ["a payment twice", statement([bill], [paid, { ...paid }]), "payment paid is there twice"],
    [
      "a distributor twice",
      statement([bill], [], { sources: [source(), source()] }),
      "source d1 is there twice",
    ],
    ["a term that is no number", withSource({ usual_term_days: Number.NaN }), "usual_term_days NaN"],
    ["a negative term", withSource({ usual_term_days: -1 }), "usual_term_days -1"],
    ["a first day that is no day", withSource({ first_invoice_day: 0.1 }), "first_invoice_day 0.1"],
    ["a count below 0", withSource({ records_quarantined: -1 }), "records_quarantined -1"],
  ])("%s", (_, given, message) => {
    expect(() => computeFeatures(given, T)).toThrow(StatementRefusedError);
    expect(() => computeFeatures(given, T)).toThrow(message);
    expect(() => replayInputsOf(given, T)).toThrow(message);
  });

  it("amounts that together go beyond exact sums, each of them allowed", () => {
    const large = (invoice_id: string) => ({ ...bill, invoice_id, amount_paise: 50_000_000_000_000 });
    expect(() => computeFeatures(statement([large("a")]), T)).not.toThrow();
    expect(() => computeFeatures(statement([large("a"), large("b")]), T)).toThrow("beyond exact sums");
  });

  it("an as-of day that is no day", () => {
    expect(() => computeFeatures(statement([bill]), Number.NaN)).toThrow("as_of_day NaN is no day");
    expect(() => computeFeatures(statement([bill]), T + 0.5)).toThrow(StatementRefusedError);
  });

  it("but the same id at another distributor is another row", () => {
    const other = { ...bill, distributor_id: "d2" };
    const both = statement([bill, other], [paid, { ...paid, distributor_id: "d2" }]);
    expect(feature(both, T, "zero_delay_rate")).toBe(1);
    expect(feature(both, T, "distributor_count")).toBe(2);
  });
});

describe("what is odd but possible has a defined result", () => {
  it("a payment above its invoice settles it; what is too much counts for nothing", () => {
    const given = statement([bill, invoice(T - 10)], [{ ...paid, amount_paise: 25_000 }]);
    expect(feature(given, T, "avg_payment_delay_days")).toBe(0);
    expect(feature(given, T, "collect_ratio_90")).toBe(1);
    // The other invoice stays open to its last paisa.
    expect(feature(given, T, "outstanding_to_monthly")).toBe(100_000 / (110_000 / 6));
  });

  it("a payment before its invoice settles it on its day, without delay", () => {
    const given = statement([bill], [{ ...paid, paid_day: T - 90 }]);
    expect(feature(given, T, "zero_delay_rate")).toBe(1);
    expect(feature(given, T, "overdue_share")).toBe(0);
  });

  it("a payment that names no invoice, or one before the window, changes nothing, not even the bounces", () => {
    const lost = { ...paid, payment_id: "lost", invoice_id: "nothing", bounced: true };
    const old = invoice(T - 1_300, { invoice_id: "old" });
    const late = payment(old, T - 1, { payment_id: "late", bounced: true });
    const given = computeFeatures(statement([bill, old], [paid, lost, late]), T);
    expect(given?.values).toEqual(computeFeatures(statement([bill], [paid]), T)?.values);
  });

  it("a payment that names a credit note changes nothing", () => {
    const note = creditNote(T - 20, { invoice_id: "note" });
    const given = computeFeatures(statement([bill, note], [paid, payment(note, T - 5)]), T);
    expect(given?.values).toEqual(computeFeatures(statement([bill, note], [paid]), T)?.values);
  });

  it("an invoice due on its own day has no term to use up", () => {
    const cash = { ...bill, due_day: bill.invoice_day };
    expect(feature(statement([cash], [payment(cash, cash.invoice_day)]), T, "zero_delay_rate")).toBe(1);
    expect(feature(statement([cash]), T, "credit_term_utilization")).toBeNull();
  });

  it("returns above what was bought leave no trend, no limit on a GMV below 0, and no NaN", () => {
    const bills = Array.from({ length: 12 }, (_, k) => invoice(T - 30 * k));
    const notes = bills.map((row) => creditNote(row.invoice_day, { amount_paise: 3 * row.amount_paise }));
    const computed = computeFeatures(statement([...bills, ...notes]), T)!;
    expect(computed.values[FEATURE_INDEX.gmv_trend_slope]).toBeNull();
    expect(computed.values[FEATURE_INDEX.avg_monthly_gmv_log]).toBe(0);
    expect(computed.values.every((value) => value === null || Number.isFinite(value))).toBe(true);
    expect(replayInputsOf(statement([...bills, ...notes]), T).gmv_6m_paise).toBeLessThan(0);
  });
});
