import { activeMonths, type MonthlySeries, trendYear } from "./monthly.ts";
import { mean, populationSd } from "./stats.ts";
import type { Route } from "./types.ts";

/** Below this many months of history the rules score, not the model (scoring.md §3). */
export const COLD_START_BELOW_MONTHS = 6;
const SPARSE_BELOW_ACTIVE_MONTHS = 6;
const SPARSE_MIN_TENURE_MONTHS = 12;
/** Syntetos and Boylan's borders of intermittent and lumpy demand. */
const INTERMITTENT_INTERVAL_MONTHS = 1.32;
const LUMPY_SQUARED_CV = 0.49;
const SEASONAL_AMPLITUDE_FROM = 10;

/** Demand that comes rarely and in uneven lumps, over the complete months since the first invoice. */
function isLumpy(series: MonthlySeries): boolean {
  const active = activeMonths(series);
  if (active.length < 2) return false;
  const mean_interval = (active[active.length - 1]! - active[0]!) / (active.length - 1);
  if (mean_interval <= INTERMITTENT_INTERVAL_MONTHS) return false;
  const counts = active.map((k) => series.invoices[k]!);
  const cv = populationSd(counts) / mean(counts);
  return cv * cv > LUMPY_SQUARED_CV;
}

/** The sparse rule of features.md (last paragraph); `seasonal_amplitude` is feature 32, NaN when null. */
function isSparse(series: MonthlySeries, seasonal_amplitude: number): boolean {
  if (series.tenure_months >= SPARSE_MIN_TENURE_MONTHS) {
    let active = 0;
    for (const count of trendYear(series).invoices) if (count > 0) active++;
    if (active < SPARSE_BELOW_ACTIVE_MONTHS) return true;
  }
  return seasonal_amplitude >= SEASONAL_AMPLITUDE_FROM || isLumpy(series);
}

/** Which way a retailer is scored (scoring.md §4): too young for the model, too sparse for its order features, or neither. */
export function routeOf(series: MonthlySeries, seasonal_amplitude: number): Route {
  if (series.tenure_months < COLD_START_BELOW_MONTHS) return "cold_start";
  return isSparse(series, seasonal_amplitude) ? "sparse" : "primary";
}
