import { batchCompleteness, countsAsCsv } from "../../src/ingestion/completeness.ts";
import type { AcceptInput, InvoiceRow, PaymentRow } from "../../src/ingestion/types.ts";
import { istDay } from "../../src/lib/days.ts";
import { monthOfDay } from "../../src/scoring/calendar.ts";
import type { Completeness } from "../../src/scoring/types.ts";
import { DEFAULT_TERM_DAYS } from "./statement.ts";

/** So many new payments of one amount on one day are no shop's habit: the batch waits for a person (api.md §5). */
export const BULK_PAYMENTS = 100;

/** True if `BULK_PAYMENTS` or more of the payments share day and amount. */
export function isBulkAnomaly(payments: readonly PaymentRow[]): boolean {
  if (payments.length < BULK_PAYMENTS) return false;
  const counts = new Map<string, number>();
  for (const [, , , paid_day, amount_paise] of payments) {
    const key = `${paid_day}/${amount_paise}`;
    const count = (counts.get(key) ?? 0) + 1;
    if (count >= BULK_PAYMENTS) return true;
    counts.set(key, count);
  }
  return false;
}

/**
 * Completeness of the batch. `invoices` and `payments` are its checked rows; `countPaidBefore` counts those of the
 * given invoices that have a payment in the books.
 */
export function judgeBatch(
  input: AcceptInput,
  invoices: readonly InvoiceRow[],
  payments: readonly PaymentRow[],
  records_quarantined: number,
  countPaidBefore: (invoice_ids: readonly string[]) => number,
): Completeness {
  // sync_to is the end of the span: midnight itself belongs to the next day.
  const sync_day = istDay(Math.max(input.sync_from_ms, input.sync_to_ms - 1));
  const paid = new Set<string>();
  const days = new Set<number>();
  for (const [, , invoice_id, paid_day] of payments) {
    paid.add(invoice_id);
    days.add(paid_day);
  }
  let detailed = 0;
  let due = 0;
  const due_unpaid: string[] = [];
  for (const [, invoice_id, , invoice_day, due_day, , is_return, original_invoice_id] of invoices) {
    days.add(invoice_day);
    if (is_return === 1) {
      if (original_invoice_id !== null) detailed++;
      continue;
    }
    if (due_day !== null) detailed++;
    if ((due_day ?? invoice_day + DEFAULT_TERM_DAYS) > sync_day) continue;
    due++;
    if (!paid.has(invoice_id)) due_unpaid.push(invoice_id);
  }
  const first_month = monthOfDay(istDay(input.sync_from_ms));
  const last_month = monthOfDay(sync_day);
  const months = new Set<number>();
  for (const day of days) {
    const month = monthOfDay(day);
    if (month >= first_month && month <= last_month) months.add(month);
  }
  return batchCompleteness({
    csv: countsAsCsv(input.registered_erp_type, input.erp_type),
    records_sent: input.records_sent,
    records_quarantined,
    invoices: invoices.length,
    invoices_detailed: detailed,
    invoices_identified: input.invoices_identified,
    invoices_due: due,
    invoices_due_paid: due - due_unpaid.length + (due_unpaid.length > 0 ? countPaidBefore(due_unpaid) : 0),
    months_covered: last_month - first_month + 1,
    months_active: months.size,
  });
}
