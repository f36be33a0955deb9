import { FEATURE_INDEX as F } from "../feature-table.ts";
import { type MonthlySeries, trendYear } from "../monthly.ts";
import type { LedgerView } from "../settlement.ts";
import { mean, olsSlope } from "../stats.ts";

const TREND_MIN_TENURE_MONTHS = 6;
const YOY_MIN_TENURE_MONTHS = 24;
const FREQ_TREND_MIN_TENURE_DAYS = 150;
const PAISE_PER_RUPEE = 100;

function sum(values: Float64Array): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}

/** Feature 27: the last 12 complete months against the 12 before them. */
function yearOnYear(series: MonthlySeries, this_year_paise: number, out: Float64Array): void {
  if (series.tenure_months < YOY_MIN_TENURE_MONTHS) return;
  const to = series.last_complete_month - series.first_month + 1;
  const earlier_paise = sum(series.gmv_paise.subarray(Math.max(0, to - 24), Math.max(0, to - 12)));
  if (earlier_paise <= 0) return;
  out[F.gmv_yoy_growth] = Math.min(3, Math.max(-1, this_year_paise / earlier_paise - 1));
}

/** Feature 31. */
function frequencyTrend(view: LedgerView, out: Float64Array): void {
  if (view.as_of_day - view.first_invoice_day < FREQ_TREND_MIN_TENURE_DAYS) return;
  let recent = 0;
  let before = 0;
  for (let i = 0; i < view.count; i++) {
    const age_days = view.as_of_day - view.invoice_day[i]!;
    if (age_days < 90) recent++;
    else if (age_days < 180) before++;
  }
  out[F.freq_trend] = Math.log((recent + 1) / (before + 1));
}

/** Features 25-31 into `out` (NaN where null). */
export function trajectoryFeatures(view: LedgerView, series: MonthlySeries, out: Float64Array): void {
  const year = trendYear(series);
  const months = year.gmv_paise.length;
  const total_paise = sum(year.gmv_paise);
  const mean_paise = months === 0 ? 0 : total_paise / months;
  const has_trend = series.tenure_months >= TREND_MIN_TENURE_MONTHS;
  if (mean_paise > 0) {
    if (has_trend) out[F.gmv_trend_slope] = olsSlope(year.gmv_paise) / mean_paise;
    out[F.gmv_3m_vs_12m_ratio] = mean(year.gmv_paise.subarray(Math.max(0, months - 3))) / mean_paise;
  }
  yearOnYear(series, total_paise, out);

  let active = 0;
  for (let k = 0; k < months; k++) if (year.invoices[k]! > 0) active++;
  const possible = Math.min(12, series.tenure_months);
  out[F.active_months_pct] = possible === 0 ? 0 : Math.min(100, (100 * active) / possible);

  const mean_count = months === 0 ? 0 : mean(year.invoices);
  if (has_trend && mean_count > 0) out[F.invoice_count_trend] = olsSlope(year.invoices) / mean_count;
  out[F.avg_monthly_gmv_log] = Math.log(1 + Math.max(0, mean_paise / PAISE_PER_RUPEE));
  frequencyTrend(view, out);
}
