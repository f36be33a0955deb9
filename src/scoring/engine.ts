import { anomalies } from "./anomaly.ts";
import { defaultLogOdds } from "./calibration.ts";
import type { CompiledChampion } from "./champion.ts";
import { coldStartContributions } from "./cold-start.ts";
import type { Contributions } from "./contributions.ts";
import { FEATURE_COUNT, FEATURE_INDEX } from "./feature-table.ts";
import {
  COLD_START_MAX_SCORE,
  FULL_CONFIDENCE_COMPLETENESS,
  type Guardrail,
  MIN_COMPLETENESS,
} from "./guardrails.ts";
import { replayInputsOf } from "./inputs.ts";
import { recommendLimit } from "./limit.ts";
import { modelRow, sigmoid } from "./model.ts";
import { reasonsFor } from "./reasons.ts";
import { bandOf, logOddsOf, scoreOf } from "./score-map.ts";
import { featureSnapshotHash } from "./snapshot.ts";
import type { GuardrailEntry, ReplayInputs, Scorecard, ScoringResult, Statement } from "./types.ts";

export { type ChampionMeta, type CompiledChampion, compileChampion } from "./champion.ts";

/** Version of everything between a statement and a card; a change of any number it gives raises it. */
export const ENGINE_VERSION = "1.0.0";

/** What a route makes of the features, before limits. */
interface Evaluation {
  contributions: Contributions;
  /** The model's float32 margin, or the rules' sum. */
  margin: number;
  /** Log odds of not defaulting, after calibration and widening. */
  log_odds: number;
  trail: GuardrailEntry[];
}

function note(guardrail: Guardrail, effect: string): GuardrailEntry {
  return { guardrail, effect };
}

function evaluateColdStart(features: ReplayInputs["features"]): Evaluation {
  const contributions = coldStartContributions(features);
  const rules = contributions.features.reduce((sum, term) => sum + term, contributions.bias);
  const log_odds = -(rules + contributions.uncertainty);
  const highest = logOddsOf(COLD_START_MAX_SCORE);
  const capped = scoreOf(log_odds) > COLD_START_MAX_SCORE;
  const effect = `score ${scoreOf(log_odds)} -> ${COLD_START_MAX_SCORE}`;
  return {
    contributions,
    margin: rules,
    log_odds: capped ? highest : log_odds,
    trail: capped ? [note("cold_start_band_cap", effect)] : [],
  };
}

function evaluateModel(inputs: ReplayInputs, champion: CompiledChampion): Evaluation {
  const terms = new Float64Array(FEATURE_COUNT);
  const { margin, bias } = champion.explainer.explainMargin(modelRow(inputs.features), terms);
  const is_sparse = inputs.route === "sparse";
  const uncertainty = is_sparse ? champion.sparse_margin_halfwidth : 0;
  const log_odds = -defaultLogOdds(champion.calibration, margin + uncertainty);
  const unwidened = scoreOf(-defaultLogOdds(champion.calibration, margin));
  return {
    contributions: { features: terms, bias, uncertainty },
    margin,
    log_odds,
    trail: is_sparse ? [note("sparse_pd_widened", `score ${unwidened} -> ${scoreOf(log_odds)}`)] : [],
  };
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
  const evaluation = is_cold ? evaluateColdStart(features) : evaluateModel(inputs, champion);
  const reasons = reasonsFor(inputs, evaluation.contributions);
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
