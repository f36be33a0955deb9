import { describe, expect, it } from "vitest";
import { generateLedger } from "../../src/synthetic/kirana.ts";
import type { LedgerRequest, SyntheticLedger } from "../../src/synthetic/types.ts";

const END_DAY = 20_700;
const DEMO: LedgerRequest = { seed: "demo", retailers: 60, distributors: 2, months: 24, end_day: END_DAY };
const demo = generateLedger(DEMO);
const large = generateLedger({ ...DEMO, seed: "large", retailers: 300, distributors: 8, trade_share: 0.4 });
const key = (row: { distributor_index: number; invoice_id: string }): string =>
  `${row.distributor_index} ${row.invoice_id}`;

/** Days late of every invoice due at least 150 days before the end; unpaid ones count up to the end. */
function daysLate(ledger: SyntheticLedger): { retailer_index: number; days: number }[] {
  const settled = new Map<string, number>();
  for (const payment of ledger.payments) {
    if (!payment.bounced)
      settled.set(key(payment), Math.max(settled.get(key(payment)) ?? 0, payment.paid_day));
  }
  return ledger.invoices.flatMap((invoice) =>
    invoice.is_return || invoice.due_day === null || invoice.due_day > END_DAY - 150
      ? []
      : [
          {
            retailer_index: invoice.retailer_index,
            days: (settled.get(key(invoice)) ?? END_DAY) - invoice.due_day,
          },
        ],
  );
}

describe("the generated kirana ledger", () => {
  it("is the same for the same request and another for another seed", () => {
    expect(generateLedger(DEMO)).toEqual(demo);
    expect(generateLedger({ ...DEMO, seed: "other" }).invoices).not.toEqual(demo.invoices);
  });

  it("has the retailers, distributors and months asked for, and nothing after its end", () => {
    expect(demo.retailers).toHaveLength(60);
    expect(demo.distributors.map((distributor) => distributor.erp_type)).toEqual(["tally_prime", "sap_b1"]);
    const days = demo.invoices.map((invoice) => invoice.invoice_day);
    expect(Math.max(...days, ...demo.payments.map((payment) => payment.paid_day))).toBeLessThanOrEqual(
      END_DAY,
    );
    expect(Math.min(...days)).toBeGreaterThan(END_DAY - 24.1 * 30.4375);
    expect(new Set(demo.invoices.map((invoice) => invoice.retailer_index)).size).toBe(60);
  });

  it("fits into ten batches of 1,000 records for each distributor of the demonstration", () => {
    for (const { index } of demo.distributors) {
      const own = (row: { distributor_index: number }): boolean => row.distributor_index === index;
      expect(demo.invoices.filter(own).length + demo.payments.filter(own).length).toBeLessThan(10_000);
    }
  });

  it("passes the door's own rules: ids unique, amounts within limits, terms within 180 days, payments not before invoices", () => {
    for (const ledger of [demo, large]) {
      const invoiceDay = new Map(ledger.invoices.map((invoice) => [key(invoice), invoice.invoice_day]));
      expect(invoiceDay.size).toBe(ledger.invoices.length);
      const payment_keys = ledger.payments.map((row) => `${row.distributor_index} ${row.payment_id}`);
      expect(new Set(payment_keys).size).toBe(ledger.payments.length);
      expect(new Set(ledger.retailers.map((retailer) => retailer.gstin)).size).toBe(ledger.retailers.length);
      expect(ledger.retailers.filter(({ phone }) => !/^[6-9][0-9]{9}$/.test(phone))).toEqual([]);
      const bad_invoices = ledger.invoices.filter((invoice) => {
        const term_days = (invoice.due_day ?? invoice.invoice_day) - invoice.invoice_day;
        const amount_fits =
          Number.isInteger(invoice.amount_paise) &&
          invoice.amount_paise > 0 &&
          invoice.amount_paise <= 500_000_000;
        const names_rightly = invoice.original_invoice_id === null || invoice.is_return;
        return !amount_fits || !names_rightly || term_days < 0 || term_days > 60;
      });
      expect(bad_invoices).toEqual([]);
      const bad_payments = ledger.payments.filter((payment) => {
        const whole = Number.isInteger(payment.amount_paise) && payment.amount_paise > 0;
        return !whole || !(payment.paid_day >= invoiceDay.get(key(payment))!);
      });
      expect(bad_payments).toEqual([]);
    }
  });

  it("never pays and credits more than was invoiced", () => {
    const open = new Map<string, number>();
    for (const invoice of large.invoices) {
      if (!invoice.is_return) open.set(key(invoice), invoice.amount_paise);
    }
    for (const invoice of large.invoices) {
      const named = invoice.original_invoice_id;
      if (named === null) continue;
      const original = key({ distributor_index: invoice.distributor_index, invoice_id: named });
      open.set(original, open.get(original)! - invoice.amount_paise);
    }
    for (const payment of large.payments) {
      if (!payment.bounced) open.set(key(payment), open.get(key(payment))! - payment.amount_paise);
    }
    expect(Math.min(...open.values())).toBe(0);
  });

  it("pays late as often as published receivables behaviour says", () => {
    const days = daysLate(large).map((row) => row.days);
    const share = (low: number, high: number): number =>
      days.filter((value) => value >= low && value <= high).length / days.length;
    expect(share(-999, 0)).toBeCloseTo(0.58, 1);
    expect(share(1, 3)).toBeCloseTo(0.27, 1);
    expect(Math.abs(share(4, 7) - 0.08)).toBeLessThan(0.01);
    expect(Math.abs(share(8, 15) - 0.032)).toBeLessThan(0.006);
    expect(Math.abs(share(31, 60) - 0.016)).toBeLessThan(0.006);
    expect(share(91, 9_999)).toBeLessThan(0.005);
  });

  it("makes slow payers slower than punctual ones, without making anyone a certainty", () => {
    const kind = new Map(large.retailers.map((retailer) => [retailer.index, retailer.kind]));
    const ontime = (wanted: string): number => {
      const rows = daysLate(large).filter((row) => kind.get(row.retailer_index) === wanted);
      return rows.filter((row) => row.days <= 0).length / rows.length;
    };
    expect(ontime("punctual")).toBeGreaterThan(ontime("average") + 0.15);
    expect(ontime("average")).toBeGreaterThan(ontime("slow") + 0.15);
    expect(ontime("punctual")).toBeLessThan(0.97);
    expect(ontime("slow")).toBeGreaterThan(0.03);
  });

  it("holds what real books hold: partial payments, bounced cheques, returns, disputes, missing due days, unpaid invoices", () => {
    const share = (count: number): number => count / large.invoices.length;
    const goods = large.invoices.filter((invoice) => !invoice.is_return);
    const paid_keys = new Set(large.payments.map(key));
    expect(share(large.payments.filter((payment) => payment.bounced).length)).toBeGreaterThan(0.005);
    expect(large.payments.filter((p) => p.bounced).every((p) => p.payment_method === "cheque")).toBe(true);
    expect(share(large.invoices.filter((invoice) => invoice.is_return).length)).toBeGreaterThan(0.02);
    expect(share(goods.filter((invoice) => invoice.disputed).length)).toBeGreaterThan(0.005);
    expect(share(goods.filter((invoice) => invoice.due_day === null).length)).toBeGreaterThan(0.001);
    expect(large.payments.length).toBeGreaterThan(new Set(large.payments.map(key)).size);
    const old_unpaid = goods.filter((row) => row.invoice_day < END_DAY - 250 && !paid_keys.has(key(row)));
    expect(old_unpaid.length).toBeGreaterThan(0);
  });

  it("refuses a request that asks for nothing", () => {
    for (const wrong of [
      { retailers: 0 },
      { distributors: 0 },
      { months: 0 },
      { end_day: -1 },
      { retailers: 1.5 },
    ]) {
      expect(() => generateLedger({ ...DEMO, ...wrong })).toThrow(RangeError);
    }
  });
});
