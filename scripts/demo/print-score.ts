import type { ReasonCode, ScoreAnswer } from "./scores.ts";

const SCALE_WIDTH = 40;
const SCORE_MIN = 300;
const SCORE_MAX = 900;
const LABEL_WIDTH = 44;
const RULE = "─".repeat(86);

const LIMIT_SOURCES: Record<string, string> = {
  model: "from the model",
  gmv_ceiling: "capped at 30 % of six months' purchases",
  cold_start: "capped for a new relationship",
  low_confidence_cap: "capped because confidence is low",
};

/** A score answer laid out for reading: the number on its scale, band, limit, reasons in English and Hindi. */
export function scoreText(score: ScoreAnswer): string {
  const { altscore, risk_band, probability_of_default, pd_horizon_days } = score;
  const lines = [
    RULE,
    `  AltScore ${altscore}   band ${risk_band}   probability of default ${percent(probability_of_default)} within ${pd_horizon_days} days`,
    `  ${SCORE_MIN} ${scale(altscore)} ${SCORE_MAX}`,
    "",
    `  Recommended limit   ${inr(score.recommended_limit_inr)}   (${LIMIT_SOURCES[score.limit_source] ?? score.limit_source})`,
    `  Purchases, 6 months ${inr(score.gmv_6m_trailing_inr)}`,
    `  Data                as of ${score.data_as_of}, ${score.data_freshness_days} days old, completeness ${score.completeness_score} of 100`,
    ...(score.warnings.length === 0 ? [] : [`  Warnings            ${score.warnings.join(", ")}`]),
    "",
    "  Why",
    ...score.reason_codes.map(reasonLine),
    RULE,
  ];
  return `${lines.join("\n")}\n`;
}

/** How many of each band, e.g. `A 12 · B 20`. */
export function bandCounts(scores: ScoreAnswer[]): string {
  const bands = Map.groupBy(scores, (score) => score.risk_band);
  return [...bands.keys()]
    .sort()
    .map((band) => `${band} ${bands.get(band)!.length}`)
    .join(" · ");
}

/** Rupees with Indian digit groups. */
export function inr(amount_inr: number): string {
  return `₹${amount_inr.toLocaleString("en-IN")}`;
}

/** A share (0-1) as a percentage with two decimals. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

function scale(altscore: number): string {
  const place = Math.round(((altscore - SCORE_MIN) / (SCORE_MAX - SCORE_MIN)) * (SCALE_WIDTH - 1));
  return `├${"─".repeat(place)}●${"─".repeat(SCALE_WIDTH - 1 - place)}┤`;
}

function reasonLine(reason: ReasonCode): string {
  const sign = reason.direction === "positive" ? "+" : "−";
  return `   ${sign} ${reason.label_en.padEnd(LABEL_WIDTH)} ${reason.label_hi}`;
}
