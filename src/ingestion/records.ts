import type { DayReader } from "./dates.ts";
import { isValidGstin, normaliseGstin } from "./gstin.ts";
import type { QuarantineReason, RecordKind } from "./types.ts";

/**
 * The rules for single records (api.md §5 and §10). Written by hand, not as a schema: a batch has 1,000 of them
 * and every one costs CPU. Each check is in the order of precedence of the reasons.
 */

/** What the rules need to know besides the record. */
export interface RecordRules {
  /** IST day of the door's clock: nothing may be dated after it. */
  today: number;
  /** Largest amount the registry allows this distributor, in paise. */
  max_amount_paise: number;
  readDay: DayReader;
}

/** An invoice or credit note that passed. `gstin` is normalised; it and `phone` never leave memory. */
export interface CheckedInvoice {
  index: number;
  invoice_id: string;
  gstin: string | null;
  phone: string | null;
  invoice_day: number;
  due_day: number | null;
  amount_paise: number;
  is_return: boolean;
  original_invoice_id: string | null;
  disputed: boolean;
  /** The due date was unusable (unparsable, before the invoice, or too far away) and left out. */
  due_date_dropped: boolean;
}

/** A payment that passed. Whether it comes before its invoice only the ledger can tell. */
export interface CheckedPayment {
  index: number;
  payment_id: string;
  invoice_id: string;
  paid_day: number;
  amount_paise: number;
  payment_method: string | null;
  bounced: boolean;
}

/** A record that did not pass; `bad_value` is what offended, to be hashed and dropped. */
export interface RejectedRecord {
  kind: RecordKind;
  index: number;
  record_id: string | null;
  reason: QuarantineReason;
  bad_value: unknown;
}

const FIRST_VALID_DAY = Date.UTC(2018, 0, 1) / 86_400_000;
const MAX_TERM_DAYS = 180;
export const PAYMENT_METHODS = ["NEFT", "RTGS", "IMPS", "UPI", "cheque", "cash"] as const;

/** Ids may hold any printable text: no control characters and no halves of surrogate pairs, which no store keeps. */
const RECORD_ID = /^[^\p{Cc}\p{Cs}]{1,128}$/u;
const PLAIN_ID = /^[\w./-]{1,128}$/;
const PHONE = /^[0-9]{10}$/;
export const PAISE_PER_RUPEE = 100;
/** Above this a double cannot tell hundredths apart; such an amount is an outlier anyway. */
const MAX_EXACT_RUPEES = 9e13;

const methods = new Set<unknown>(PAYMENT_METHODS);

/** Checks one element of `invoices`. */
export function checkInvoice(
  record: unknown,
  index: number,
  rules: RecordRules,
): CheckedInvoice | RejectedRecord {
  if (!isObject(record)) return reject("invoice", index, null, "INVALID_RECORD", record);
  const { invoice_id } = record;
  if (!isRecordId(invoice_id)) return reject("invoice", index, null, "INVALID_RECORD", invoice_id);
  const amount_paise = toPaise(record.amount_inr);
  const original_invoice_id = record.original_invoice_id ?? null;
  const refuse = (reason: QuarantineReason, bad_value: unknown) =>
    reject("invoice", index, invoice_id, reason, bad_value);

  if (Number.isNaN(amount_paise)) return refuse("INVALID_RECORD", record.amount_inr);
  if (!isFlag(record.is_return)) return refuse("INVALID_RECORD", record.is_return);
  if (!isFlag(record.disputed)) return refuse("INVALID_RECORD", record.disputed);
  if (original_invoice_id !== null && !isRecordId(original_invoice_id)) {
    return refuse("INVALID_RECORD", original_invoice_id);
  }
  const invoice_day = rules.readDay(record.invoice_date);
  if (!(invoice_day >= FIRST_VALID_DAY && invoice_day <= rules.today)) {
    return refuse("INVALID_DATE", record.invoice_date);
  }
  if (!(amount_paise > 0 && amount_paise <= rules.max_amount_paise)) {
    return refuse("AMOUNT_OUTLIER", record.amount_inr);
  }
  const gstin = readGstin(record.retailer_gst);
  if (gstin === false) return refuse("INVALID_GSTIN", record.retailer_gst);
  const phone = readPhone(record.retailer_phone);
  if (gstin === null && phone === null) return refuse("IDENTITY_UNRESOLVABLE", record.retailer_phone);

  const due_date = record.due_date ?? null;
  const due_day = due_date === null ? Number.NaN : rules.readDay(due_date);
  const due_usable = due_day >= invoice_day && due_day <= invoice_day + MAX_TERM_DAYS;
  return {
    index,
    invoice_id,
    gstin,
    phone,
    invoice_day,
    due_day: due_usable ? due_day : null,
    amount_paise,
    is_return: record.is_return === true,
    original_invoice_id,
    disputed: record.disputed === true,
    due_date_dropped: due_date !== null && !due_usable,
  };
}

/** Checks one element of `payments`. */
export function checkPayment(
  record: unknown,
  index: number,
  rules: RecordRules,
): CheckedPayment | RejectedRecord {
  if (!isObject(record)) return reject("payment", index, null, "INVALID_RECORD", record);
  const { payment_id, invoice_id } = record;
  if (!isRecordId(payment_id)) return reject("payment", index, null, "INVALID_RECORD", payment_id);
  const amount_paise = toPaise(record.amount_paid_inr);
  const payment_method = record.payment_method ?? null;
  const refuse = (reason: QuarantineReason, bad_value: unknown) =>
    reject("payment", index, payment_id, reason, bad_value);

  if (!isRecordId(invoice_id)) return refuse("INVALID_RECORD", invoice_id);
  if (Number.isNaN(amount_paise)) return refuse("INVALID_RECORD", record.amount_paid_inr);
  if (payment_method !== null && !methods.has(payment_method))
    return refuse("INVALID_RECORD", payment_method);
  if (!isFlag(record.bounced)) return refuse("INVALID_RECORD", record.bounced);
  if (!(amount_paise > 0 && amount_paise <= rules.max_amount_paise)) {
    return refuse("AMOUNT_OUTLIER", record.amount_paid_inr);
  }
  const paid_day = rules.readDay(record.paid_date);
  // No invoice is older than the first valid day, so a payment before it comes before its invoice.
  if (!(paid_day >= FIRST_VALID_DAY && paid_day <= rules.today)) {
    return refuse("INVALID_PAYMENT_DATE", record.paid_date);
  }
  return {
    index,
    payment_id,
    invoice_id,
    paid_day,
    amount_paise,
    payment_method: payment_method as string | null,
    bounced: record.bounced === true,
  };
}

/** True for the outcome of a check that did not pass. */
export function isRejected(
  outcome: CheckedInvoice | CheckedPayment | RejectedRecord,
): outcome is RejectedRecord {
  return "reason" in outcome;
}

/**
 * Paise of an amount in rupees: exact for up to 2 decimals; NaN if it is not a number or has more. Amounts so
 * large that hundredths are lost come back rounded (or infinite); they are outliers whatever the limit.
 */
export function toPaise(amount_inr: unknown): number {
  if (typeof amount_inr !== "number") return Number.NaN;
  const paise = Math.round(amount_inr * PAISE_PER_RUPEE);
  // Dividing rounds to the double nearest to paise/100: the same one that the decimal text was read as.
  if (Math.abs(amount_inr) < MAX_EXACT_RUPEES && paise / PAISE_PER_RUPEE !== amount_inr) return Number.NaN;
  return paise;
}

function reject(
  kind: RecordKind,
  index: number,
  record_id: string | null,
  reason: QuarantineReason,
  bad_value: unknown,
): RejectedRecord {
  return { kind, index, record_id, reason, bad_value };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isRecordId(value: unknown): value is string {
  // The plain form first: it is what nearly all ids have, and several times cheaper to test.
  return (
    typeof value === "string" && (PLAIN_ID.test(value) || (RECORD_ID.test(value) && value.trim() !== ""))
  );
}

/** Optional booleans: absent and null mean false. */
function isFlag(value: unknown): boolean {
  return value === undefined || value === null || typeof value === "boolean";
}

/** The normalised GSTIN; null if none is given; false if what is given is not one. */
function readGstin(value: unknown): string | null | false {
  if (value === undefined || value === null) return null;
  if (typeof value !== "string") return false;
  const gstin = normaliseGstin(value);
  if (gstin === "") return null;
  return isValidGstin(gstin) && gstin;
}

/** The 10 digits, or null if there is no well-formed phone. */
function readPhone(value: unknown): string | null {
  if (typeof value !== "string") return null;
  const phone = value.trim();
  return PHONE.test(phone) ? phone : null;
}
