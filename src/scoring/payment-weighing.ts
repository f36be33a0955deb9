import { paymentFeatures } from "./families/payment.ts";
import { FEATURES } from "./feature-table.ts";
import { LONG_HISTORY_WEIGHT, RECENT_DAYS } from "./guardrails.ts";
import { earlierPayments, type LedgerView } from "./settlement.ts";

/**
 * Guardrail 2's payment signal: the last 60 days cannot outshine what came before. The long history is today's
 * feature vector with its payment family as it stood 60 days ago; where today's looks better, long and now weigh
 * 70 : 30, in log odds. Where it looks worse, it stands (docs/adr/0010).
 */

/** Features 1 to this many are the payment family. */
const PAYMENT_FAMILY_COUNT = FEATURES.filter(({ family }) => family === "payment").length;

/** Values in the order of the feature table; null where undefined. */
export type FeatureVector = readonly (number | null)[];

/** How a model or the rules see a feature vector: their margin (log odds of default), and what it is made of. */
export interface Explained {
  margin: number;
  bias: number;
  /** One term per feature; bias and terms add up to the margin. */
  features: Float64Array;
}

export interface Evaluator {
  margin(features: FeatureVector): number;
  explain(features: FeatureVector): Explained;
}

/** A weighed evaluation; `long` is null where the long history changed nothing. */
export interface Weighed {
  explained: Explained;
  now_margin: number;
  /** The features with the payment history of 60 days ago, and their margin. */
  long: { features: (number | null)[]; margin: number } | null;
}

/**
 * The payment family (features 1-18) as of 60 days before the view's day; null if nothing fell due in the 180 days
 * before that day: there is no long history to weigh then.
 */
export function longPaymentFeatures(view: LedgerView): (number | null)[] | null {
  const out = new Float64Array(PAYMENT_FAMILY_COUNT).fill(Number.NaN);
  paymentFeatures(earlierPayments(view, view.as_of_day - RECENT_DAYS), out);
  // The first feature is the mean delay over those 180 days.
  if (Number.isNaN(out[0]!)) return null;
  return Array.from(out, (value) => (Number.isNaN(value) ? null : value + 0));
}

/** `now` moved towards a riskier `long` by the weight: never below `now`. */
function towards(now: number, long: number): number {
  return now + LONG_HISTORY_WEIGHT * (long - now);
}

/**
 * Evaluates a feature vector with its payment history of 60 days ago (null: none). Terms are linear in the blend, so
 * bias and terms of the result add up to its margin.
 */
export function weighPayments(
  features: FeatureVector,
  payment_features_60d_ago: FeatureVector | null,
  evaluator: Evaluator,
): Weighed {
  const now = evaluator.explain(features);
  const unchanged = { explained: now, now_margin: now.margin, long: null };
  if (payment_features_60d_ago === null) return unchanged;
  const long_features = [...payment_features_60d_ago, ...features.slice(payment_features_60d_ago.length)];
  const long_margin = evaluator.margin(long_features);
  if (long_margin <= now.margin) return unchanged;
  const before = evaluator.explain(long_features);
  return {
    explained: {
      margin: towards(now.margin, long_margin),
      bias: towards(now.bias, before.bias),
      features: now.features.map((term, i) => towards(term, before.features[i]!)),
    },
    now_margin: now.margin,
    long: { features: long_features, margin: long_margin },
  };
}
