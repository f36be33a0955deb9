import { lastCompleteMonth, monthOfDay } from "./calendar.ts";
import type { LedgerView } from "./settlement.ts";

/** Months a year of trend looks at (M12 of features.md). */
const TREND_MONTHS = 12;

/** Net GMV and invoice counts per calendar month, from `first_month` (index 0) to the running month. */
export interface MonthlySeries {
  /** Month of the first invoice or of the window's first day, whichever is later. */
  first_month: number;
  /** The last month that is over at the as-of day; before `first_month` when none is. */
  last_complete_month: number;
  /** Invoices minus credit notes dated in the month; integer paise. */
  gmv_paise: Float64Array;
  invoices: Int32Array;
  /** Calendar months from the first invoice's month (ever) to the as-of month. */
  tenure_months: number;
}

/** Sums a ledger view by calendar month. */
export function monthlySeries(view: LedgerView): MonthlySeries {
  const last_month = monthOfDay(view.as_of_day);
  const first_ever = monthOfDay(view.first_invoice_day);
  const first_month = Math.max(first_ever, monthOfDay(view.window_first_day));
  const gmv_paise = new Float64Array(last_month - first_month + 1);
  const invoices = new Int32Array(gmv_paise.length);
  for (let i = 0; i < view.count; i++) {
    const k = monthOfDay(view.invoice_day[i]!) - first_month;
    gmv_paise[k] = gmv_paise[k]! + view.amount_paise[i]!;
    invoices[k] = invoices[k]! + 1;
  }
  for (let i = 0; i < view.note_day.length; i++) {
    const k = monthOfDay(view.note_day[i]!) - first_month;
    // A credit note dated before the first invoice belongs to no month of the series.
    if (k >= 0) gmv_paise[k] = gmv_paise[k]! - view.note_paise[i]!;
  }
  return {
    first_month,
    last_complete_month: lastCompleteMonth(view.as_of_day),
    gmv_paise,
    invoices,
    tenure_months: last_month - first_ever,
  };
}

/** The last `months` complete months, at most as many as the series has: [from, to) as positions in it. */
export function completeMonths(series: MonthlySeries, months: number): { from: number; to: number } {
  const to = series.last_complete_month - series.first_month + 1;
  return { from: Math.max(0, to - months), to };
}

/** M12 of features.md: GMV in paise and invoice counts of the last 12 complete months since the first invoice's. */
export function trendYear(series: MonthlySeries): {
  first_month: number;
  gmv_paise: Float64Array;
  invoices: Int32Array;
} {
  const { from, to } = completeMonths(series, TREND_MONTHS);
  return {
    first_month: series.first_month + from,
    gmv_paise: series.gmv_paise.subarray(from, to),
    invoices: series.invoices.subarray(from, to),
  };
}

/** Positions of the complete months with an invoice. */
export function activeMonths(series: MonthlySeries): number[] {
  const { to } = completeMonths(series, series.invoices.length);
  const active: number[] = [];
  for (let k = 0; k < to; k++) if (series.invoices[k]! > 0) active.push(k);
  return active;
}
