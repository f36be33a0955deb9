import type { Contributions } from "./contributions.ts";
import { FEATURE_COUNT, FEATURE_INDEX, type FeatureName } from "./feature-table.ts";

/**
 * The rules for a retailer with under six months of history, in log odds of default. Each rule is a line through a
 * few points {value, log odds}, flat outside them, 0 at a value that says nothing either way; a null value adds
 * nothing. The rules are judgement, not trained: they carry the signs of the feature table and stay below band A.
 */

type Points = readonly (readonly [value: number, log_odds: number])[];

/** A retailer of whom nothing is known: 12 % default within the horizon, the border of bands B and C. */
const BASE_PD = 0.12;
/** What a short history adds: the lender sees less than usual. */
export const COLD_START_UNCERTAINTY = 0.25;

const RULES: Partial<Record<FeatureName, Points>> = {
  avg_payment_delay_days: [
    [0, -0.4],
    [5, 0],
    [15, 0.6],
    [30, 1.2],
  ],
  zero_delay_rate: [
    [0, 0.3],
    [0.6, 0],
    [1, -0.3],
  ],
  late15_share_180: [
    [0, -0.1],
    [0.05, 0],
    [0.3, 0.8],
  ],
  partial_payment_freq: [
    [0, -0.15],
    [0.1, 0],
    [0.5, 0.5],
  ],
  max_consecutive_delays: [
    [0, -0.1],
    [2, 0],
    [6, 0.4],
  ],
  overdue_share: [
    [0, -0.1],
    [0.1, 0],
    [1, 0.6],
  ],
  oldest_overdue_days: [
    [0, -0.1],
    [7, 0],
    [30, 0.8],
    [60, 1.5],
  ],
  bounce_rate_180: [
    [0, 0],
    [0.2, 0.8],
  ],
  monthly_order_frequency: [
    [0, 0.3],
    [2, 0],
    [8, -0.3],
  ],
  order_gap_cv: [
    [0, -0.15],
    [0.75, 0],
    [2, 0.3],
  ],
  return_rate_pct: [
    [0, -0.15],
    [5, 0],
    [25, 0.6],
  ],
  gmv_per_order_cv: [
    [0, -0.15],
    [0.6, 0],
    [2, 0.2],
  ],
  active_months_pct: [
    [50, 0.2],
    [80, 0],
    [100, -0.15],
  ],
  distributor_tenure_months: [
    [0, 0.4],
    [6, 0.1],
  ],
  distributor_count: [
    [1, 0],
    [3, -0.3],
  ],
  recency_days: [
    [7, -0.05],
    [14, 0],
    [60, 0.5],
  ],
};

function along(points: Points, value: number): number {
  const [first_value, first] = points[0]!;
  if (value <= first_value) return first;
  for (let i = 1; i < points.length; i++) {
    const [to, high] = points[i]!;
    if (value > to) continue;
    const [from, low] = points[i - 1]!;
    return low + ((value - from) / (to - from)) * (high - low);
  }
  return points[points.length - 1]![1];
}

/** Rule contributions of a feature vector (order of the feature table, null where undefined). */
export function coldStartContributions(features: readonly (number | null)[]): Contributions {
  const terms = new Float64Array(FEATURE_COUNT);
  for (const [name, points] of Object.entries(RULES)) {
    const at = FEATURE_INDEX[name as FeatureName];
    const value = features[at];
    if (value !== null && value !== undefined) terms[at] = along(points, value);
  }
  return {
    features: terms,
    bias: Math.log(BASE_PD / (1 - BASE_PD)),
    uncertainty: COLD_START_UNCERTAINTY,
  };
}
