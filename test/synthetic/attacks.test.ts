import { describe, expect, it } from "vitest";
import type { StatementInvoice } from "../../src/scoring/types.ts";
import {
  ATTACKS,
  type Attack,
  attacked,
  type RetailerLedger,
  withCollectionDay,
  withRoundOrders,
} from "../../src/synthetic/attacks.ts";
import { day, invoice, payment } from "../scoring/builders.ts";

const T = day("2026-03-20");

/** An order of about Rs 1,000 every 6 days for 480 days, each paid on its due day. */
const invoices = Array.from({ length: 80 }, (_, k) =>
  invoice(T - 477 + 6 * k, { due_day: T - 477 + 6 * k + 10, amount_paise: 100_000 + k }),
);
const honest: RetailerLedger = {
  invoices,
  payments: invoices.map((row) => payment(row, row.due_day!)).filter((row) => row.paid_day <= T),
};
const isRecent = (row: StatementInvoice): boolean => !row.is_return && row.invoice_day > T - 60;
const recent = invoices.filter(isRecent);
const sum = (rows: readonly { amount_paise: number }[]): number =>
  rows.reduce((total, row) => total + row.amount_paise, 0);

function ledgerAfter(attack: Attack): RetailerLedger {
  return attacked(honest, attack, T, "seed")!;
}

describe("an attack", () => {
  it.each(ATTACKS)("%s is the same for the same seed and another for another", (attack) => {
    expect(attacked(honest, attack, T, "seed")).toEqual(ledgerAfter(attack));
    if (attack === "order_then_return") return;
    expect(attacked(honest, attack, T, "other")).not.toEqual(ledgerAfter(attack));
  });

  it.each(ATTACKS)(
    "%s leaves a ledger that could be real: unique ids, whole paise, nothing later",
    (attack) => {
      const rows = ledgerAfter(attack);
      const ids = rows.invoices.map((row) => row.invoice_id);
      expect(new Set(ids).size).toBe(ids.length);
      const payment_ids = rows.payments.map((row) => row.payment_id);
      expect(new Set(payment_ids).size).toBe(payment_ids.length);
      for (const row of [...rows.invoices, ...rows.payments]) {
        expect(Number.isInteger(row.amount_paise) && row.amount_paise > 0).toBe(true);
      }
      expect(Math.max(...rows.invoices.map((row) => row.invoice_day))).toBeLessThanOrEqual(T);
      expect(Math.max(...rows.payments.map((row) => row.paid_day))).toBeLessThanOrEqual(T);
      const known = new Set(ids);
      expect(rows.payments.every((row) => known.has(row.invoice_id))).toBe(true);
    },
  );

  it.each(ATTACKS.filter((attack) => attack !== "prompt_after_bad_years"))(
    "%s leaves everything before the last 60 days alone",
    (attack) => {
      const old = (rows: RetailerLedger) => rows.invoices.filter((row) => row.invoice_day <= T - 60);
      expect(old(ledgerAfter(attack))).toEqual(old(honest));
    },
  );

  it("order_spike makes five times as many orders as usual", () => {
    expect(recent.length).toBe(10);
    expect(ledgerAfter("order_spike").invoices.filter(isRecent).length).toBe(50);
  });

  it("order_then_return sends 80 % back", () => {
    const notes = ledgerAfter("order_then_return").invoices.filter((row) => row.is_return);
    expect(sum(notes) / sum(recent)).toBeCloseTo(0.8, 3);
  });

  it("prompt_after_bad_years is 25 to 60 days late until the last 60 days, then on time", () => {
    const rows = ledgerAfter("prompt_after_bad_years");
    const paid = new Map(rows.payments.map((row) => [row.invoice_id, row.paid_day]));
    const late = (row: StatementInvoice) => paid.get(row.invoice_id)! - row.due_day!;
    for (const row of rows.invoices.filter(({ due_day }) => due_day! <= T)) {
      if (row.due_day! > T - 60) expect(late(row)).toBe(0);
      else if (row.due_day! <= T - 120) {
        expect(late(row)).toBeGreaterThanOrEqual(25);
        expect(late(row)).toBeLessThanOrEqual(60);
      }
    }
  });

  it("order_splitting writes each order as four to eight equal ones, with their payments", () => {
    const rows = ledgerAfter("order_splitting");
    const parts = Map.groupBy(rows.invoices.filter(isRecent), (row) => row.invoice_id.split(".")[0]!);
    expect(parts.size).toBe(recent.length);
    for (const own of parts.values()) {
      expect(own.length).toBeGreaterThanOrEqual(4);
      expect(own.length).toBeLessThanOrEqual(8);
      expect(new Set(own.map((row) => row.amount_paise)).size).toBe(1);
    }
    expect(Math.abs(sum(rows.invoices) - sum(invoices))).toBeLessThan(8 * recent.length);
  });

  it("circular_payments pays ten to twenty times one amount on one day", () => {
    const added = ledgerAfter("circular_payments").payments.filter((row) =>
      row.payment_id.includes("circle"),
    );
    expect(added.length).toBeGreaterThanOrEqual(10);
    expect(added.length).toBeLessThanOrEqual(20);
    expect(new Set(added.map((row) => `${row.paid_day} ${row.amount_paise}`)).size).toBe(1);
  });

  it("credit_note_inflation stays under the rule for returns", () => {
    const notes = ledgerAfter("credit_note_inflation").invoices.filter((row) => row.is_return);
    expect(notes.length).toBe(recent.length);
    expect(sum(notes) / sum(recent)).toBeGreaterThan(0.2);
    expect(sum(notes) / sum(recent)).toBeLessThan(0.35);
  });

  it("bulk_invoice adds one invoice of at least six times the largest so far", () => {
    const added = ledgerAfter("bulk_invoice").invoices.filter((row) => row.invoice_id.endsWith("+bulk"));
    expect(added.length).toBe(1);
    expect(added[0]!.amount_paise).toBeGreaterThan(5.9 * 100_069);
  });

  it("needs orders to act on, in the last 60 days and in the year before", () => {
    const without = (dropped: (row: StatementInvoice) => boolean) => ({
      ...honest,
      invoices: invoices.filter((row) => !dropped(row)),
    });
    expect(attacked(without(isRecent), "order_spike", T, "seed")).toBeNull();
    expect(
      attacked(
        without((row) => !isRecent(row)),
        "order_spike",
        T,
        "seed",
      ),
    ).toBeNull();
  });
});

describe("an honest shop's habits", () => {
  it("round orders are multiples of a step, and their payments still settle them", () => {
    const rows = withRoundOrders(honest, 10_000);
    expect(rows.invoices.every((row) => row.amount_paise % 10_000 === 0)).toBe(true);
    const amounts = new Map(rows.invoices.map((row) => [row.invoice_id, row.amount_paise]));
    for (const row of rows.payments) expect(row.amount_paise).toBe(amounts.get(row.invoice_id));
  });

  it("a collection day moves each payment to the next such day", () => {
    const rows = withCollectionDay(honest, 3);
    rows.payments.forEach((row, i) => {
      expect(row.paid_day % 7).toBe(3);
      expect(row.paid_day - honest.payments[i]!.paid_day).toBeGreaterThanOrEqual(0);
      expect(row.paid_day - honest.payments[i]!.paid_day).toBeLessThan(7);
    });
  });
});
