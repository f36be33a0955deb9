import { firstDayOfMonth, minusMonths, monthOfDay } from "../calendar.ts";
import { FEATURE_INDEX as F } from "../feature-table.ts";
import type { MonthlySeries } from "../monthly.ts";
import type { LedgerView } from "../settlement.ts";
import { mean, medianOfSorted, populationSd } from "../stats.ts";

const FREQUENCY_MONTHS = 6;

/** Feature 19: invoices a month over up to six calendar months, the running one included. */
function orderFrequency(view: LedgerView, series: MonthlySeries, out: Float64Array): void {
  const months = Math.min(FREQUENCY_MONTHS, series.tenure_months + 1);
  const from_day = firstDayOfMonth(monthOfDay(view.as_of_day) - months + 1);
  let invoices = 0;
  for (let i = 0; i < view.count; i++) if (view.invoice_day[i]! >= from_day) invoices++;
  out[F.monthly_order_frequency] = invoices / months;
}

/** Gaps in days between the distinct invoice days of INV180, in time order. */
export function orderGaps180(view: LedgerView): number[] {
  const days: number[] = [];
  for (let i = 0; i < view.count; i++) {
    if (view.invoice_day[i]! > view.as_of_day - 180) days.push(view.invoice_day[i]!);
  }
  days.sort((a, b) => a - b);
  const gaps: number[] = [];
  for (let k = 1; k < days.length; k++) if (days[k] !== days[k - 1]) gaps.push(days[k]! - days[k - 1]!);
  return gaps;
}

/** Features 20 and 21. */
function orderGaps(view: LedgerView, out: Float64Array): void {
  const gaps = orderGaps180(view);
  if (gaps.length >= 3) out[F.order_gap_cv] = populationSd(gaps) / mean(gaps);
  if (gaps.length >= 2) out[F.order_gap_median_days] = medianOfSorted(gaps.sort((a, b) => a - b));
}

/** Features 22 and 23 over 12 months. */
function returns(view: LedgerView, out: Float64Array): void {
  const after_day = minusMonths(view.as_of_day, 12);
  let invoices = 0;
  let invoiced = 0;
  for (let i = 0; i < view.count; i++) {
    if (view.invoice_day[i]! <= after_day) continue;
    invoices++;
    invoiced += view.amount_paise[i]!;
  }
  if (invoices === 0) return;
  let notes = 0;
  let returned = 0;
  for (let i = 0; i < view.note_day.length; i++) {
    if (view.note_day[i]! <= after_day) continue;
    notes++;
    returned += view.note_paise[i]!;
  }
  out[F.return_rate_pct] = (100 * returned) / invoiced;
  out[F.return_freq_pct] = (100 * notes) / invoices;
}

/** Feature 24 over INV180. */
function basketSpread(view: LedgerView, out: Float64Array): void {
  const amounts: number[] = [];
  for (let i = 0; i < view.count; i++) {
    if (view.invoice_day[i]! > view.as_of_day - 180) amounts.push(view.amount_paise[i]!);
  }
  if (amounts.length < 3) return;
  const average = mean(amounts);
  out[F.gmv_per_order_cv] = populationSd(amounts) / average;
}

/** Features 19-24 into `out` (NaN where null). */
export function orderFeatures(view: LedgerView, series: MonthlySeries, out: Float64Array): void {
  orderFrequency(view, series, out);
  orderGaps(view, out);
  returns(view, out);
  basketSpread(view, out);
}
