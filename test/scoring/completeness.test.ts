import { describe, expect, it } from "vitest";
import { completenessOf } from "../../src/scoring/completeness.ts";
import { computeFeatures } from "../../src/scoring/features.ts";
import type { Statement } from "../../src/scoring/types.ts";
import { creditNote, day, invoice, payment, source, statement } from "./builders.ts";

const T = day("2026-03-20");
const of = (given: Statement) =>
  completenessOf(computeFeatures(given, T), given.sources, given.identity_verified);

/** `per_month` paid invoices in each of the 24 months before the running one. */
function busy(per_month: number, overrides: Partial<Statement> = {}): Statement {
  const invoices = Array.from({ length: 24 * per_month }, (_, k) => {
    const month = new Date(Date.UTC(2024, 2 + Math.floor(k / per_month), 1 + (k % per_month)));
    return invoice(day(month.toISOString().slice(0, 10)), {
      due_day: day(month.toISOString().slice(0, 10)) + 10,
    });
  });
  return statement(
    invoices,
    invoices.map((bill) => payment(bill, bill.due_day!)),
    overrides,
  );
}

describe("completeness", () => {
  it("is 100 for two busy, paid, verified years without a quarantined record", () => {
    expect(of(busy(5)).completeness).toEqual({
      score: 100,
      invoice: 100,
      payment: 100,
      temporal: 100,
      identity: 100,
      schema: 100,
    });
  });

  it("weighs 30 invoice fields, 30 payments, 20 months, 10 identity, 10 schema", () => {
    const full = busy(5);
    const without_due = { ...full, invoices: full.invoices.map((row) => ({ ...row, due_day: null })) };
    expect(of(without_due).completeness).toMatchObject({ invoice: 75, score: 92.5 });
    expect(of({ ...full, payments: [] }).completeness).toMatchObject({ payment: 0, score: 70 });
    expect(of(busy(4)).completeness).toMatchObject({ temporal: 0, score: 80 });
    expect(of({ ...full, identity_verified: false }).completeness).toMatchObject({ identity: 0, score: 90 });
    const sources = [
      source({ records_received: 30, records_quarantined: 10 }),
      source({ distributor_id: "d2", records_received: 70 }),
    ];
    expect(of({ ...full, sources }).completeness).toMatchObject({ schema: 90, score: 99 });
  });

  it("counts a bounced payment as none, and a settling credit note as one", () => {
    const bill = invoice(T - 60);
    const note = creditNote(T - 50, { original_invoice_id: bill.invoice_id });
    expect(of(statement([bill], [payment(bill, T - 40, { bounced: true })])).completeness.payment).toBe(0);
    expect(of(statement([bill, note])).completeness.payment).toBe(100);
    expect(of(statement([bill], [payment(bill, T - 40, { amount_paise: 1 })])).completeness.payment).toBe(
      100,
    );
  });

  it("scales the months for a short history", () => {
    const young = Array.from({ length: 5 }, (_, k) => invoice(day("2026-02-03") + k));
    expect(of(statement(young)).completeness.temporal).toBe(100);
    const older = [invoice(day("2025-12-20")), ...young];
    expect(of(statement(older)).completeness.temporal).toBe(33.3);
  });

  it("of csv files alone is at most 75", () => {
    const csv = busy(5, { sources: [source({ erp_type: "csv" })] });
    expect(of(csv)).toMatchObject({ csv_capped: true, completeness: { score: 75 } });
    const mixed = busy(5, { sources: [source({ erp_type: "csv" }), source({ distributor_id: "d2" })] });
    expect(of(mixed)).toMatchObject({ csv_capped: false, completeness: { score: 100 } });
  });

  it("of no ledger at all is its identity and schema", () => {
    expect(of(statement([])).completeness).toMatchObject({ score: 20, invoice: 0, payment: 0, temporal: 0 });
  });
});
