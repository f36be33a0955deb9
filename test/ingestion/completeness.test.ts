import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BatchFacts, batchCompleteness, countsAsCsv } from "../../src/ingestion/completeness.ts";

const full: BatchFacts = {
  csv: false,
  records_sent: 10,
  records_quarantined: 0,
  invoices: 10,
  invoices_detailed: 10,
  invoices_identified: 10,
  invoices_due: 4,
  invoices_due_paid: 4,
  months_covered: 1,
  months_active: 1,
};

describe("the completeness of a batch", () => {
  it("is 100 when nothing is missing, and 75 at most for csv", () => {
    expect(batchCompleteness(full).score).toBe(100);
    expect(batchCompleteness({ ...full, csv: true }).score).toBe(75);
  });

  it("weighs invoice 30, payment 30, temporal 20, identity 10, schema 10", () => {
    const without = (change: Partial<BatchFacts>) => 100 - batchCompleteness({ ...full, ...change }).score;
    expect(without({ invoices_due_paid: 0 })).toBe(30);
    expect(without({ months_active: 0 })).toBe(20);
    expect(without({ invoices_identified: 0 })).toBe(10);
    expect(without({ records_quarantined: 10 })).toBe(10);
    // Four of an invoice's five fields are always there.
    expect(without({ invoices_detailed: 0 })).toBeCloseTo(6);
  });

  it("gives each dimension with one decimal", () => {
    expect(batchCompleteness({ ...full, invoices_due: 3, invoices_due_paid: 1 }).payment).toBe(33.3);
  });

  it("takes what was not there to send for complete", () => {
    const empty = { ...full, records_sent: 0, invoices: 0, invoices_detailed: 0, invoices_identified: 0 };
    expect(batchCompleteness({ ...empty, invoices_due: 0, invoices_due_paid: 0 })).toMatchObject({
      invoice: 100,
      payment: 100,
      identity: 100,
      schema: 100,
    });
  });

  it("stays within 0 and 100", () => {
    const count = fc.nat(1_000);
    const facts = fc.record({
      csv: fc.boolean(),
      records_sent: count,
      records_quarantined: count,
      invoices: count,
      invoices_detailed: count,
      invoices_identified: count,
      invoices_due: count,
      invoices_due_paid: count,
      months_covered: count,
      months_active: count,
    });
    fc.assert(
      fc.property(facts, (given) => {
        fc.pre(given.records_quarantined <= given.records_sent);
        for (const value of Object.values(batchCompleteness(given))) {
          expect(value).toBeGreaterThanOrEqual(0);
          expect(value).toBeLessThanOrEqual(100);
        }
      }),
    );
  });
});

it("a batch counts as csv if the registry or its header says so", () => {
  expect(countsAsCsv("csv", "tally_prime")).toBe(true);
  expect(countsAsCsv("sap_b1", "csv")).toBe(true);
  expect(countsAsCsv("sap_b1", "tally_prime")).toBe(false);
});
