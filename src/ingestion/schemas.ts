import { z } from "@hono/zod-openapi";
import { distributorId } from "../http/schemas.ts";
import { parseInstant } from "./dates.ts";
import { PAYMENT_METHODS } from "./records.ts";
import { QUARANTINE_REASONS, RECORD_FLAGS } from "./types.ts";

export const MAX_RECORDS = 1_000;
export const ERP_TYPES = ["tally_prime", "sap_b1", "csv"] as const;

const instant = z
  .string()
  .refine((text) => !Number.isNaN(parseInstant(text)), "must be an ISO 8601 time with Z, or a date")
  .openapi({
    description: "ISO 8601 time with Z; a date means its start in UTC",
    example: "2026-05-31T18:30:00Z",
  });

// Only that it is an array: the records are checked one by one (records.ts), and a bad one never fails the batch.
const records = z.custom<unknown[]>((value) => Array.isArray(value), "must be an array").optional();

/** The envelope of a batch. At least one of the arrays is there; a missing one is empty. */
export const batchEnvelope = z
  .object({
    distributor_id: z.string().min(1),
    sync_from: instant,
    sync_to: instant,
    invoices: records,
    payments: records,
  })
  .refine((body) => body.invoices !== undefined || body.payments !== undefined, {
    path: ["invoices"],
    message: "invoices, payments or both are required",
  });
export type BatchEnvelope = z.infer<typeof batchEnvelope>;

const BATCH_SEQ = /^([1-9]\d{0,4})\/([1-9]\d{0,4})$/;

function isBatchSeq(text: string): boolean {
  const [, place, total] = BATCH_SEQ.exec(text) ?? [];
  return Number(place) <= Number(total);
}

export const batchHeaders = z.object({
  "X-ERP-Type": z.enum(ERP_TYPES, `must be one of ${ERP_TYPES.join(", ")}`),
  "X-Batch-ID": z.guid("must be a UUID").openapi({ description: "Makes the batch idempotent" }),
  "X-Batch-Seq": z
    .string()
    .refine(isBatchSeq, "must look like 1/3 and not count beyond its total")
    .optional()
    .openapi({
      description: "Place of this batch among those of one sync",
      pattern: BATCH_SEQ.source,
      example: "1/3",
    }),
});

const recordId = z.string().min(1).max(128);
const amount = z.number().openapi({ description: "Rupees, at most 2 decimals, above 0", example: 1250.5 });

const invoiceRecord = z
  .object({
    invoice_id: recordId,
    retailer_gst: z.string().nullish().openapi({ description: "GSTIN; or retailer_phone, or both" }),
    retailer_phone: z.string().nullish().openapi({ description: "10 digits" }),
    invoice_date: instant,
    due_date: instant.nullish(),
    amount_inr: amount,
    is_return: z.boolean().nullish().openapi({ description: "A credit note" }),
    original_invoice_id: recordId.nullish().openapi({ description: "The invoice a credit note is for" }),
    disputed: z.boolean().nullish(),
    retailer_name: z.string().nullish().openapi({ description: "Accepted and dropped" }),
  })
  .openapi("InvoiceRecord");

const paymentRecord = z
  .object({
    payment_id: recordId,
    invoice_id: recordId,
    paid_date: instant,
    amount_paid_inr: amount,
    payment_method: z.enum(PAYMENT_METHODS).nullish(),
    bounced: z.boolean().nullish(),
  })
  .openapi("PaymentRecord");

/** The body as documented. What the service enforces on the whole of it is `batchEnvelope`. */
export const batchBody = z
  .object({
    distributor_id: distributorId,
    sync_from: instant,
    sync_to: instant,
    invoices: z.array(invoiceRecord).max(MAX_RECORDS),
    payments: z.array(paymentRecord).max(MAX_RECORDS),
  })
  .openapi("IngestBatch", {
    description:
      "At most 1,000 records in all. A record that breaks a rule is quarantined with a reason and does not fail the batch.",
  });

const count = z.number().int().min(0);
const percent = z.number().min(0).max(100);

export const batchAnswer = z
  .object({
    batch_id: z.string().openapi({ example: "bat_0123456789abcdef" }),
    accepted: count,
    quarantined: count,
    duplicates: count,
    status: z.enum(["processing", "held"]),
  })
  .openapi("BatchAnswer");

export const batchStatus = z
  .object({
    batch_id: z.string(),
    status: z.enum(["processing", "complete", "held", "failed"]),
    written: count,
    quarantined: count,
    duplicates: count,
    completeness_score: percent,
    completeness: z.object({
      invoice: percent,
      payment: percent,
      temporal: percent,
      identity: percent,
      schema: percent,
    }),
    pipeline_triggered: z.boolean(),
    quarantine: z.array(
      z.object({
        kind: z.enum(["invoice", "payment"]),
        index: count,
        record_id: z.string().nullable(),
        reason: z.enum(QUARANTINE_REASONS),
      }),
    ),
    flags: z
      .array(z.object({ index: count, record_id: z.string(), flag: z.enum(RECORD_FLAGS) }))
      .openapi({ description: "Invoices that were accepted with a remark" }),
  })
  .openapi("BatchStatus");
