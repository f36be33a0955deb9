import { anomalyFacts } from "./anomaly.ts";
import { completenessOf } from "./completeness.ts";
import { orderGaps180 } from "./families/order.ts";
import { FEATURE_COUNT, FEATURE_INDEX } from "./feature-table.ts";
import { computeFeatures } from "./features.ts";
import { bestGmv, trailingGmv } from "./gmv.ts";
import { paymentHistory } from "./history.ts";
import { longPaymentFeatures } from "./payment-weighing.ts";
import type { ReplayInputs, Statement } from "./types.ts";

/**
 * Everything that the rest of the engine needs of a statement as it stands at the end of `as_of_day`, as plain JSON
 * that survives storing to the last bit.
 */
export function replayInputsOf(statement: Statement, as_of_day: number): ReplayInputs {
  const computed = computeFeatures(statement, as_of_day);
  const quality = completenessOf(computed, statement.sources, statement.identity_verified);
  if (computed === null) {
    return {
      as_of_day,
      route: "cold_start",
      features: new Array<null>(FEATURE_COUNT).fill(null),
      payment_features_60d_ago: null,
      ...quality,
      gmv_6m_paise: 0,
      best_gmv_6m_paise: 0,
      longest_gap_days: null,
      history: { close_to_due_share: 0, no_delay_share: 0, paid_at_once_share: 0 },
      anomaly: {
        order_count_sigmas: null,
        order_value_sigmas: null,
        returned_share_60d: null,
        returned_share_before: null,
        behaviour: null,
      },
    };
  }
  const { view, series, values, route } = computed;
  const gmv_6m_paise = trailingGmv(view);
  const recency_days = values[FEATURE_INDEX.recency_days]!;
  return {
    as_of_day,
    route,
    features: values,
    payment_features_60d_ago: longPaymentFeatures(view),
    ...quality,
    gmv_6m_paise,
    best_gmv_6m_paise: bestGmv(series, gmv_6m_paise),
    longest_gap_days: Math.max(recency_days, ...orderGaps180(view)),
    history: paymentHistory(view),
    anomaly: anomalyFacts(view),
  };
}
