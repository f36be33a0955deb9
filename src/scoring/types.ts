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

/** Identity of the model behind a score. */
export interface ModelIdentity {
  model_id: string;
  version: string;
  sha256: string;
}
