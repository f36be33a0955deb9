/**
 * The engine's vocabulary. Days are integers since 1970-01-01 (IST calendar days, see lib/days.ts),
 * money is integer paise. Everything here is plain data: the engine has no clock, no randomness and no I/O.
 */

export type ErpType = "tally_prime" | "sap_b1" | "csv";

/** One invoice or credit note (`is_return`) of the retailer. */
export interface StatementInvoice {
  distributor_id: string;
  invoice_id: string;
  invoice_day: number;
  due_day: number | null;
  amount_paise: number;
  is_return: boolean;
  /** For a credit note: the invoice it names, if any. */
  original_invoice_id: string | null;
  disputed: boolean;
}

/** One payment towards an invoice of the same distributor. */
export interface StatementPayment {
  distributor_id: string;
  payment_id: string;
  invoice_id: string;
  paid_day: number;
  amount_paise: number;
  bounced: boolean;
}

/** What one distributor's ledger knows beyond this retailer's rows; all as of the statement's day. */
export interface StatementSource {
  distributor_id: string;
  erp_type: ErpType;
  /** Most frequent due - invoice difference among the distributor's invoices (ties: the shorter; none: 30). */
  usual_term_days: number;
  /** The retailer's first invoice ever with this distributor (also before the 36-month window); null without one. */
  first_invoice_day: number | null;
  /** Records received from this distributor, and how many of them were quarantined. */
  records_received: number;
  records_quarantined: number;
}

/** A retailer's rows over all its distributors, at most 36 months back from as_of (scoring.md §1). */
export interface Statement {
  retailer_id: string;
  sources: StatementSource[];
  invoices: StatementInvoice[];
  payments: StatementPayment[];
  /** A GSTIN or a phone that was verified by a consent. */
  identity_verified: boolean;
}

export type RiskBand = "A" | "B" | "C" | "D";
export type Route = "primary" | "sparse" | "cold_start";
export type LimitSource = "model" | "gmv_ceiling" | "cold_start" | "low_confidence_cap";

/** Percentages 0-100 with one decimal (scoring.md §3). */
export interface Completeness {
  score: number;
  invoice: number;
  payment: number;
  temporal: number;
  identity: number;
  schema: number;
}

/** One reason, strongest first within its direction; texts live in the reason table. */
export interface Reason {
  code: string;
  direction: "positive" | "negative";
  rank: number;
}

/** What one guardrail did to this score. */
export interface GuardrailEntry {
  guardrail: string;
  effect: string;
}

/**
 * The engine's answer for a retailer with enough data. `features` holds the 42 values in the order of the
 * feature table, null where undefined.
 */
export interface ScoredCard {
  status: "scored";
  as_of_day: number;
  route: Route;
  altscore: number;
  risk_band: RiskBand;
  /** Calibrated, 4 decimals, of the route's final PD (widened when sparse). */
  probability_of_default: number;
  /** The model's or the rules' own, after the payment history was weighed; `shap` and `shap_bias` add up to it. */
  margin: number;
  /** Integer rupees, floored to 1,000. */
  recommended_limit_inr: number;
  limit_source: LimitSource;
  ceiling_applied: boolean;
  /** Trailing six-month net GMV in integer rupees, and the 30 % ceiling made of it (unrounded rupees). */
  gmv_6m_trailing_inr: number;
  ceiling_inr: number;
  low_confidence: boolean;
  cold_start: boolean;
  anomaly_flag: boolean;
  single_distributor: boolean;
  completeness: Completeness;
  reasons: Reason[];
  warnings: string[];
  guardrails: GuardrailEntry[];
  features: (number | null)[];
  /** Contribution per feature in margin units and the bias; internal, never leaves the engine's store. */
  shap: number[];
  shap_bias: number;
  feature_snapshot_hash: string;
}

/** No score: completeness under 50 (422 DATA_INSUFFICIENT), or reason codes that cannot be given truthfully (503). */
export interface BlockedCard {
  status: "insufficient" | "unexplainable";
  as_of_day: number;
  completeness: Completeness;
  features: (number | null)[];
  feature_snapshot_hash: string;
}

export type Scorecard = ScoredCard | BlockedCard;

/** What one retailer's last 60 days look like beside its own past (guardrail 2). */
export interface AnomalyFacts {
  /** Largest excess of a 30-day block over the baseline's blocks, in standard deviations; null without a baseline. */
  order_count_sigmas: number | null;
  order_value_sigmas: number | null;
  /** Returned over invoiced value in the last 60 days, and in the 12 months before them; null without invoices. */
  returned_share_60d: number | null;
  returned_share_before: number | null;
  /** The measures of behaviour.ts; null without a baseline, null values where it cannot be compared with. */
  behaviour: (number | null)[] | null;
}

/** How the bills of the whole statement were paid: shares of those due by the as-of day; 0 when none was. */
export interface PaymentHistory {
  /** At most a week late; not late at all. */
  close_to_due_share: number;
  no_delay_share: number;
  /** Settled with no more than one payment. */
  paid_at_once_share: number;
}

/** Everything the engine needs after the statement: stored with the score, so that a replay gives the same card. */
export interface ReplayInputs {
  as_of_day: number;
  route: Route;
  /** In the order of the feature table; all null without an invoice in the window. */
  features: (number | null)[];
  /** Features 1-18 (the payment family) as of 60 days earlier; null if there is no payment history that old. */
  payment_features_60d_ago: (number | null)[] | null;
  completeness: Completeness;
  /** Whether the completeness was cut because csv files are the only source. */
  csv_capped: boolean;
  /** Invoices minus credit notes of the last six calendar months; paise, may be negative. */
  gmv_6m_paise: number;
  /** The best six months in a row of the last 24 complete ones, at least `gmv_6m_paise`; paise. */
  best_gmv_6m_paise: number;
  /** Longest gap between two order days of the last 180 days, or since the last order; null without an order. */
  longest_gap_days: number | null;
  history: PaymentHistory;
  anomaly: AnomalyFacts;
}

/** A score's card and what it can be computed from again. */
export interface ScoringResult {
  card: Scorecard;
  replay_inputs: ReplayInputs;
}

/** Identity of the model behind a score. */
export interface ModelIdentity {
  model_id: string;
  version: string;
  sha256: string;
}
