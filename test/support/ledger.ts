import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import type { DistributorLedger } from "../../durable-objects/distributor-ledger.ts";
import type { EventEnvelope } from "../../src/events/types.ts";
import type { AcceptInput, AcceptResult, InvoiceRow, PaymentRow } from "../../src/ingestion/types.ts";
import { isoToDay } from "../../src/lib/days.ts";
import { newId, newUuid } from "../../src/lib/seams.ts";
import { openInvoices, openPayments } from "../../src/pipeline/ledger-rows.ts";

export const DAY_MS = 86_400_000;
/** Two retailers for rows that need some. */
export const R = "ret_000000000000000a";
export const S = "ret_000000000000000b";

/** The IST day number of `YYYY-MM-DD`. */
export function day(iso: string): number {
  return isoToDay(iso);
}

/** Unix ms of an ISO 8601 time. */
export function at(iso: string): number {
  return Date.parse(iso);
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

export type Ledger = ReturnType<typeof ledgerOf>;
type Batch = Parameters<Queue<EventEnvelope>["sendBatch"]>[0];

/** Puts another queue behind a ledger; holds until it is evicted. */
export function setQueue(ledger: Ledger, sendBatch: (messages: Batch) => Promise<void>): Promise<void> {
  return runInDurableObject<DistributorLedger, void>(ledger, (instance) => {
    const EVENTS = { sendBatch } as unknown as Queue<EventEnvelope>;
    Object.assign(instance, { env: { ...env, EVENTS } });
  });
}

/** What a ledger holds of one retailer (all its ids) as of a day, with the ledger's revision. */
export async function statementOf(ledger: Ledger, retailer_ids: string[], as_of_day: number) {
  const { revision, statements } = await ledger.statements({ retailers: [retailer_ids], as_of_day });
  const { source, invoices, payments } = statements[0]!;
  return {
    revision,
    source,
    invoices: openInvoices(invoices, source.distributor_id),
    payments: openPayments(payments, source.distributor_id),
  };
}

/**
 * A fresh ledger with short forms of its calls. Its events go nowhere, or the pipeline would finish batches while a
 * test looks at them.
 */
export async function newLedger() {
  const distributor_id = newDistributorId();
  const ledger = ledgerOf(distributor_id);
  await setQueue(ledger, async () => {});
  const accept = async (
    invoices: InvoiceRow[],
    payments: PaymentRow[] = [],
    changes: Partial<AcceptInput> = {},
  ) => (await ledger.accept(acceptInput(distributor_id, invoices, payments, changes))) as AcceptResult;
  const taken = async (...parameters: Parameters<typeof accept>) => {
    const result = await accept(...parameters);
    if (result.kind !== "accepted") throw new Error(`not accepted: ${result.kind}`);
    return result.answer;
  };
  const books = (retailer_ids: string[] = [R, S], as_of_day = day("2026-06-15")) =>
    statementOf(ledger, retailer_ids, as_of_day);
  return { distributor_id, ledger, accept, taken, books };
}

/** What a query finds in a ledger's own tables. */
export function rowsOf(ledger: Ledger, query: string) {
  return runInDurableObject(ledger, (_, state) => state.storage.sql.exec(query).toArray());
}
