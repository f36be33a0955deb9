import { env } from "cloudflare:workers";
import { gstinCheckDigit } from "../../src/ingestion/gstin.ts";
import { ingestionRouter } from "../../src/ingestion/routes.ts";
import type {
  AcceptInput,
  BatchAnswer,
  BatchStatus,
  InvoiceRow,
  PaymentRow,
} from "../../src/ingestion/types.ts";
import { isoToDay } from "../../src/lib/days.ts";
import { newId, newUuid } from "../../src/lib/seams.ts";
import { appWith, callApp } from "../support/app.ts";
import { mtls, signedIngest, type TestDistributor } from "../support/auth.ts";

export const DAY_MS = 86_400_000;

/** The IST day number of `YYYY-MM-DD`. */
export function day(iso: string): number {
  return isoToDay(iso);
}

/** A made-up GSTIN with a right check digit, another one for each number. */
export function gstinOf(number: number): string {
  const first14 = `27AAPFU${String(number).padStart(4, "0")}F1Z`;
  return first14 + gstinCheckDigit(first14);
}

/** A good invoice as a connector would send it. */
export function invoice(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    invoice_id: "INV-1",
    retailer_gst: gstinOf(1),
    invoice_date: "2026-05-01",
    due_date: "2026-05-31",
    amount_inr: 1250.5,
    ...changes,
  };
}

/** A good payment as a connector would send it. */
export function payment(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    payment_id: "PAY-1",
    invoice_id: "INV-1",
    paid_date: "2026-05-20",
    amount_paid_inr: 1250.5,
    payment_method: "UPI",
    ...changes,
  };
}

/** The body of a batch of this distributor. */
export function batchOf(
  distributor: { distributor_id: string },
  invoices: unknown[],
  payments: unknown[] = [],
  changes: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    distributor_id: distributor.distributor_id,
    sync_from: "2026-05-01",
    sync_to: "2026-05-31T18:30:00Z",
    invoices,
    payments,
    ...changes,
  };
}

const app = appWith(ingestionRouter);

/** Sends a body over mTLS with all three factors. */
export async function post(
  distributor: TestDistributor,
  body: unknown,
  headers: Record<string, string> = {},
  bindings = env,
): Promise<Response> {
  return callApp(app, "/v1/ingest/batch", await signedIngest(distributor, body, headers), bindings);
}

/** Sends any request to the ingestion routes. */
export function call(path: string, init: RequestInit<CfProperties>, bindings = env): Promise<Response> {
  return callApp(app, path, init, bindings);
}

/** Asks for the state of a batch. */
export function getStatus(distributor: TestDistributor, id: string, bindings = env): Promise<Response> {
  return call(`/v1/ingest/batch/${id}/status`, mtls(distributor), bindings);
}

/** Sends invoices and payments, expects 202, and gives the answer with the state of the batch. */
export async function ingest(
  distributor: TestDistributor,
  invoices: unknown[],
  payments: unknown[] = [],
  changes: Record<string, unknown> = {},
): Promise<{ answer: BatchAnswer; status: BatchStatus }> {
  const response = await post(distributor, batchOf(distributor, invoices, payments, changes));
  if (response.status !== 202) throw new Error(`${response.status}: ${await response.text()}`);
  const answer = await response.json<BatchAnswer>();
  const status = await (await getStatus(distributor, answer.batch_id)).json<BatchStatus>();
  return { answer, status };
}

/** The ledger of a distributor. */
export function ledgerOf(distributor_id: string) {
  return env.DISTRIBUTOR_LEDGER.get(env.DISTRIBUTOR_LEDGER.idFromName(distributor_id));
}

export function invoiceRow(
  index: number,
  invoice_id: string,
  retailer_id: string,
  changes: {
    day?: number;
    due?: number | null;
    paise?: number;
    is_return?: 0 | 1;
    original?: string | null;
    disputed?: 0 | 1;
  } = {},
): InvoiceRow {
  const invoice_day = changes.day ?? day("2026-05-01");
  return [
    index,
    invoice_id,
    retailer_id,
    invoice_day,
    changes.due === undefined ? invoice_day + 30 : changes.due,
    changes.paise ?? 125_050,
    changes.is_return ?? 0,
    changes.original ?? null,
    changes.disputed ?? 0,
  ];
}

export function paymentRow(
  index: number,
  payment_id: string,
  invoice_id: string,
  changes: { day?: number; paise?: number; method?: string | null; bounced?: 0 | 1 } = {},
): PaymentRow {
  return [
    index,
    payment_id,
    invoice_id,
    changes.day ?? day("2026-05-20"),
    changes.paise ?? 125_050,
    changes.method === undefined ? "UPI" : changes.method,
    changes.bounced ?? 0,
  ];
}

/** A batch as the door hands it to the ledger. */
export function acceptInput(
  distributor_id: string,
  invoices: InvoiceRow[],
  payments: PaymentRow[] = [],
  changes: Partial<AcceptInput> = {},
): AcceptInput {
  return {
    distributor_id,
    registered_erp_type: "tally_prime",
    erp_type: "tally_prime",
    external_batch_id: newUuid(),
    batch_seq: null,
    payload_sha256: "0".repeat(64),
    sync_from_ms: Date.parse("2026-05-01T00:00:00Z"),
    sync_to_ms: Date.parse("2026-05-31T18:30:00Z"),
    batches_per_hour: 10_000,
    records_sent: invoices.length + payments.length,
    invoices_identified: invoices.length,
    invoices: JSON.stringify(invoices),
    payments: JSON.stringify(payments),
    quarantine: "[]",
    flags: "[]",
    aliases: "[]",
    ...changes,
  };
}

/** An id that no other test uses. */
export function newDistributorId(): string {
  return newId("dist");
}
