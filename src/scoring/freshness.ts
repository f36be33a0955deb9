import {
  type Guardrail,
  LOW_CONFIDENCE_AFTER_DAYS,
  NO_SCORE_AFTER_DAYS,
  STALE_AFTER_DAYS,
} from "./guardrails.ts";
import { change, floorToStep } from "./limit.ts";
import type { ScoredCard } from "./types.ts";

/** What of a card the age of its data can change. */
type AgeingCard = Pick<
  ScoredCard,
  "warnings" | "low_confidence" | "recommended_limit_inr" | "limit_source" | "guardrails"
>;

const HALVED_FOR_QUALITY: Guardrail = "data_quality_low_confidence";
const HALVED_FOR_AGE: Guardrail = "freshness_low_confidence";

/**
 * A card as it is served `freshness_days` after its newest data (scoring.md §3): over 7 days the warning
 * `data_stale`, over 14 low confidence with the limit halved unless incomplete records have halved it already, over
 * 30 null (no score). The given card is not changed.
 */
export function applyFreshness<Card extends AgeingCard>(card: Card, freshness_days: number): Card | null {
  if (freshness_days > NO_SCORE_AFTER_DAYS) return null;
  if (freshness_days <= STALE_AFTER_DAYS) return card;
  const aged = { ...card, warnings: [...card.warnings, "data_stale"] };
  if (freshness_days <= LOW_CONFIDENCE_AFTER_DAYS) return aged;
  aged.low_confidence = true;
  if (card.recommended_limit_inr > 0 && !card.guardrails.some((g) => g.guardrail === HALVED_FOR_QUALITY)) {
    // Halving what was already rounded down gives the same thousands as halving before.
    aged.recommended_limit_inr = floorToStep(card.recommended_limit_inr / 2);
    aged.limit_source = "low_confidence_cap";
    const effect = change(card.recommended_limit_inr, aged.recommended_limit_inr);
    aged.guardrails = [...card.guardrails, { guardrail: HALVED_FOR_AGE, effect }];
  }
  return aged;
}
