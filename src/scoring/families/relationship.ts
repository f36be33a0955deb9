import { minusMonths } from "../calendar.ts";
import { FEATURE_INDEX as F } from "../feature-table.ts";
import type { MonthlySeries } from "../monthly.ts";
import type { LedgerView } from "../settlement.ts";

const UTILIZATION_CAP = 10;
const OUTSTANDING_CAP_MONTHS = 12;

/** Feature 39: how much of the granted terms was used, by value, over DUE180. */
function termUtilization(view: LedgerView, out: Float64Array): void {
  let used = 0;
  let granted = 0;
  for (let i = 0; i < view.count; i++) {
    const due_day = view.due_day[i]!;
    if (due_day > view.as_of_day || due_day <= view.as_of_day - 180) continue;
    used += (view.end_day[i]! - view.invoice_day[i]!) * view.amount_paise[i]!;
    granted += (due_day - view.invoice_day[i]!) * view.amount_paise[i]!;
  }
  if (granted > 0) out[F.credit_term_utilization] = Math.min(UTILIZATION_CAP, used / granted);
}

/** Feature 40. */
function outstanding(view: LedgerView, out: Float64Array): void {
  let billed = 0;
  let open = 0;
  for (let i = 0; i < view.count; i++) {
    if (view.invoice_day[i]! > view.as_of_day - 180) billed += view.amount_paise[i]!;
    open += view.open_paise[i]!;
  }
  if (billed > 0) out[F.outstanding_to_monthly] = Math.min(OUTSTANDING_CAP_MONTHS, open / (billed / 6));
  else if (open > 0) out[F.outstanding_to_monthly] = OUTSTANDING_CAP_MONTHS;
}

/** Features 37-42 into `out` (NaN where null). */
export function relationshipFeatures(view: LedgerView, series: MonthlySeries, out: Float64Array): void {
  out[F.distributor_tenure_months] = series.tenure_months;
  const recent_after_day = minusMonths(view.as_of_day, 24);
  const year_after_day = minusMonths(view.as_of_day, 12);
  const distributors = new Set<string>();
  let invoices = 0;
  let disputed = 0;
  let last_invoice_day = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < view.count; i++) {
    const invoice_day = view.invoice_day[i]!;
    if (invoice_day > recent_after_day) distributors.add(view.distributor_id[i]!);
    if (invoice_day > year_after_day) {
      invoices++;
      disputed += view.disputed[i]!;
    }
    if (invoice_day > last_invoice_day) last_invoice_day = invoice_day;
  }
  out[F.distributor_count] = distributors.size;
  termUtilization(view, out);
  outstanding(view, out);
  if (invoices > 0) out[F.dispute_rate] = disputed / invoices;
  out[F.recency_days] = view.as_of_day - last_invoice_day;
}
