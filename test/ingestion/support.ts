import { env } from "cloudflare:workers";
import type { Env } from "../../src/env.ts";
import { gstinCheckDigit } from "../../src/ingestion/gstin.ts";
import { ingestionRouter } from "../../src/ingestion/routes.ts";
import type { BatchAnswer, BatchStatus } from "../../src/ingestion/types.ts";
import { appWith, callApp } from "../support/app.ts";
import { mtls, seedDistributor, signedIngest, type TestDistributor } from "../support/auth.ts";
import { ledgerOf, setQueue } from "../support/ledger.ts";

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

/**
 * An onboarded distributor whose ledger sends its events nowhere: the pipeline has tests of its own, and here would only
 * finish batches while a test looks at them.
 */
export async function newDistributor(
  ...parameters: Parameters<typeof seedDistributor>
): Promise<TestDistributor> {
  const distributor = await seedDistributor(...parameters);
  await setQueue(ledgerOf(distributor.distributor_id), async () => {});
  return distributor;
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
  bindings: Env = env,
): Promise<Response> {
  return callApp(app, "/v1/ingest/batch", await signedIngest(distributor, body, headers), bindings);
}

/** Sends any request to the ingestion routes. */
export function call(path: string, init: RequestInit<CfProperties>, bindings: Env = env): Promise<Response> {
  return callApp(app, path, init, bindings);
}

/** Asks for the state of a batch. */
export function getStatus(distributor: TestDistributor, id: string, bindings: Env = env): Promise<Response> {
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
