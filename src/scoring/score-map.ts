import type { RiskBand } from "./types.ts";

/** The score at these probabilities of default (scoring.md §5); linear in the log odds of not defaulting between them. */
const ANCHORS = [
  { pd: 0.6, score: 300 },
  { pd: 0.25, score: 450 },
  { pd: 0.12, score: 600 },
  { pd: 0.05, score: 750 },
  { pd: 0.005, score: 900 },
].map(({ pd, score }) => ({ log_odds: Math.log((1 - pd) / pd), score }));

const FIRST = ANCHORS[0]!;
const LAST = ANCHORS[ANCHORS.length - 1]!;

/** Score 300-900, rounded once, of the log odds of not defaulting, ln((1 - PD) / PD). */
export function scoreOf(log_odds: number): number {
  if (log_odds <= FIRST.log_odds) return FIRST.score;
  for (let i = 1; i < ANCHORS.length; i++) {
    const upper = ANCHORS[i]!;
    if (log_odds > upper.log_odds) continue;
    const lower = ANCHORS[i - 1]!;
    const share = (log_odds - lower.log_odds) / (upper.log_odds - lower.log_odds);
    return Math.round(lower.score + share * (upper.score - lower.score));
  }
  return LAST.score;
}

/** The log odds whose unrounded score is `score` (300-900): the inverse of the map. */
export function logOddsOf(score: number): number {
  for (let i = 1; i < ANCHORS.length; i++) {
    const lower = ANCHORS[i - 1]!;
    const upper = ANCHORS[i]!;
    if (score > upper.score) continue;
    const share = (score - lower.score) / (upper.score - lower.score);
    return lower.log_odds + share * (upper.log_odds - lower.log_odds);
  }
  return LAST.log_odds;
}

/** Bands from the worst to the best, and the lowest score of each (scoring.md §5). */
const BANDS: readonly RiskBand[] = ["D", "C", "B", "A"];
const LOWEST_SCORES = [FIRST.score, 450, 600, 750];

/** Band of an integer score: A 750-900, B 600-749, C 450-599, D 300-449. */
export function bandOf(altscore: number): RiskBand {
  const at = LOWEST_SCORES.findLastIndex((lowest) => altscore >= lowest);
  return BANDS[Math.max(0, at)]!;
}

/** The best score that is at most `bands` bands above the band of `altscore`. */
export function bestScoreWithin(altscore: number, bands: number): number {
  const next = LOWEST_SCORES[BANDS.indexOf(bandOf(altscore)) + bands + 1];
  return next === undefined ? LAST.score : next - 1;
}
