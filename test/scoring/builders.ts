import fc from "fast-check";
import { isoToDay } from "../../src/lib/days.ts";
import { FEATURE_INDEX, type FeatureName } from "../../src/scoring/feature-table.ts";
import { computeFeatures } from "../../src/scoring/features.ts";
import type {
  Statement,
  StatementInvoice,
  StatementPayment,
  StatementSource,
} from "../../src/scoring/types.ts";

/** Day number of an ISO date; throws on a typo in a test. */
export function day(iso: string): number {
  const value = isoToDay(iso);
  if (Number.isNaN(value)) throw new RangeError(`not a date: ${iso}`);
  return value;
}

let sequence = 0;

/** An invoice of Rs 1,000 due 30 days after its day, of distributor d1, unless told otherwise. */
export function invoice(invoice_day: number, overrides: Partial<StatementInvoice> = {}): StatementInvoice {
  return {
    distributor_id: "d1",
    invoice_id: `inv-${++sequence}`,
    invoice_day,
    due_day: invoice_day + 30,
    amount_paise: 100_000,
    is_return: false,
    original_invoice_id: null,
    disputed: false,
    ...overrides,
  };
}

/** A credit note that names no invoice unless told otherwise. */
export function creditNote(note_day: number, overrides: Partial<StatementInvoice> = {}): StatementInvoice {
  return invoice(note_day, { is_return: true, due_day: null, ...overrides });
}

/** Full payment of an invoice on a day, unless told otherwise. */
export function payment(
  of: StatementInvoice,
  paid_day: number,
  overrides: Partial<StatementPayment> = {},
): StatementPayment {
  return {
    distributor_id: of.distributor_id,
    payment_id: `pay-${++sequence}`,
    invoice_id: of.invoice_id,
    paid_day,
    amount_paise: of.amount_paise,
    bounced: false,
    ...overrides,
  };
}

/** A Tally ledger with 30-day terms and nothing quarantined. */
export function source(overrides: Partial<StatementSource> = {}): StatementSource {
  return {
    distributor_id: "d1",
    erp_type: "tally_prime",
    usual_term_days: 30,
    first_invoice_day: null,
    records_received: 100,
    records_quarantined: 0,
    ...overrides,
  };
}

/** A statement of one verified retailer. */
export function statement(
  invoices: StatementInvoice[],
  payments: StatementPayment[] = [],
  overrides: Partial<Statement> = {},
): Statement {
  return {
    retailer_id: "ret_0000000000000001",
    sources: [source()],
    invoices,
    payments,
    identity_verified: true,
    ...overrides,
  };
}

/** One feature of a statement; throws when there is no row. */
export function feature(of: Statement, as_of_day: number, name: FeatureName): number | null {
  const computed = computeFeatures(of, as_of_day);
  if (computed === null) throw new Error("no feature row");
  return computed.values[FEATURE_INDEX[name]]!;
}

/** Statements of up to 40 rows around `as_of_day`: several distributors, credit notes, part and bounced payments, future rows. */
export function anyStatement(as_of_day: number): fc.Arbitrary<Statement> {
  const distributor = fc.constantFrom("d1", "d2", "d10");
  const row = fc.record({
    distributor_id: distributor,
    age_days: fc.oneof(fc.integer({ min: -20, max: 200 }), fc.integer({ min: -20, max: 1300 })),
    term_days: fc.option(fc.nat(60)),
    amount_paise: fc.integer({ min: 1, max: 50_000_000 }),
    is_return: fc.boolean(),
    disputed: fc.boolean(),
    paid: fc.array(
      fc.record({
        after_days: fc.nat(120),
        share: fc.constantFrom(0.3, 0.5, 0.97, 1, 1.2),
        bounced: fc.constantFrom(false, false, false, true),
      }),
      { maxLength: 3 },
    ),
  });
  return fc
    .record({ rows: fc.array(row, { maxLength: 40 }), first_age_days: fc.option(fc.nat(2500)) })
    .map(({ rows, first_age_days }) => {
      const invoices: StatementInvoice[] = [];
      const payments: StatementPayment[] = [];
      rows.forEach((r, i) => {
        const invoice_day = as_of_day - r.age_days;
        const named = r.is_return && i % 2 === 1 ? (rows[i - 1]!.is_return ? null : `i${i - 1}`) : null;
        invoices.push({
          distributor_id: named === null ? r.distributor_id : rows[i - 1]!.distributor_id,
          invoice_id: `i${i}`,
          invoice_day,
          due_day: r.term_days === null ? null : invoice_day + r.term_days,
          amount_paise: r.amount_paise,
          is_return: r.is_return,
          original_invoice_id: named,
          disputed: r.disputed,
        });
        if (r.is_return) return;
        r.paid.forEach(({ after_days, share, bounced }, k) => {
          payments.push({
            distributor_id: r.distributor_id,
            payment_id: `p${i}-${k}`,
            invoice_id: `i${i}`,
            paid_day: invoice_day + after_days,
            amount_paise: Math.ceil(r.amount_paise * share),
            bounced,
          });
        });
      });
      const first_invoice_day = first_age_days === null ? null : as_of_day - first_age_days;
      const sources = ["d1", "d2"].map((distributor_id) => source({ distributor_id, first_invoice_day }));
      return statement(invoices, payments, { sources });
    });
}

/** Statements of a retailer that orders every few days over up to three years and mostly pays. */
export function regularStatement(as_of_day: number): fc.Arbitrary<Statement> {
  const row = fc.record({
    gap_days: fc.integer({ min: 0, max: 20 }),
    amount_paise: fc.integer({ min: 100_000, max: 5_000_000 }),
    paid_after_days: fc.integer({ min: 5, max: 60 }),
    returned: fc.constantFrom(0, 0, 0, 0, 0.1, 1),
  });
  return fc.array(row, { minLength: 60, maxLength: 100 }).map((rows) => {
    const invoices: StatementInvoice[] = [];
    const payments: StatementPayment[] = [];
    let invoice_day = as_of_day;
    for (const [i, { gap_days, amount_paise, paid_after_days, returned }] of rows.entries()) {
      invoice_day -= gap_days;
      const bill = invoice(invoice_day, { invoice_id: `i${i}`, due_day: invoice_day + 21, amount_paise });
      invoices.push(bill);
      if (returned > 0) {
        const note = {
          amount_paise: Math.round(amount_paise * returned),
          original_invoice_id: bill.invoice_id,
        };
        invoices.push(creditNote(invoice_day + 7, { invoice_id: `n${i}`, ...note }));
      }
      if (i % 9 !== 0) payments.push(payment(bill, invoice_day + paid_after_days, { payment_id: `p${i}` }));
    }
    return statement(invoices, payments);
  });
}
