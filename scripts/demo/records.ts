import { createHash } from "node:crypto";
import { dayToIso } from "../../src/lib/days.ts";

/** An invoice as POST /v1/ingest/batch takes it (api.md §5). */
export interface InvoiceRecord {
  invoice_id: string;
  retailer_gst: string;
  retailer_phone: string;
  invoice_date: string;
  due_date: string | null;
  amount_inr: number;
  is_return?: boolean;
  original_invoice_id?: string;
  disputed?: boolean;
}

/** A payment as POST /v1/ingest/batch takes it. */
export interface PaymentRecord {
  payment_id: string;
  invoice_id: string;
  paid_date: string;
  amount_paid_inr: number;
  payment_method: string | null;
  bounced?: boolean;
}

/** One distributor's records with the day each was written, in any order. */
export interface DatedRecords {
  invoices: { day: number; record: InvoiceRecord }[];
  payments: { day: number; record: PaymentRecord }[];
}

/** A batch ready to be sent: the same bytes under the same id whenever the same book is prepared. */
export interface PreparedBatch {
  batch_uuid: string;
  body: string;
  records: number;
}

export const MAX_BATCH_RECORDS = 1_000;

/**
 * Cuts a distributor's records into batches of at most 1,000, in the order of their days, as a connector that
 * had been running all the time would have sent them. The last one reaches up to `synced_at`.
 */
export function prepareBatches(
  distributor_id: string,
  { invoices, payments }: DatedRecords,
  synced_at: string,
): PreparedBatch[] {
  const dated = [
    ...invoices.map(({ day, record }) => ({ day, invoice: record, payment: null })),
    ...payments.map(({ day, record }) => ({ day, invoice: null, payment: record })),
    // A stable sort keeps an invoice before its payment of the same day.
  ].sort((a, b) => a.day - b.day);

  const batches: PreparedBatch[] = [];
  for (let start = 0; start < dated.length; start += MAX_BATCH_RECORDS) {
    const part = dated.slice(start, start + MAX_BATCH_RECORDS);
    const is_last = start + MAX_BATCH_RECORDS >= dated.length;
    const body = JSON.stringify({
      distributor_id,
      sync_from: `${dayToIso(part[0]!.day)}T00:00:00Z`,
      sync_to: is_last ? synced_at : `${dayToIso(part.at(-1)!.day)}T00:00:00Z`,
      invoices: part.flatMap(({ invoice }) => invoice ?? []),
      payments: part.flatMap(({ payment }) => payment ?? []),
    });
    batches.push({
      batch_uuid: uuidOf(`${distributor_id} ${batches.length} ${body}`),
      body,
      records: part.length,
    });
  }
  return batches;
}

/** A UUID (version 8, RFC 9562) that follows from a text. */
export function uuidOf(text: string): string {
  const bytes = createHash("sha256").update(text).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
