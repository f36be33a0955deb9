/**
 * Scores the cohort's last as_of date, which no training saw, and writes what it measures into the champion's card as
 * `metrics`: the model's own figures, which the promotion gates read, and those of the score as the engine serves it
 * after cold start, guardrails and reasons. See training/README.md.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defaultLogOdds } from "../src/scoring/calibration.ts";
import { compileChampion, scoreStatement } from "../src/scoring/engine.ts";
import { FEATURE_INDEX } from "../src/scoring/feature-table.ts";
import { modelRow, predictMargin, sigmoid } from "../src/scoring/model.ts";
import { bandOf, scoreOf } from "../src/scoring/score-map.ts";
import type { Scorecard, ScoredCard } from "../src/scoring/types.ts";
import { compareMeasures, type Estimate } from "./auroc.ts";
import {
  brierOf,
  calibrationByBand,
  calibrationOf,
  coverageOf,
  logisticMargin,
  reliability,
  rounded,
  scoreShares,
  worstDelay,
} from "./measures.ts";
import { AS_OF_DAYS, CHAMPION_COHORT, type CohortCase, casesOfLedger } from "./synthetic.ts";

const RELIABILITY_POINTS = 10;

/** Cohorts that no feature names, or that a lender would ask about; each kind compares its own with each other. */
const COHORTS: Record<string, (one: ServedCase, size_quartile: number) => string> = {
  size: (_, size_quartile) => `quartile_${size_quartile}`,
  history: ({ card }) => {
    const months = card.features[FEATURE_INDEX.distributor_tenure_months]!;
    if (months < 6) return "under_6_months";
    return months < 12 ? "6_to_11_months" : months < 24 ? "12_to_23_months" : "24_months_or_more";
  },
  erp: ({ erp_type }) => erp_type,
  shop: ({ kind }) => (kind === "seasonal" || kind === "sparse" ? kind : "other"),
};

/** Share in band A or B of each cohort, divided by the best-off cohort's of the same kind. */
function adverseImpactRatios(cases: readonly ServedCase[]): Record<string, number> {
  const by_size = cases.toSorted((a, b) => a.card.gmv_6m_trailing_inr - b.card.gmv_6m_trailing_inr);
  const quartile = new Map(by_size.map((one, i) => [one, 1 + Math.floor((4 * i) / by_size.length)]));
  const ratios: Record<string, number> = {};
  for (const [kind, cohortOf] of Object.entries(COHORTS)) {
    const rates = Array.from(
      Map.groupBy(cases, (one) => cohortOf(one, quartile.get(one)!)),
      ([cohort, own]) => {
        const approved = own.filter(({ card }) => card.risk_band === "A" || card.risk_band === "B").length;
        return [`${kind}_${cohort}`, approved / own.length] as const;
      },
    ).sort(([a], [b]) => (a < b ? -1 : 1));
    const best = Math.max(...rates.map(([, rate]) => rate));
    for (const [cohort, rate] of rates) ratios[cohort] = rounded(rate / best);
  }
  return ratios;
}

const figures = ({ value, low, high }: Estimate) => ({
  value: rounded(value),
  interval: [rounded(low), rounded(high)],
});

/** AUROC and KS of risk measures on the same cases, by name, and the AUROC of the first minus each other one's. */
function discrimination<One extends Case>(
  cases: readonly One[],
  risks: Record<string, (one: One) => number>,
) {
  const { measures, differences } = compareMeasures(
    Object.values(risks).map((riskOf) =>
      cases.map((one) => ({ group: String(one.retailer), bad: one.outcome.defaulted, risk: riskOf(one) })),
    ),
    "out of time",
  );
  return Object.keys(risks).map((measure, m) => ({
    measure,
    auroc: figures(measures[m]!.auroc),
    ks: figures(measures[m]!.ks),
    ...(m === 0 ? {} : { first_minus_this: figures(differences[m - 1]!) }),
  }));
}

const BASELINES = {
  logistic: ({ card }: Case): number => logisticMargin(card.features),
  worst_delay_365: ({ card }: Case): number => worstDelay(card.features),
};

/** The model's own PD of everybody it is for, before any guardrail touches it. */
function modelMetrics(cases: readonly Case[]) {
  const own = cases.filter(({ route }) => route !== "cold_start");
  const forecasts = own.map(({ log_odds, model_pd: pd, outcome }) => ({
    pd,
    band: bandOf(scoreOf(-log_odds)),
    defaulted: outcome.defaulted,
  }));
  const compared = discrimination(own, { model: ({ model_pd }) => model_pd, ...BASELINES });
  const { auroc, ks } = compared[0]!;
  return {
    auroc: auroc.value,
    auroc_interval: auroc.interval,
    ks: ks.value,
    ks_interval: ks.interval,
    brier: brierOf(forecasts),
    ...calibrationOf(forecasts),
    calibration_by_band: calibrationByBand(forecasts),
    reliability: reliability(forecasts, RELIABILITY_POINTS),
    comparison: compared,
  };
}

/** The score as served, of everybody who gets one. */
function servedMetrics(cases: readonly ServedCase[]) {
  const forecastOf = ({ card, outcome }: ServedCase) => ({
    pd: card.probability_of_default,
    band: card.risk_band,
    defaulted: outcome.defaulted,
  });
  const forecasts = cases.map(forecastOf);
  const score = ({ card }: ServedCase): number => -card.altscore;
  const part = (keep: (one: ServedCase) => boolean) => {
    const kept = cases.filter(keep);
    return { ...discrimination(kept, { score })[0]!, ...calibrationOf(kept.map(forecastOf)) };
  };
  return {
    brier: brierOf(forecasts),
    ...calibrationOf(forecasts),
    calibration_by_band: calibrationByBand(forecasts),
    reliability: reliability(forecasts, RELIABILITY_POINTS),
    comparison: discrimination(cases, { score, ...BASELINES }),
    parts: {
      primary: part(({ route }) => route === "primary"),
      sparse: part(({ route }) => route === "sparse"),
      cold_start: part(({ route }) => route === "cold_start"),
      not_yet_bad: part(({ outcome }) => !outcome.already_bad),
    },
  };
}

/** A retailer of the last as_of date, as the engine answers. */
function caseOf({ statement, ...one }: CohortCase, champion: ReturnType<typeof compileChampion>) {
  const { card, replay_inputs } = scoreStatement(statement, one.as_of_day, champion);
  const margin = predictMargin(champion.model, modelRow(card.features));
  const log_odds = defaultLogOdds(champion.calibration, margin);
  return {
    ...one,
    card: card as Scorecard,
    route: replay_inputs.route,
    /** The model's alone, of defaulting. */
    log_odds,
    model_pd: sigmoid(log_odds),
    invoices: statement.invoices.filter((row) => !row.is_return).length,
  };
}
type Case = ReturnType<typeof caseOf>;
type ServedCase = Case & { card: ScoredCard };

function main(): void {
  const folder = join(import.meta.dirname, "../models");
  const meta = JSON.parse(readFileSync(join(folder, "champion.meta.json"), "utf8"));
  const champion = compileChampion(readFileSync(join(folder, "champion.xgb"), "utf8"), meta);
  const cases: Case[] = [];
  for (let number = 0; number < CHAMPION_COHORT.ledgers; number++) {
    for (const one of casesOfLedger(number, CHAMPION_COHORT, AS_OF_DAYS.slice(0, 1))) {
      cases.push(caseOf(one, champion));
    }
  }
  const served = cases.filter((one): one is ServedCase => one.card.status === "scored");
  meta.metrics = {
    ...modelMetrics(cases),
    served: servedMetrics(served),
    psi_base: scoreShares(served.map(({ card }) => card.altscore)).map((share) => rounded(share, 6)),
    air: adverseImpactRatios(served),
    coverage: coverageOf(cases),
  };
  writeFileSync(join(folder, "champion.meta.json"), `${JSON.stringify(meta, null, 2)}\n`);
  console.log(JSON.stringify(meta.metrics, null, 1));
}

main();
