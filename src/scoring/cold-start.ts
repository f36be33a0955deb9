import card from "../../models/cold-start.json" with { type: "json" };
import type { Contributions } from "./contributions.ts";
import { FEATURE_COUNT, FEATURE_INDEX, type FeatureName } from "./feature-table.ts";

/**
 * The scorecard for a retailer with under six months of history, in log odds of default: a sum of one rule per
 * feature. A rule is a line through a few points {value, log odds}, flat outside them, which never falls where the
 * feature's sign says that risk rises; 0 is what the average young retailer's value adds, and what a missing one
 * does. training/cold_start.py fits it (docs/adr/0013).
 */

/** What a short history adds: the lender sees less than usual. */
export const COLD_START_UNCERTAINTY = 0.25;

/** The points of one rule, split for the search. */
export interface ColdStartRule {
  name: FeatureName;
  /** Position in the feature table. */
  at: number;
  /** Ascending. */
  values: Float64Array;
  log_odds: Float64Array;
}

export const COLD_START_RULES: readonly ColdStartRule[] = Object.entries(card.rules).map(
  ([name, points]) => ({
    name: name as FeatureName,
    at: FEATURE_INDEX[name as FeatureName],
    values: Float64Array.from(points, (point) => point[0]!),
    log_odds: Float64Array.from(points, (point) => point[1]!),
  }),
);

function along({ values, log_odds }: ColdStartRule, value: number): number {
  if (value <= values[0]!) return log_odds[0]!;
  for (let i = 1; i < values.length; i++) {
    if (value >= values[i]!) continue;
    const share = (value - values[i - 1]!) / (values[i]! - values[i - 1]!);
    return log_odds[i - 1]! + share * (log_odds[i]! - log_odds[i - 1]!);
  }
  return log_odds[log_odds.length - 1]!;
}

/** Rule contributions of a feature vector (order of the feature table, null where undefined). */
export function coldStartContributions(features: readonly (number | null)[]): Contributions {
  const terms = new Float64Array(FEATURE_COUNT);
  for (const rule of COLD_START_RULES) {
    const value = features[rule.at];
    if (value !== null && value !== undefined) terms[rule.at] = along(rule, value);
  }
  return { features: terms, bias: card.bias, uncertainty: COLD_START_UNCERTAINTY };
}
