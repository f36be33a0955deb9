import { readFileSync } from "node:fs";
import { join } from "node:path";
import { FEATURE_INDEX, type FeatureName } from "../src/scoring/feature-table.ts";
import type { RiskBand, Scorecard } from "../src/scoring/types.ts";

/** A probability of default with its band, and whether it came to that. */
export interface Forecast {
  pd: number;
  band: RiskBand;
  defaulted: boolean;
}

export interface BandCalibration {
  mean_pd: number;
  bad_rate: number;
  rows: number;
}

export const BANDS = ["A", "B", "C", "D"] as const satisfies RiskBand[];

/** So many decimals: what is measured on thousands of rows means nothing beyond. */
export const rounded = (value: number, decimals = 4): number => Number(value.toFixed(decimals));

const meanOf = <Row>(rows: readonly Row[], value: (row: Row) => number): number =>
  rows.reduce((sum, row) => sum + value(row), 0) / rows.length;

/** Mean PD against the share that defaulted. */
export function calibrationOf(rows: readonly Forecast[]): BandCalibration {
  return {
    mean_pd: rounded(meanOf(rows, ({ pd }) => pd)),
    bad_rate: rounded(meanOf(rows, ({ defaulted }) => (defaulted ? 1 : 0))),
    rows: rows.length,
  };
}

/** The mean squared difference between PD and outcome. */
export function brierOf(rows: readonly Forecast[]): number {
  return rounded(
    meanOf(rows, ({ pd, defaulted }) => (pd - (defaulted ? 1 : 0)) ** 2),
    5,
  );
}

/** As calibrationOf, per band; a band without rows is absent. */
export function calibrationByBand(rows: readonly Forecast[]): Partial<Record<RiskBand, BandCalibration>> {
  const by_band = Map.groupBy(rows, ({ band }) => band);
  return Object.fromEntries(
    BANDS.flatMap((band) => {
      const own = by_band.get(band);
      return own === undefined ? [] : [[band, calibrationOf(own)]];
    }),
  );
}

/** As calibrationOf, in `groups` groups of equal size from the lowest PD to the highest. */
export function reliability(rows: readonly Forecast[], groups: number): BandCalibration[] {
  const sorted = rows.toSorted((a, b) => a.pd - b.pd);
  const border = (k: number): number => Math.round((k * sorted.length) / groups);
  return Array.from({ length: groups }, (_, k) => calibrationOf(sorted.slice(border(k), border(k + 1))));
}

const BIN_POINTS = 50;
const BINS = 12;

/** Shares of the scores 300-349, 350-399, ... 850-900. */
export function scoreShares(scores: readonly number[]): number[] {
  const counts = new Array<number>(BINS).fill(0);
  for (const score of scores) counts[Math.min(BINS - 1, Math.floor((score - 300) / BIN_POINTS))]!++;
  return counts.map((count) => count / scores.length);
}

/** No share counts as less than this, so that an empty bin leaves the logarithm finite. */
const LEAST_SHARE = 1e-4;

/** Population stability index of shares against a base. */
export function stabilityIndex(shares: readonly number[], base: readonly number[]): number {
  return shares.reduce((sum, share, i) => {
    const now = Math.max(share, LEAST_SHARE);
    const then = Math.max(base[i]!, LEAST_SHARE);
    return sum + (now - then) * Math.log(now / then);
  }, 0);
}

/** Who got a score, and who did not for want of true reasons or of data. */
export interface Coverage {
  scored: number;
  unexplainable: number;
  /** Of the unexplainable: known from one or two invoices only. */
  unexplainable_few_invoices: number;
  insufficient: number;
  /** scored / (scored + unexplainable) */
  explainable_share: number;
}

const FEW_INVOICES = 2;

/** Counts of answers; `invoices` is how many invoices the retailer has. */
export function coverageOf(answers: readonly { card: Scorecard; invoices: number }[]): Coverage {
  const of = (status: Scorecard["status"]) => answers.filter(({ card }) => card.status === status);
  const scored = of("scored").length;
  const unexplainable = of("unexplainable");
  return {
    scored,
    unexplainable: unexplainable.length,
    unexplainable_few_invoices: unexplainable.filter(({ invoices }) => invoices <= FEW_INVOICES).length,
    insufficient: of("insufficient").length,
    explainable_share: rounded(scored / (scored + unexplainable.length)),
  };
}

interface LogisticTerm {
  name: FeatureName;
  low: number;
  high: number;
  mean: number;
  deviation: number;
  weight: number;
  /** Added where the value is missing. */
  missing: number;
}

const logistic: { bias: number; terms: LogisticTerm[] } = JSON.parse(
  readFileSync(join(import.meta.dirname, "logistic.json"), "utf8"),
);

/** Log odds of the plain logistic scorecard (logistic.py). */
export function logisticMargin(features: readonly (number | null)[]): number {
  return logistic.terms.reduce((sum, term) => {
    const value = features[FEATURE_INDEX[term.name]];
    if (value === null || value === undefined) return sum + term.missing;
    const cut = Math.min(term.high, Math.max(term.low, value));
    return sum + (term.weight * (cut - term.mean)) / term.deviation;
  }, logistic.bias);
}

/** The longest delay of a year, alone; a customer of whom nothing fell due in a year has not been late. */
export function worstDelay(features: readonly (number | null)[]): number {
  return features[FEATURE_INDEX.worst_delay_365] ?? 0;
}
