import { defaultLogOdds } from "../../src/scoring/calibration.ts";
import type { CompiledChampion } from "../../src/scoring/champion.ts";
import { COLD_START_UNCERTAINTY } from "../../src/scoring/cold-start.ts";
import { FEATURE_NAMES, type FeatureName } from "../../src/scoring/feature-table.ts";
import type { Guardrail } from "../../src/scoring/guardrails.ts";
import {
  NEGATIVE_RULES,
  NO_DATA_CODE,
  POSITIVE_RULES,
  type ReasonRule,
  SPARSE_ONLY_FEATURE,
} from "../../src/scoring/reason-table.ts";
import { logOddsOf, scoreOf } from "../../src/scoring/score-map.ts";
import type { ScoredCard } from "../../src/scoring/types.ts";
import { OperationError } from "../lib/errors.ts";

/** One bar: `size` and `to` in log odds of not defaulting, `score` after it. */
export interface PathStep {
  kind: "reason" | "rest" | "allowance" | "guardrail";
  /** The reason code or the guardrail; "" for the others. */
  code: string;
  /** How many groups a rest stands for. */
  groups: number;
  size: number;
  to: number;
  score: number;
}

/** How a score came about: where the model starts, and every step from there to the score. */
export interface ScorePath {
  base: number;
  base_score: number;
  steps: PathStep[];
}

/** What of a model decides how its contributions become a score. */
export type PathModel = Pick<CompiledChampion, "calibration" | "sparse_margin_halfwidth">;

/** What of a card the path needs. */
export type ExplainedCard = Pick<
  ScoredCard,
  "route" | "altscore" | "margin" | "shap" | "shap_bias" | "features" | "guardrails"
>;

/** Smaller groups are drawn as one. */
const MAX_GROUPS = 12;
const LEAST_SIZE = 0.005;
/** SHAP values add up to the margin to this; more means that the card was changed. */
const SUM_TOLERANCE = 1e-4;
/** The guardrails that set a score after the contributions; the weighing of payments is in the contributions already. */
const CAPS: readonly string[] = ["payment_history_band_cap", "cold_start_band_cap"] satisfies Guardrail[];
const WIDENING: Guardrail = "sparse_pd_widened";
const SCORE_STEP = /^score (\d+) -> (\d+)$/;

function codeOf(name: FeatureName, rules: readonly ReasonRule[]): string {
  return rules.find(({ aspects }) => aspects.flat().includes(name))!.code;
}

/**
 * The contributions summed by reason code: a feature counts for the code that could name it in the direction in which
 * it moved the score, one without a value for the missing data.
 */
function byCode({ shap, features }: ExplainedCard): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [i, name] of FEATURE_NAMES.entries()) {
    const term = shap[i]!;
    if (term === 0) continue;
    const is_missing = features[i] === null && name !== SPARSE_ONLY_FEATURE;
    const code = is_missing ? NO_DATA_CODE : codeOf(name, term > 0 ? NEGATIVE_RULES : POSITIVE_RULES);
    sums.set(code, (sums.get(code) ?? 0) + term);
  }
  return sums;
}

/**
 * The path of a card's score. Its steps add up to the score; OperationError if they do not, because the card was
 * changed or `model` is another one.
 */
export function scorePath(card: ExplainedCard, model: PathModel): ScorePath {
  const is_cold = card.route === "cold_start";
  // The rules of a cold start are log odds already.
  const { a, b } = is_cold ? { a: 1, b: 0 } : model.calibration;
  const sum = card.shap.reduce((total, term) => total + term, card.shap_bias);
  if (!(Math.abs(sum - card.margin) <= SUM_TOLERANCE)) {
    throw new OperationError(`the SHAP values add up to ${sum}, the margin is ${card.margin}`);
  }
  const base = -defaultLogOdds({ a, b }, card.shap_bias);
  const path: ScorePath = { base, base_score: scoreOf(base), steps: [] };
  let at = base;
  const step = (kind: PathStep["kind"], code: string, size: number, groups = 1): void => {
    at += size;
    path.steps.push({ kind, code, groups, size, to: at, score: scoreOf(at) });
  };

  const groups = Array.from(byCode(card), ([code, term]) => ({ code, size: -a * term }));
  groups.sort((x, y) => Math.abs(y.size) - Math.abs(x.size) || (x.code < y.code ? -1 : 1));
  const drawn = groups.slice(0, MAX_GROUPS).filter(({ size }) => Math.abs(size) >= LEAST_SIZE);
  const rest = groups.slice(drawn.length);
  for (const { code, size } of drawn) step("reason", code, size);
  if (rest.length > 0)
    step(
      "rest",
      "",
      rest.reduce((total, { size }) => total + size, 0),
      rest.length,
    );
  if (is_cold) step("allowance", "", -COLD_START_UNCERTAINTY);
  if (card.route === "sparse") step("guardrail", WIDENING, -a * model.sparse_margin_halfwidth);

  for (const { guardrail, effect } of card.guardrails) {
    const [, from, to] = SCORE_STEP.exec(effect) ?? [];
    if (to === undefined || !CAPS.includes(guardrail)) continue;
    requireScore(at, Number(from));
    step("guardrail", guardrail, logOddsOf(Number(to)) - at);
  }
  requireScore(at, card.altscore);
  return path;
}

/** The path must pass the scores that the card names, but for a last bit that rounds the other way. */
function requireScore(log_odds: number, score: number): void {
  if (Math.abs(scoreOf(log_odds) - score) > 1) {
    throw new OperationError(
      `the contributions lead to score ${scoreOf(log_odds)}, the card says ${score}: it was changed, or is another model's`,
    );
  }
}
