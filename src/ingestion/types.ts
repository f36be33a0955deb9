import type { Completeness, ErpType } from "../scoring/types.ts";

export type RecordKind = "invoice" | "payment";

/** Why a record was quarantined, in the order of precedence (api.md §10). */
export const QUARANTINE_REASONS = [
  "INVALID_RECORD",
  "INVALID_DATE",
  "AMOUNT_OUTLIER",
  "INVALID_GSTIN",
  "IDENTITY_UNRESOLVABLE",
  "INVALID_PAYMENT_DATE",
] as const;
export type QuarantineReason = (typeof QUARANTINE_REASONS)[number];

/** What was found odd about an invoice that was accepted all the same. */
export const RECORD_FLAGS = ["DUE_DATE_DROPPED", "IDENTITY_CONFLICT"] as const;
export type RecordFlag = (typeof RECORD_FLAGS)[number];

/**
 * The rows that go from the door to the ledger, as tuples: they travel as JSON text and SQLite reads them by
 * position. Days are IST day numbers, money is paise, booleans are 0 or 1, `index` is the place in the batch.
 */
export type InvoiceRow = [
  index: number,
  invoice_id: string,
  retailer_id: string,
  invoice_day: number,
  due_day: number | null,
  amount_paise: number,
  is_return: 0 | 1,
  original_invoice_id: string | null,
  disputed: 0 | 1,
];
export type PaymentRow = [
  index: number,
  payment_id: string,
  invoice_id: string,
  paid_day: number,
  amount_paise: number,
  payment_method: string | null,
  bounced: 0 | 1,
];
/** `value_hash`: keyed hash of the bad value, which itself is not kept. */
export type QuarantineRow = [
  kind: RecordKind,
  index: number,
  record_id: string | null,
  reason: QuarantineReason,
  value_hash: string,
];
export type FlagRow = [index: number, invoice_id: string, flag: RecordFlag];

/** A checked, pseudonymised batch for its distributor's ledger. The four lists are JSON text of tuple arrays. */
export interface AcceptInput {
  distributor_id: string;
  /** The registry's type of the distributor's system, and the one the batch's header names. */
  registered_erp_type: ErpType;
  erp_type: ErpType;
  /** X-Batch-ID in lower case. */
  external_batch_id: string;
  batch_seq: string | null;
  /** Hex SHA-256 of the raw body. */
  payload_sha256: string;
  sync_from_ms: number;
  sync_to_ms: number;
  /** Accepted batches allowed in any 60 minutes, from the registry. */
  batches_per_hour: number;
  /** Records in the body: accepted + quarantined + duplicates in the answer. */
  records_sent: number;
  /** Checked invoices whose retailer's identity is verified. */
  invoices_identified: number;
  invoices: string;
  payments: string;
  quarantine: string;
  flags: string;
  /** JSON of `[alias, canonical]` pairs: retailers of this batch that absorbed others. */
  aliases: string;
}

/** By what a ledger knows whether it will take a batch. */
export type BatchKey = Pick<AcceptInput, "external_batch_id" | "payload_sha256" | "batches_per_hour">;

/** The 202 answer of POST /v1/ingest/batch. */
export interface BatchAnswer {
  batch_id: string;
  accepted: number;
  quarantined: number;
  duplicates: number;
  status: "processing" | "held";
}

export type BatchRefusal =
  | { kind: "duplicate"; original: BatchAnswer; payload_matches: boolean }
  | { kind: "limited"; retry_after_s: number };
export type AcceptResult = { kind: "accepted"; answer: BatchAnswer } | BatchRefusal;

/** The answer of GET /v1/ingest/batch/{batch_id}/status. */
export interface BatchStatus {
  batch_id: string;
  status: "processing" | "complete" | "held" | "failed";
  written: number;
  quarantined: number;
  duplicates: number;
  completeness_score: number;
  completeness: Omit<Completeness, "score">;
  pipeline_triggered: boolean;
  quarantine: { kind: RecordKind; index: number; record_id: string | null; reason: QuarantineReason }[];
  flags: { index: number; record_id: string; flag: RecordFlag }[];
}
