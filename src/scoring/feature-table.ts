/**
 * The one table of the 42 features: the engine, the docs, the training export and the reason codes all read it.
 * The order is the order of every feature vector.
 */

export type FeatureFamily = "payment" | "order" | "trajectory" | "seasonal" | "relationship";

export interface FeatureDefinition {
  /** 1-42; position + 1 in a feature vector. */
  number: number;
  name: string;
  family: FeatureFamily;
  unit: string;
  /** Direction of risk: `+` means higher is riskier. The model is constrained to follow it. */
  sign: "+" | "-";
  /** When the value is null (NaN for the model). */
  null_when: string;
  definition: string;
}

/** Version of the list: part of every model's identity, a model trained on another list is refused. */
export const FEATURE_LIST_VERSION = "1";

export const FEATURES = [
  {
    number: 1,
    name: "avg_payment_delay_days",
    family: "payment",
    unit: "days",
    sign: "+",
    null_when: "DUE180 empty",
    definition: "mean(late) over DUE180",
  },
  {
    number: 2,
    name: "wavg_delay_180",
    family: "payment",
    unit: "days",
    sign: "+",
    null_when: "DUE180 empty",
    definition: "sum(late*A)/sum(A) over DUE180",
  },
  {
    number: 3,
    name: "avg_delay_90",
    family: "payment",
    unit: "days",
    sign: "+",
    null_when: "DUE90 empty",
    definition: "mean(late) over DUE90",
  },
  {
    number: 4,
    name: "p90_payment_delay_days",
    family: "payment",
    unit: "days",
    sign: "+",
    null_when: "DUE180 empty",
    definition: "90th percentile of late over DUE180, linear interpolation",
  },
  {
    number: 5,
    name: "max_delay_180",
    family: "payment",
    unit: "days",
    sign: "+",
    null_when: "DUE180 empty",
    definition: "max(late) over DUE180",
  },
  {
    number: 6,
    name: "worst_delay_365",
    family: "payment",
    unit: "days",
    sign: "+",
    null_when: "DUE365 empty",
    definition: "max(late) over DUE365",
  },
  {
    number: 7,
    name: "delay_std_180",
    family: "payment",
    unit: "days",
    sign: "+",
    null_when: "fewer than 3",
    definition: "sd(late) over DUE180",
  },
  {
    number: 8,
    name: "zero_delay_rate",
    family: "payment",
    unit: "0-1",
    sign: "-",
    null_when: "DUE180 empty",
    definition: "share of DUE180 with late = 0",
  },
  {
    number: 9,
    name: "ontime_share_180",
    family: "payment",
    unit: "0-1",
    sign: "-",
    null_when: "DUE180 empty",
    definition: "share of DUE180 with late <= 3",
  },
  {
    number: 10,
    name: "late15_share_180",
    family: "payment",
    unit: "0-1",
    sign: "+",
    null_when: "DUE180 empty",
    definition: "share of DUE180 with late >= 15",
  },
  {
    number: 11,
    name: "days_since_late15",
    family: "payment",
    unit: "days",
    sign: "-",
    null_when: "never",
    definition: "min(365, t - max(paid ? P : t)) over {D <= t, late >= 15}; 365 if none",
  },
  {
    number: 12,
    name: "partial_payment_freq",
    family: "payment",
    unit: "0-1",
    sign: "+",
    null_when: "DUE180 empty",
    definition: "share of DUE180 partially paid",
  },
  {
    number: 13,
    name: "partial_payment_ratio",
    family: "payment",
    unit: "0-1",
    sign: "-",
    null_when: "DUE180 empty",
    definition: "median of (non-bounced payments <= min(t, P))/A of the partially paid in DUE180; 1 if none",
  },
  {
    number: 14,
    name: "max_consecutive_delays",
    family: "payment",
    unit: "count",
    sign: "+",
    null_when: "DUE365 empty",
    definition: "longest run of late > 0 in DUE365 ordered by D, I, distributor, id (code units)",
  },
  {
    number: 15,
    name: "overdue_share",
    family: "payment",
    unit: "0-1",
    sign: "+",
    null_when: "never",
    definition: "sum(open, D < t)/sum(open); 0 if nothing open",
  },
  {
    number: 16,
    name: "oldest_overdue_days",
    family: "payment",
    unit: "days",
    sign: "+",
    null_when: "never",
    definition: "max(t-D) over open with D < t; 0 if none",
  },
  {
    number: 17,
    name: "collect_ratio_90",
    family: "payment",
    unit: "0-1",
    sign: "-",
    null_when: "DUE90 empty",
    definition: "sum(A, DUE90 and paid)/sum(A, DUE90)",
  },
  {
    number: 18,
    name: "bounce_rate_180",
    family: "payment",
    unit: "0-1",
    sign: "+",
    null_when: "never",
    definition: "bounced/all payments in 180 days; 0 if no payment",
  },
  {
    number: 19,
    name: "monthly_order_frequency",
    family: "order",
    unit: "1/month",
    sign: "-",
    null_when: "no invoice",
    definition:
      "invoices in the last n calendar months (the running one included) / n, n = min(6, months since the first invoice, both ends counted)",
  },
  {
    number: 20,
    name: "order_gap_median_days",
    family: "order",
    unit: "days",
    sign: "+",
    null_when: "fewer than 3 days",
    definition: "median gap between distinct invoice days in INV180",
  },
  {
    number: 21,
    name: "order_gap_cv",
    family: "order",
    unit: "ratio",
    sign: "+",
    null_when: "fewer than 4 days",
    definition: "sd/mean of those gaps",
  },
  {
    number: 22,
    name: "return_rate_pct",
    family: "order",
    unit: "%",
    sign: "+",
    null_when: "no invoice",
    definition: "100 * returned value / invoiced value, 12 months",
  },
  {
    number: 23,
    name: "return_freq_pct",
    family: "order",
    unit: "%",
    sign: "+",
    null_when: "no invoice",
    definition: "100 * credit notes / invoices, 12 months",
  },
  {
    number: 24,
    name: "gmv_per_order_cv",
    family: "order",
    unit: "ratio",
    sign: "+",
    null_when: "fewer than 3",
    definition: "sd(A)/mean(A) over INV180",
  },
  {
    number: 25,
    name: "gmv_trend_slope",
    family: "trajectory",
    unit: "1/month",
    sign: "-",
    null_when: "tenure < 6 months or mean <= 0",
    definition: "OLS slope of monthly GMV over M12, divided by its mean",
  },
  {
    number: 26,
    name: "gmv_3m_vs_12m_ratio",
    family: "trajectory",
    unit: "ratio",
    sign: "-",
    null_when: "mean <= 0",
    definition: "mean of the last 3 of M12 / mean of M12",
  },
  {
    number: 27,
    name: "gmv_yoy_growth",
    family: "trajectory",
    unit: "ratio",
    sign: "-",
    null_when: "tenure < 24 months or the earlier sum <= 0",
    definition: "sum of M12 / sum of the 12 months before it, minus 1, clipped to [-1, 3]",
  },
  {
    number: 28,
    name: "active_months_pct",
    family: "trajectory",
    unit: "%",
    sign: "-",
    null_when: "never",
    definition: "100 * months of M12 with an invoice / min(12, tenure), at most 100; 0 at tenure 0",
  },
  {
    number: 29,
    name: "invoice_count_trend",
    family: "trajectory",
    unit: "1/month",
    sign: "-",
    null_when: "tenure < 6 months or mean count 0",
    definition: "OLS slope of monthly invoice count over M12, divided by its mean",
  },
  {
    number: 30,
    name: "avg_monthly_gmv_log",
    family: "trajectory",
    unit: "ln INR",
    sign: "-",
    null_when: "never",
    definition: "ln(1 + max(0, mean monthly GMV in rupees over M12)); 0 without a complete month",
  },
  {
    number: 31,
    name: "freq_trend",
    family: "trajectory",
    unit: "log ratio",
    sign: "-",
    null_when: "tenure < 150 days",
    definition: "ln((n(I > t-90)+1)/(n(t-180 < I <= t-90)+1))",
  },
  {
    number: 32,
    name: "seasonal_amplitude",
    family: "seasonal",
    unit: "ratio",
    sign: "+",
    null_when: "tenure < 18 months",
    definition:
      "highest / lowest rolling 3-month mean GMV over the last 24 complete months since the first invoice's month, capped 20; 20 if the lowest <= 0",
  },
  {
    number: 33,
    name: "seasonal_recovery_rate",
    family: "seasonal",
    unit: "ratio",
    sign: "-",
    null_when: "as 32, or none follow, or mean <= 0",
    definition:
      "mean GMV of the up to 3 months after the first of the lowest windows of 32 / mean of M12, clipped [0, 2]",
  },
  {
    number: 34,
    name: "off_season_payment_delay",
    family: "seasonal",
    unit: "days",
    sign: "+",
    null_when: "tenure < 12 months, or a side empty",
    definition:
      "months of M12 ranked by GMV (ties: the earlier is weaker): mean late of invoices due in the 6 weakest minus in the 6 strongest",
  },
  {
    number: 35,
    name: "croston_demand_rate",
    family: "seasonal",
    unit: "1/month",
    sign: "-",
    null_when: "not routed sparse",
    definition:
      "Croston on monthly invoice counts from the first invoice's month to the last complete month: z0 the first demand, p0 its position from 1, updated at each demand with alpha 0.1; (1 - alpha/2) z / p",
  },
  {
    number: 36,
    name: "inter_demand_cv",
    family: "seasonal",
    unit: "ratio",
    sign: "+",
    null_when: "fewer than 3 active months",
    definition: "sd/mean of intervals between active complete months since the first invoice",
  },
  {
    number: 37,
    name: "distributor_tenure_months",
    family: "relationship",
    unit: "months",
    sign: "-",
    null_when: "never",
    definition: "calendar months from the first invoice's month to t's",
  },
  {
    number: 38,
    name: "distributor_count",
    family: "relationship",
    unit: "count",
    sign: "-",
    null_when: "never",
    definition: "distributors with an invoice in 24 months",
  },
  {
    number: 39,
    name: "credit_term_utilization",
    family: "relationship",
    unit: "ratio",
    sign: "+",
    null_when: "DUE180 empty or terms 0",
    definition: "sum(((settled ? P : t) - I)*A)/sum((D - I)*A) over DUE180, capped 10",
  },
  {
    number: 40,
    name: "outstanding_to_monthly",
    family: "relationship",
    unit: "months",
    sign: "+",
    null_when: "nothing billed and nothing open",
    definition: "open amount / (sum of A in INV180 / 6), capped 12; 12 if open but nothing billed",
  },
  {
    number: 41,
    name: "dispute_rate",
    family: "relationship",
    unit: "0-1",
    sign: "+",
    null_when: "no invoice",
    definition: "disputed / invoices, 12 months",
  },
  {
    number: 42,
    name: "recency_days",
    family: "relationship",
    unit: "days",
    sign: "+",
    null_when: "no invoice",
    definition: "t - last invoice day",
  },
] as const satisfies readonly FeatureDefinition[];

export type FeatureName = (typeof FEATURES)[number]["name"];

export const FEATURE_COUNT = FEATURES.length;

/** Names in the order of every feature vector. */
export const FEATURE_NAMES: readonly FeatureName[] = FEATURES.map((feature) => feature.name);

/** Position of a feature in every feature vector. */
export const FEATURE_INDEX = Object.fromEntries(FEATURES.map((feature, i) => [feature.name, i])) as Record<
  FeatureName,
  number
>;
