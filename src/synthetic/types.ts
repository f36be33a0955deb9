import type { ErpType } from "../scoring/types.ts";

/** What a retailer is like at heart; only the generator and its tests know it. */
export type RetailerKind = "punctual" | "average" | "slow" | "deteriorating" | "seasonal" | "sparse" | "new";

export type PaymentMethod = "NEFT" | "RTGS" | "IMPS" | "UPI" | "cheque" | "cash";

/** What to generate. The ledger covers `months` months up to and with `end_day` (days since 1970-01-01). */
export interface LedgerRequest {
  /** Any text; the same request gives the same ledger. */
  seed: string;
  retailers: number;
  distributors: number;
  months: number;
  end_day: number;
  /**
   * Share (0-1, default 0) of retailers that buy like small wholesalers: longer terms up to 60 days, rarer
   * orders of widely differing size, more scattered delays, more disputes.
   */
  trade_share?: number;
}

export interface SyntheticDistributor {
  index: number;
  erp_type: ErpType;
}

export interface SyntheticRetailer {
  index: number;
  gstin: string;
  /** 10 digits, made up. */
  phone: string;
  kind: RetailerKind;
}

export interface SyntheticInvoice {
  distributor_index: number;
  retailer_index: number;
  /** Unique within the distributor. */
  invoice_id: string;
  invoice_day: number;
  due_day: number | null;
  amount_paise: number;
  /** A credit note. */
  is_return: boolean;
  /** For a credit note: the invoice it names, if any. */
  original_invoice_id: string | null;
  disputed: boolean;
}

export interface SyntheticPayment {
  distributor_index: number;
  /** Unique within the distributor. */
  payment_id: string;
  invoice_id: string;
  paid_day: number;
  amount_paise: number;
  payment_method: PaymentMethod;
  bounced: boolean;
}

/**
 * A whole made-up ledger: invoices in order of distributor and day, each followed by its credit note if it has
 * one. Nothing in it is dated after `end_day`.
 */
export interface SyntheticLedger {
  distributors: SyntheticDistributor[];
  retailers: SyntheticRetailer[];
  invoices: SyntheticInvoice[];
  payments: SyntheticPayment[];
}
