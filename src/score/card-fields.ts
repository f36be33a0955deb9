import type { Language } from "../http/language.ts";
import { dayToIso } from "../lib/days.ts";
import { requestedLimit } from "../scoring/limit.ts";
import { reasonTexts } from "../scoring/reason-table.ts";
import type { ScoreAnswer } from "./schemas.ts";
import type { ServedScore } from "./types.ts";

/** A score that may be given out. */
export type ServableCard = Extract<ServedScore["card"], { status: "scored" }>;

/** What of the answer belongs to one request and one stored row rather than to the card. */
type RequestFields = "retailer_id" | "score_id" | "scored_at" | "consent" | "receipt" | "request_id";

/** The fields of POST /v1/score (api.md §3) that follow from the card; amounts in rupees, freshness in IST days. */
export function cardFields(
  card: ServableCard,
  shown: {
    language: Language;
    freshness_days: number;
    score_version: string;
    requested_limit_inr?: number | undefined;
  },
): Omit<ScoreAnswer, RequestFields> {
  const { language, freshness_days, score_version, requested_limit_inr } = shown;
  const requested = requested_limit_inr === undefined ? undefined : requestedLimit(card, requested_limit_inr);
  const warnings =
    requested && !requested.within_ceiling
      ? [...card.warnings, "limit_capped_to_gmv_ceiling"]
      : card.warnings;
  return {
    altscore: card.altscore,
    risk_band: card.risk_band,
    probability_of_default: card.probability_of_default,
    pd_horizon_days: 90,
    recommended_limit_inr: card.recommended_limit_inr,
    limit_source: card.limit_source,
    gmv_6m_trailing_inr: card.gmv_6m_trailing_inr,
    ...(requested ? { requested_limit: requested } : {}),
    reason_codes: card.reasons.map(({ code, direction, rank }) => {
      const { label_en, label_hi } = reasonTexts(code);
      const label = language === "hi" ? label_hi : label_en;
      return { code, direction, rank, label, label_en, label_hi };
    }),
    data_freshness_days: freshness_days,
    completeness_score: card.completeness.score,
    completeness: card.completeness,
    low_confidence: card.low_confidence,
    cold_start: card.cold_start,
    anomaly_flag: card.anomaly_flag,
    single_distributor: card.single_distributor,
    ceiling_applied: card.ceiling_applied,
    scoring_route: card.route,
    warnings,
    score_version,
    data_as_of: dayToIso(card.as_of_day),
    feature_snapshot_hash: card.feature_snapshot_hash,
  };
}
