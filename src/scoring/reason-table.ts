import type { FeatureName } from "./feature-table.ts";
import taxonomy from "./reason-codes.json" with { type: "json" };
import type { PaymentHistory } from "./types.ts";

export type Direction = "positive" | "negative";

export interface ReasonTexts {
  label_en: string;
  label_hi: string;
  explain_en: string;
  explain_hi: string;
  advice_en: string | null;
  advice_hi: string | null;
}

/** What a reason's truth is judged on. */
export interface ReasonFacts {
  value(name: FeatureName): number | null;
  history: PaymentHistory;
  /** Longest gap between order days in 180 days, or since the last order; null without an order. */
  longest_gap_days: number | null;
}

/**
 * One code: the groups of features it can rest on, and when its statement is true whatever the model made of them.
 * A group is one aspect of the statement: the typical delay, say, and the longest ones.
 */
export interface ReasonRule {
  code: string;
  /** The code of the statement that contradicts this one, if there is one: only one of the two is ever given. */
  opposite?: string;
  aspects: readonly (readonly FeatureName[])[];
  /**
   * The statement tells of bills as they were once paid: where the payment history of 60 days ago moved the score as
   * well, it is also true if it was true then.
   */
  of_the_past?: true;
  /** The statement is plainly true. */
  holds(facts: ReasonFacts): boolean;
  /**
   * The facts lean that way: the statement is not plainly true but nothing contradicts it. Used only to reach
   * the least number of reasons (docs/adr/0006).
   */
  leans(facts: ReasonFacts): boolean;
}

type Condition = (facts: ReasonFacts) => boolean;

/** Borders of statements that contradict each other: between the two of a pair the facts may lean either way. */
const REGULAR_CV = 0.5;
const IRREGULAR_CV = 0.75;
const CLOSE_TO_DUE_DAYS = 7;
const FEW_RETURNS_PERCENT = 3;
const MANY_RETURNS_PERCENT = 5;
const SHORT_TENURE_MONTHS = 18;
const LONG_TENURE_MONTHS = 24;
/** A year against the year before counts as fallen below this. */
const FALLEN_YOY = -0.05;

/** A condition on one feature; what is not known makes no statement true. */
function known(name: FeatureName, condition: (value: number) => boolean): Condition {
  return ({ value }) => {
    const found = value(name);
    return found !== null && condition(found);
  };
}

/** So many months of the year the statement speaks of are known, and such a share of them had an order. */
function activeMonths(least_known: number, least_percent: number): Condition {
  return ({ value }) =>
    (value("distributor_tenure_months") ?? 0) >= least_known &&
    (value("active_months_pct") ?? 0) >= least_percent;
}

/** Most bills at most a week late, and lately on average too, if any fell due lately. */
const paysCloseToDue: Condition = ({ value, history }) =>
  history.close_to_due_share > 0.5 && (value("avg_payment_delay_days") ?? 0) <= CLOSE_TO_DUE_DAYS;

const paysWellAfterDue: Condition = known("avg_payment_delay_days", (days) => days > CLOSE_TO_DUE_DAYS);

/** An order gap that is long in itself, or beside the retailer's own rhythm. */
const hasLongGap: Condition = ({ value, longest_gap_days }) => {
  if (longest_gap_days === null) return false;
  const usual_days = value("order_gap_median_days");
  return longest_gap_days >= 10 || (usual_days !== null && longest_gap_days >= Math.max(4, 2 * usual_days));
};

/** Spread of the order gaps in days, or in months where orders are too few for that. */
function gapSpread({ value }: ReasonFacts): number | null {
  return value("order_gap_cv") ?? value("inter_demand_cv");
}

/** Whether that spread is known and meets a condition. */
function gapsSpread(condition: (cv: number) => boolean): Condition {
  return (facts) => {
    const cv = gapSpread(facts);
    return cv !== null && condition(cv);
  };
}

/** The last months bring more than the year's average, and there were enough orders to speak of a growth. */
const grown: Condition = ({ value }) => {
  const months = Math.min(6, (value("distributor_tenure_months") ?? 0) + 1);
  const orders = Math.round((value("monthly_order_frequency") ?? 0) * months);
  return orders >= 2 && (value("gmv_3m_vs_12m_ratio") ?? 0) > 1;
};

const isFalling: Condition = ({ value }) =>
  (value("gmv_trend_slope") ?? 0) < 0 || (value("gmv_yoy_growth") ?? 0) < FALLEN_YOY;

const isRising: Condition = (facts) => !isFalling(facts) && (facts.value("gmv_trend_slope") ?? 0) > 0;

/** Any measure of purchases points down, however little. */
const dips: Condition = ({ value }) =>
  (value("gmv_trend_slope") ?? 0) < 0 ||
  (value("gmv_yoy_growth") ?? 0) < 0 ||
  (value("invoice_count_trend") ?? 0) < 0 ||
  (value("gmv_3m_vs_12m_ratio") ?? 1) < 1;

/** Some gap was longer than the usual one. */
const hasUnevenGap: Condition = ({ value, longest_gap_days }) =>
  longest_gap_days !== null && longest_gap_days > (value("order_gap_median_days") ?? 0);

/** The feature that only the sparse route computes: its null is no lack of data. */
export const SPARSE_ONLY_FEATURE: FeatureName = "croston_demand_rate";

/** The code for what could not be computed, and for the allowance made for it: it has no features of its own. */
export const NO_DATA_CODE = "DATA_INSUFFICIENT";

/** The positive codes; every feature is in exactly one aspect of one of them. */
export const POSITIVE_RULES: readonly ReasonRule[] = [
  {
    code: "LOW_PAYMENT_DELAY",
    opposite: "PAYMENT_DELAY_HIGH",
    aspects: [
      ["avg_payment_delay_days", "wavg_delay_180", "avg_delay_90", "credit_term_utilization"],
      [
        "p90_payment_delay_days",
        "max_delay_180",
        "worst_delay_365",
        "delay_std_180",
        "late15_share_180",
        "days_since_late15",
      ],
    ],
    holds: paysCloseToDue,
    leans: (facts) => facts.history.close_to_due_share >= 0.5 && !paysWellAfterDue(facts),
  },
  {
    code: "ZERO_DELAY_RATE_HIGH",
    aspects: [["zero_delay_rate", "ontime_share_180"], ["max_consecutive_delays"], ["oldest_overdue_days"]],
    holds: (facts) => (facts.value("zero_delay_rate") ?? facts.history.no_delay_share) > 0.5,
    leans: ({ value, history }) => (value("zero_delay_rate") ?? history.no_delay_share) >= 0.5,
  },
  {
    code: "FULL_PAYMENT_RATE_HIGH",
    aspects: [
      ["partial_payment_freq", "partial_payment_ratio", "bounce_rate_180"],
      ["overdue_share", "collect_ratio_90", "outstanding_to_monthly"],
    ],
    holds: (facts) => facts.history.paid_at_once_share > 0.5,
    leans: ({ history }) => history.paid_at_once_share >= 0.5,
  },
  {
    code: "CONSISTENT_ORDER_FREQ",
    opposite: "IRREGULAR_ORDER_PATTERN",
    aspects: [
      ["monthly_order_frequency", "freq_trend", "croston_demand_rate"],
      ["order_gap_median_days", "recency_days"],
      ["order_gap_cv", "inter_demand_cv"],
    ],
    holds: gapsSpread((cv) => cv <= REGULAR_CV),
    leans: gapsSpread((cv) => cv <= IRREGULAR_CV),
  },
  {
    code: "STABLE_BASKET_SIZE",
    aspects: [["gmv_per_order_cv"]],
    holds: known("gmv_per_order_cv", (cv) => cv <= 0.6),
    leans: known("gmv_per_order_cv", (cv) => cv <= 1.2),
  },
  {
    code: "LOW_RETURN_RATE",
    opposite: "HIGH_RETURN_RATE",
    aspects: [["return_rate_pct", "return_freq_pct"], ["dispute_rate"]],
    holds: known("return_rate_pct", (percent) => percent <= FEW_RETURNS_PERCENT),
    leans: known("return_rate_pct", (percent) => percent < MANY_RETURNS_PERCENT),
  },
  {
    code: "GROWING_BASKET_SIZE",
    aspects: [["gmv_3m_vs_12m_ratio"]],
    holds: grown,
    leans: grown,
  },
  {
    code: "STRONG_GMV_TREND",
    opposite: "DECLINING_GMV",
    aspects: [["gmv_trend_slope", "gmv_yoy_growth"], ["invoice_count_trend"]],
    holds: isRising,
    leans: (facts) => !isFalling(facts) && facts.value("gmv_trend_slope") !== null,
  },
  {
    code: "HIGH_ACTIVE_MONTHS",
    aspects: [["active_months_pct"], ["avg_monthly_gmv_log"]],
    holds: activeMonths(9, 75),
    leans: activeMonths(6, 50),
  },
  {
    code: "SEASONAL_RECOVERY",
    opposite: "SEASONAL_GAP_DEEP",
    aspects: [["seasonal_amplitude", "seasonal_recovery_rate"], ["off_season_payment_delay"]],
    holds: known("seasonal_recovery_rate", (rate) => rate >= 0.8),
    leans: known("seasonal_recovery_rate", (rate) => rate >= 0.5),
  },
  {
    code: "LONG_DISTRIBUTOR_TENURE",
    opposite: "SHORT_DISTRIBUTOR_TENURE",
    aspects: [["distributor_tenure_months"]],
    holds: known("distributor_tenure_months", (months) => months >= LONG_TENURE_MONTHS),
    leans: known("distributor_tenure_months", (months) => months >= SHORT_TENURE_MONTHS),
  },
  {
    code: "MULTI_DISTRIBUTOR_NETWORK",
    aspects: [["distributor_count"]],
    holds: known("distributor_count", (count) => count >= 2),
    leans: known("distributor_count", (count) => count >= 2),
  },
];

/** The negative codes but DATA_INSUFFICIENT; every feature is in exactly one aspect of one of them. */
export const NEGATIVE_RULES: readonly ReasonRule[] = [
  {
    code: "PAYMENT_DELAY_HIGH",
    opposite: "LOW_PAYMENT_DELAY",
    aspects: [
      ["avg_payment_delay_days", "wavg_delay_180", "avg_delay_90", "credit_term_utilization"],
      ["zero_delay_rate", "ontime_share_180"],
    ],
    holds: paysWellAfterDue,
    leans: (facts) => !paysCloseToDue(facts) && known("avg_payment_delay_days", (days) => days > 2)(facts),
  },
  {
    code: "P90_DELAY_GT_15DAYS",
    of_the_past: true,
    aspects: [
      ["p90_payment_delay_days", "delay_std_180", "late15_share_180"],
      ["max_delay_180", "worst_delay_365", "days_since_late15"],
    ],
    holds: known("p90_payment_delay_days", (days) => days > 15),
    leans: known("worst_delay_365", (days) => days > 15),
  },
  {
    code: "CONSECUTIVE_DELAYS",
    of_the_past: true,
    aspects: [["max_consecutive_delays"]],
    holds: known("max_consecutive_delays", (bills) => bills >= 3),
    leans: known("max_consecutive_delays", (bills) => bills >= 2),
  },
  {
    code: "OVERDUE_UNPAID_INVOICES",
    aspects: [
      ["overdue_share", "oldest_overdue_days"],
      ["collect_ratio_90", "outstanding_to_monthly"],
    ],
    holds: known("overdue_share", (share) => share > 0),
    leans: known("overdue_share", (share) => share > 0),
  },
  {
    code: "PARTIAL_PAYMENT_FREQ",
    aspects: [["partial_payment_freq", "partial_payment_ratio"], ["bounce_rate_180"]],
    holds: known("partial_payment_freq", (share) => share >= 0.2),
    leans: known("partial_payment_freq", (share) => share > 0),
  },
  {
    code: "DECLINING_GMV",
    opposite: "STRONG_GMV_TREND",
    aspects: [["gmv_trend_slope", "gmv_yoy_growth", "avg_monthly_gmv_log"], ["gmv_3m_vs_12m_ratio"]],
    holds: isFalling,
    leans: (facts) => dips(facts) && !isRising(facts),
  },
  {
    code: "ORDER_GAP_DETECTED",
    aspects: [
      ["order_gap_median_days", "recency_days"],
      ["invoice_count_trend", "freq_trend"],
      ["monthly_order_frequency", "active_months_pct", "croston_demand_rate"],
    ],
    holds: hasLongGap,
    leans: hasUnevenGap,
  },
  {
    code: "IRREGULAR_ORDER_PATTERN",
    opposite: "CONSISTENT_ORDER_FREQ",
    aspects: [["order_gap_cv", "inter_demand_cv"], ["gmv_per_order_cv"]],
    holds: gapsSpread((cv) => cv > IRREGULAR_CV),
    leans: gapsSpread((cv) => cv > REGULAR_CV),
  },
  {
    code: "HIGH_RETURN_RATE",
    opposite: "LOW_RETURN_RATE",
    aspects: [["return_rate_pct", "return_freq_pct"], ["dispute_rate"]],
    holds: known("return_rate_pct", (percent) => percent >= MANY_RETURNS_PERCENT),
    leans: known("return_rate_pct", (percent) => percent > FEW_RETURNS_PERCENT),
  },
  {
    code: "SEASONAL_GAP_DEEP",
    opposite: "SEASONAL_RECOVERY",
    aspects: [["seasonal_amplitude"], ["seasonal_recovery_rate"], ["off_season_payment_delay"]],
    holds: known("seasonal_amplitude", (ratio) => ratio >= 1.5),
    leans: known("seasonal_amplitude", (ratio) => ratio > 1),
  },
  {
    code: "SHORT_DISTRIBUTOR_TENURE",
    opposite: "LONG_DISTRIBUTOR_TENURE",
    aspects: [["distributor_tenure_months"], ["distributor_count"]],
    holds: known("distributor_tenure_months", (months) => months < SHORT_TENURE_MONTHS),
    leans: known("distributor_tenure_months", (months) => months < LONG_TENURE_MONTHS),
  },
];

const TEXTS = new Map<string, ReasonTexts>(taxonomy.codes.map((entry) => [entry.code, entry]));

/** All 24 codes. */
export const REASON_CODES: readonly string[] = taxonomy.codes.map((entry) => entry.code);

/** Texts of a code in English and Hindi; throws RangeError for a code that the taxonomy does not have. */
export function reasonTexts(code: string): ReasonTexts {
  const texts = TEXTS.get(code);
  if (texts === undefined) throw new RangeError(`unknown reason code ${code}`);
  const { label_en, label_hi, explain_en, explain_hi, advice_en, advice_hi } = texts;
  return { label_en, label_hi, explain_en, explain_hi, advice_en, advice_hi };
}
