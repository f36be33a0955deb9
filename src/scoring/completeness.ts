import { CSV_ONLY_MAX_COMPLETENESS } from "./guardrails.ts";
import { completeMonths, type MonthlySeries } from "./monthly.ts";
import type { LedgerView } from "./settlement.ts";
import type { Completeness, StatementSource } from "./types.ts";

const WEIGHTS = { invoice: 0.3, payment: 0.3, temporal: 0.2, identity: 0.1, schema: 0.1 } as const;
/** What an invoice should carry: its number, its date, its amount, its due date. Only the last can be missing here. */
const INVOICE_FIELDS = 4;
const TEMPORAL_MONTHS = 24;
const BUSY_MONTH_INVOICES = 5;

function oneDecimal(percent: number): number {
  return Math.round(percent * 10) / 10;
}

/** Share of the expected fields that the statement's invoices carry. */
function invoiceShare(view: LedgerView): number {
  return 1 - view.due_missing / (INVOICE_FIELDS * view.count);
}

/**
 * Share of the invoices due by now that a non-bounced payment or a credit note touched. Nothing due yet counts as 0:
 * how this retailer pays has not been seen.
 */
function paymentShare(view: LedgerView): number {
  let due = 0;
  let answered = 0;
  for (let i = 0; i < view.count; i++) {
    if (view.due_day[i]! > view.as_of_day) continue;
    due++;
    if (view.paid_paise[i]! > 0 || view.settled[i] === 1) answered++;
  }
  return due === 0 ? 0 : answered / due;
}

/**
 * Share of the last 24 complete months since the first invoice's that have at least five invoices. In a retailer's
 * first month, which is not over, that month stands for itself.
 */
function temporalShare(series: MonthlySeries): number {
  const { from, to } = completeMonths(series, TEMPORAL_MONTHS);
  const months = series.invoices.subarray(from, Math.max(to, from + 1));
  let busy = 0;
  for (const invoices of months) if (invoices >= BUSY_MONTH_INVOICES) busy++;
  return busy / months.length;
}

/** Share of the records received from the retailer's distributors that were not quarantined. */
function schemaShare(sources: readonly StatementSource[]): number {
  let received = 0;
  let quarantined = 0;
  for (const source of sources) {
    received += source.records_received;
    quarantined += source.records_quarantined;
  }
  return received === 0 ? 1 : Math.max(0, 1 - quarantined / received);
}

/** Whether every source is a csv upload, which no ERP vouches for. */
function isCsvOnly(sources: readonly StatementSource[]): boolean {
  return sources.length > 0 && sources.every((source) => source.erp_type === "csv");
}

/**
 * How complete the records of one retailer are over its distributors (scoring.md §3), in percent with one decimal.
 * `ledger` is null without an invoice in the window: then only identity and schema count.
 */
export function completenessOf(
  ledger: { view: LedgerView; series: MonthlySeries } | null,
  sources: readonly StatementSource[],
  identity_verified: boolean,
): { completeness: Completeness; csv_capped: boolean } {
  const invoice = ledger === null ? 0 : 100 * invoiceShare(ledger.view);
  const payment = ledger === null ? 0 : 100 * paymentShare(ledger.view);
  const temporal = ledger === null ? 0 : 100 * temporalShare(ledger.series);
  const identity = identity_verified ? 100 : 0;
  const schema = 100 * schemaShare(sources);
  const weighted = oneDecimal(
    WEIGHTS.invoice * invoice +
      WEIGHTS.payment * payment +
      WEIGHTS.temporal * temporal +
      WEIGHTS.identity * identity +
      WEIGHTS.schema * schema,
  );
  const csv_capped = isCsvOnly(sources) && weighted > CSV_ONLY_MAX_COMPLETENESS;
  const completeness = {
    score: csv_capped ? CSV_ONLY_MAX_COMPLETENESS : weighted,
    invoice: oneDecimal(invoice),
    payment: oneDecimal(payment),
    temporal: oneDecimal(temporal),
    identity,
    schema: oneDecimal(schema),
  };
  return { completeness, csv_capped };
}
