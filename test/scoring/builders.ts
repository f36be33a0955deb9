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
