import { monthOfDay } from "../calendar.ts";
import { FEATURE_INDEX as F } from "../feature-table.ts";
import { activeMonths, completeMonths, type MonthlySeries, trendYear } from "../monthly.ts";
import type { LedgerView } from "../settlement.ts";
import { mean, populationSd } from "../stats.ts";

const AMPLITUDE_MONTHS = 24;
const AMPLITUDE_MIN_TENURE_MONTHS = 18;
const AMPLITUDE_CAP = 20;
const WINDOW_MONTHS = 3;
const OFF_SEASON_MIN_TENURE_MONTHS = 12;
const WEAK_MONTHS = 6;
const CROSTON_ALPHA = 0.1;

/** Features 32 and 33: how deep the slow season goes, and how well the months after it recover. */
function amplitudeAndRecovery(series: MonthlySeries, out: Float64Array): void {
  if (series.tenure_months < AMPLITUDE_MIN_TENURE_MONTHS) return;
  const { from, to } = completeMonths(series, AMPLITUDE_MONTHS);
  const gmv = series.gmv_paise.subarray(from, to);
  let lowest = Number.POSITIVE_INFINITY;
  let highest = Number.NEGATIVE_INFINITY;
  let lowest_at = 0;
  // Sums of integer paise are exact, so equal windows compare equal and the first of them is found.
  for (let k = 0; k + WINDOW_MONTHS <= gmv.length; k++) {
    const window = gmv[k]! + gmv[k + 1]! + gmv[k + 2]!;
    if (window < lowest) {
      lowest = window;
      lowest_at = k;
    }
    if (window > highest) highest = window;
  }
  out[F.seasonal_amplitude] = lowest <= 0 ? AMPLITUDE_CAP : Math.min(AMPLITUDE_CAP, highest / lowest);

  const after = gmv.subarray(lowest_at + WINDOW_MONTHS, lowest_at + 2 * WINDOW_MONTHS);
  const year_mean = mean(trendYear(series).gmv_paise);
  if (after.length > 0 && year_mean > 0) {
    out[F.seasonal_recovery_rate] = Math.min(2, Math.max(0, mean(after) / year_mean));
  }
}

/** Feature 34: mean delay of what fell due in the six weakest months of M12 minus that of the six strongest. */
function offSeasonDelay(view: LedgerView, series: MonthlySeries, out: Float64Array): void {
  if (series.tenure_months < OFF_SEASON_MIN_TENURE_MONTHS) return;
  const year = trendYear(series);
  const ranked = Array.from(year.gmv_paise, (_, k) => k);
  ranked.sort((a, b) => year.gmv_paise[a]! - year.gmv_paise[b]! || a - b);
  const is_weak = new Uint8Array(ranked.length);
  for (let r = 0; r < WEAK_MONTHS; r++) is_weak[ranked[r]!] = 1;
  const late_sum = [0, 0];
  const due = [0, 0];
  for (let i = 0; i < view.count; i++) {
    const k = monthOfDay(view.due_day[i]!) - year.first_month;
    if (k < 0 || k >= ranked.length) continue;
    const side = is_weak[k]!;
    late_sum[side]! += view.late_days[i]!;
    due[side]!++;
  }
  if (due[0]! > 0 && due[1]! > 0) {
    out[F.off_season_payment_delay] = late_sum[1]! / due[1]! - late_sum[0]! / due[0]!;
  }
}

/** Feature 36. */
function demandIntervals(series: MonthlySeries, out: Float64Array): void {
  const active = activeMonths(series);
  if (active.length < 3) return;
  const intervals: number[] = [];
  for (let k = 1; k < active.length; k++) intervals.push(active[k]! - active[k - 1]!);
  out[F.inter_demand_cv] = populationSd(intervals) / mean(intervals);
}

/**
 * Feature 35: Croston's demand rate with the Syntetos-Boylan correction, in invoices a month, over the complete
 * months of the series. 0 when none of them has an invoice.
 */
export function crostonRate(series: MonthlySeries): number {
  const { to } = completeMonths(series, series.invoices.length);
  let size = 0;
  let interval = 0;
  let last = -1;
  for (let k = 0; k < to; k++) {
    const count = series.invoices[k]!;
    if (count === 0) continue;
    if (last < 0) {
      size = count;
      interval = k + 1;
    } else {
      size += CROSTON_ALPHA * (count - size);
      interval += CROSTON_ALPHA * (k - last - interval);
    }
    last = k;
  }
  return last < 0 ? 0 : ((1 - CROSTON_ALPHA / 2) * size) / interval;
}

/** Features 32-34 and 36 into `out` (NaN where null); 35 waits for the route. */
export function seasonalFeatures(view: LedgerView, series: MonthlySeries, out: Float64Array): void {
  amplitudeAndRecovery(series, out);
  offSeasonDelay(view, series, out);
  demandIntervals(series, out);
}
