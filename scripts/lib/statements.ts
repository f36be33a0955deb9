import type { ErpType, Statement, StatementInvoice, StatementPayment } from "../../src/scoring/types.ts";

/** The term of a distributor that never states a due day (features.md). */
const DEFAULT_TERM_DAYS = 30;

/** Everything ever known of one retailer, later days included. */
export interface RetailerRows {
  invoices: StatementInvoice[];
  payments: StatementPayment[];
}

/** Usual terms in days by distributor. */
export type UsualTerms = ReadonlyMap<string, number>;

/** The most frequent due - invoice difference in days; ties: the shorter; none: 30. */
export function usualTermDays(invoices: readonly StatementInvoice[]): number {
  const counts = new Map<number, number>();
  for (const { invoice_day, due_day, is_return } of invoices) {
    if (due_day === null || is_return) continue;
    counts.set(due_day - invoice_day, (counts.get(due_day - invoice_day) ?? 0) + 1);
  }
  let usual = DEFAULT_TERM_DAYS;
  let most = 0;
  for (const [term_days, count] of counts) {
    if (count > most || (count === most && term_days < usual)) [usual, most] = [term_days, count];
  }
  return usual;
}

/** Usual terms of all distributors by what is known at the end of a day. */
export function usualTermsAt(retailers: Iterable<RetailerRows>, as_of_day: number): UsualTerms {
  const known = [...retailers].flatMap(({ invoices }) =>
    invoices.filter((invoice) => invoice.invoice_day <= as_of_day),
  );
  const terms = new Map<string, number>();
  for (const [distributor_id, own] of Map.groupBy(known, (invoice) => invoice.distributor_id)) {
    terms.set(distributor_id, usualTermDays(own));
  }
  return terms;
}

/** What the engine would have been given for a retailer at the end of `day`. */
export function statementAt(
  retailer_id: string,
  rows: RetailerRows,
  terms: UsualTerms,
  day: number,
  erp_type: ErpType,
): Statement {
  const invoices = rows.invoices.filter((invoice) => invoice.invoice_day <= day);
  const payments = rows.payments.filter((payment) => payment.paid_day <= day);
  const by_distributor = Map.groupBy(invoices, (invoice) => invoice.distributor_id);
  const sources = Array.from(by_distributor, ([distributor_id, own]) => {
    const first_day = own.reduce(
      (first, invoice) => (invoice.is_return ? first : Math.min(first, invoice.invoice_day)),
      Number.POSITIVE_INFINITY,
    );
    return {
      distributor_id,
      erp_type,
      usual_term_days: terms.get(distributor_id) ?? DEFAULT_TERM_DAYS,
      first_invoice_day: Number.isFinite(first_day) ? first_day : null,
      records_received: own.length,
      records_quarantined: 0,
    };
  });
  return { retailer_id, sources, invoices, payments, identity_verified: true };
}
