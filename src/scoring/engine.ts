import { anomalies } from "./anomaly.ts";
import { defaultLogOdds } from "./calibration.ts";
import type { CompiledChampion } from "./champion.ts";
import { COLD_START_UNCERTAINTY, coldStartContributions } from "./cold-start.ts";
import type { Contributions } from "./contributions.ts";
import { FEATURE_COUNT, FEATURE_INDEX } from "./feature-table.ts";
import {
  COLD_START_MAX_SCORE,
  FULL_CONFIDENCE_COMPLETENESS,
  type Guardrail,
  MAX_BANDS_GAINED,
  MIN_COMPLETENESS,
} from "./guardrails.ts";
import { replayInputsOf } from "./inputs.ts";
import { recommendLimit } from "./limit.ts";
import { modelRow, predictMargin, sigmoid } from "./model.ts";
import { type Evaluator, type FeatureVector, weighPayments } from "./payment-weighing.ts";
import { reasonsFor } from "./reasons.ts";
import { bandOf, bestScoreWithin, logOddsOf, scoreOf } from "./score-map.ts";
import { featureSnapshotHash } from "./snapshot.ts";
import type { GuardrailEntry, ReplayInputs, Scorecard, ScoringResult, Statement } from "./types.ts";

export { type ChampionMeta, type CompiledChampion, compileChampion } from "./champion.ts";

/** Version of everything between a statement and a card; a change of any number it gives raises it. */
export const ENGINE_VERSION = "1.1.0";

/** What a route makes of the features, before limits. */
interface Evaluation {
  contributions: Contributions;
  /** The features with the payment history of 60 days ago, if that was weighed in. */
  long_features: ReplayInputs["features"] | null;
  /** The model's margin or the rules' sum, after the payment history was weighed. */
  margin: number;
  /** Log odds of not defaulting, after calibration, widening and caps. */
  log_odds: number;
  trail: GuardrailEntry[];
}

/** How a route looks at features, and what of its margin becomes the log odds of not defaulting. */
interface Method {
  evaluator: Evaluator;
  /** Added to every margin because there is too little data. */
  uncertainty: number;
  logOdds: (margin: number) => number;
}

function note(guardrail: Guardrail, effect: string): GuardrailEntry {
  return { guardrail, effect };
}

/** The cold-start rules; their sum is the log odds of default. */
function rulesMethod(): Method {
  const explain: Evaluator["explain"] = (values) => {
    const { features, bias } = coldStartContributions(values);
    return { margin: features.reduce((sum, term) => sum + term, bias), bias, features };
  };
  const evaluator = { margin: (values: FeatureVector) => explain(values).margin, explain };
  return { evaluator, uncertainty: COLD_START_UNCERTAINTY, logOdds: (margin) => -margin };
}

function modelMethod(champion: CompiledChampion, is_sparse: boolean): Method {
  const evaluator: Evaluator = {
    margin: (values) => predictMargin(champion.model, modelRow(values)),
    explain: (values) => {
      const features = new Float64Array(FEATURE_COUNT);
      return { ...champion.explainer.explainMargin(modelRow(values), features), features };
    },
  };
  return {
    evaluator,
    uncertainty: is_sparse ? champion.sparse_margin_halfwidth : 0,
    logOdds: (margin) => -defaultLogOdds(champion.calibration, margin),
  };
}

/** Evaluates the features by their route; each guardrail that moved the score leaves its step in the trail. */
function evaluate(inputs: ReplayInputs, champion: CompiledChampion): Evaluation {
  const { route, features, payment_features_60d_ago } = inputs;
  const method = route === "cold_start" ? rulesMethod() : modelMethod(champion, route === "sparse");
  const { evaluator, uncertainty, logOdds } = method;
  const { explained, now_margin, long } = weighPayments(features, payment_features_60d_ago, evaluator);
  const trail: GuardrailEntry[] = [];
  let log_odds = logOdds(now_margin);
  const moveTo = (guardrail: Guardrail, to: number) => {
    trail.push(note(guardrail, `score ${scoreOf(log_odds)} -> ${scoreOf(to)}`));
    log_odds = to;
  };
  if (route === "sparse") moveTo("sparse_pd_widened", logOdds(now_margin + uncertainty));
  else log_odds = logOdds(now_margin + uncertainty);
  if (long !== null) {
    moveTo("payment_history_weighed", logOdds(explained.margin + uncertainty));
    const best = bestScoreWithin(scoreOf(logOdds(long.margin + uncertainty)), MAX_BANDS_GAINED);
    if (scoreOf(log_odds) > best) moveTo("payment_history_band_cap", logOddsOf(best));
  }
  if (route === "cold_start" && scoreOf(log_odds) > COLD_START_MAX_SCORE) {
    moveTo("cold_start_band_cap", logOddsOf(COLD_START_MAX_SCORE));
  }
  const { margin, bias } = explained;
  const contributions = { features: explained.features, bias, uncertainty };
  return { contributions, long_features: long?.features ?? null, margin, log_odds, trail };
}

/** Four decimals, as the answer shows it. */
function fourDecimals(probability: number): number {
  return Math.round(probability * 10_000) / 10_000;
}

/**
 * The card that belongs to stored inputs and a model: a pure function, so a replay of a score is a call of it.
 * `insufficient` under 50 % completeness, `unexplainable` without enough true reasons.
 */
export function replayCard(inputs: ReplayInputs, champion: CompiledChampion): Scorecard {
  const { as_of_day, features, completeness, route } = inputs;
  const blocked = {
    as_of_day,
    completeness,
    features,
    feature_snapshot_hash: featureSnapshotHash(features),
  };
  if (completeness.score < MIN_COMPLETENESS) return { status: "insufficient", ...blocked };

  const is_cold = route === "cold_start";
  const evaluation = evaluate(inputs, champion);
  const reasons = reasonsFor(inputs, evaluation.contributions, evaluation.long_features);
  if (reasons === null) return { status: "unexplainable", ...blocked };

  const altscore = scoreOf(evaluation.log_odds);
  const risk_band = bandOf(altscore);
  const low_completeness = completeness.score < FULL_CONFIDENCE_COMPLETENESS;
  const single_distributor = features[FEATURE_INDEX.distributor_count]! <= 1;
  const limit = recommendLimit({
    route,
    risk_band,
    altscore,
    gmv_6m_paise: inputs.gmv_6m_paise,
    best_gmv_6m_paise: inputs.best_gmv_6m_paise,
    low_completeness,
    single_distributor,
  });
  const flagged = anomalies(inputs.anomaly);
  const csv_entry = note("csv_only_completeness_cap", `completeness at most ${completeness.score}`);
  const { trail: limit_trail, ...limit_fields } = limit;
  return {
    status: "scored",
    as_of_day,
    route,
    altscore,
    risk_band,
    probability_of_default: fourDecimals(sigmoid(-evaluation.log_odds)),
    margin: evaluation.margin,
    ...limit_fields,
    low_confidence: low_completeness || is_cold,
    cold_start: is_cold,
    anomaly_flag: flagged.length > 0,
    single_distributor,
    completeness,
    reasons,
    warnings: flagged.map((entry) => entry.guardrail),
    guardrails: [...(inputs.csv_capped ? [csv_entry] : []), ...evaluation.trail, ...limit_trail, ...flagged],
    features,
    // Adding 0 turns -0 into 0, which JSON cannot keep.
    shap: Array.from(evaluation.contributions.features, (term) => term + 0),
    shap_bias: evaluation.contributions.bias,
    feature_snapshot_hash: blocked.feature_snapshot_hash,
  };
}

/**
 * Scores a statement at the end of `as_of_day` (IST). The inputs that come with the card are plain JSON: stored, they
 * give the identical card again through `replayCard` with the same champion.
 */
export function scoreStatement(
  statement: Statement,
  as_of_day: number,
  champion: CompiledChampion,
): ScoringResult {
  const replay_inputs = replayInputsOf(statement, as_of_day);
  return { card: replayCard(replay_inputs, champion), replay_inputs };
}
