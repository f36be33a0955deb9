/**
 * The guardrails' constants (scoring.md §3, §6), fixed at compile time: nothing at run time can soften them. What a
 * guardrail changed about a score is written into the score's trail.
 */

/** Completeness (percent) from which a score is full, and from which there is one at all. */
export const FULL_CONFIDENCE_COMPLETENESS = 70;
export const MIN_COMPLETENESS = 50;
/** A retailer known from csv files only is never more complete than this. */
export const CSV_ONLY_MAX_COMPLETENESS = 75;

/** Data older than this: a warning, low confidence, no score. */
export const STALE_AFTER_DAYS = 7;
export const LOW_CONFIDENCE_AFTER_DAYS = 14;
export const NO_SCORE_AFTER_DAYS = 30;

/** No limit above this share of the net GMV of the trailing six months. */
export const CEILING_PERCENT = 30;
/** Cap in rupees where that GMV is zero, and for a cold start. */
export const SMALL_LIMIT_CAP_INR = 25_000;
/** A lender's own override may reach this share of the ceiling. */
export const OVERRIDE_PERCENT = 150;
export const LIMIT_STEP_INR = 1_000;

/** A rule score without a model behind it stays below band A. */
export const COLD_START_MAX_SCORE = 749;

/** Fewer true reasons than these: no score. More than the maximum: the strongest are shown. */
export const MIN_POSITIVE_REASONS = 3;
export const MIN_NEGATIVE_REASONS = 2;
export const MAX_REASONS_PER_DIRECTION = 4;

/** The recent past of guardrail 2: what is newer than these days is compared with what came before. */
export const RECENT_DAYS = 60;
/** Weight of the payment history up to RECENT_DAYS ago where the days since look better; the rest is today's. */
export const LONG_HISTORY_WEIGHT = 0.7;
/** Those days cannot lift a retailer by more bands than this. */
export const MAX_BANDS_GAINED = 1;

/** Excess over the retailer's own baseline that flags an anomaly. */
export const VELOCITY_SIGMAS = 3;
/** Orders of 60 days of which this share came back, and this many times the usual share, flag an anomaly. */
export const RETURNED_SHARE = 0.4;
export const RETURNED_TIMES_USUAL = 3;
/** The isolation forest of models/anomaly.json; a file with another SHA-256 is refused. */
export const ANOMALY_FOREST_SHA256 = "e7aa04507dfb7f97f77c717ba2c46d949547bccfedde24677cba79a472b8d314";

/** The names under which guardrails appear in a score's trail. */
export type Guardrail =
  | "data_quality_low_confidence"
  | "csv_only_completeness_cap"
  | "freshness_low_confidence"
  | "affordability_ceiling"
  | "zero_gmv_cap"
  | "band_d_no_limit"
  | "single_distributor_halved"
  | "cold_start_band_cap"
  | "cold_start_limit_cap"
  | "sparse_pd_widened"
  | "payment_history_weighed"
  | "payment_history_band_cap"
  | "anomaly_velocity"
  | "anomaly_order_then_return"
  | "anomaly_isolation_forest";
