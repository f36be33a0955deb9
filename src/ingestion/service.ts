import type { AuthenticatedDistributor } from "../auth/distributor.ts";
import type { Config } from "../config.ts";
import type { Env } from "../env.ts";
import { AppError, unavailable } from "../http/errors.ts";
import { invalid } from "../http/validation.ts";
import { causeText } from "../lib/cause.ts";
import { istDay } from "../lib/days.ts";
import { nowMs } from "../lib/seams.ts";
import type { ErpType } from "../scoring/types.ts";
import { dayReader, parseInstant } from "./dates.ts";
import { pseudonymise, quarantineRow } from "./pseudonyms.ts";
import {
  type CheckedInvoice,
  type CheckedPayment,
  checkInvoice,
  checkPayment,
  isRejected,
  PAISE_PER_RUPEE,
  type RecordRules,
  type RejectedRecord,
} from "./records.ts";
import { resolveRetailers } from "./resolution.ts";
import { type BatchEnvelope, MAX_RECORDS } from "./schemas.ts";
import { recordSync } from "./sync.ts";
import type {
  AcceptInput,
  AcceptResult,
  BatchAnswer,
  BatchKey,
  BatchRefusal,
  BatchStatus,
  FlagRow,
  InvoiceRow,
  PaymentRow,
} from "./types.ts";

/** Clocks differ and a sync may be said to reach the end of the day, but no batch knows of next week. */
const MAX_SYNC_AHEAD_MS = 86_400_000;

/** A batch as the route hands it over: authenticated, its envelope checked. */
export interface BatchRequest {
  external_batch_id: string;
  erp_type: ErpType;
  batch_seq: string | null;
  payload_sha256: string;
  envelope: BatchEnvelope;
}

/**
 * Takes a batch in: checks its records, replaces identifiers by retailer ids, and hands it to the distributor's
 * ledger, where it becomes durable in one step. Until then nothing is stored but retailers themselves, so a batch
 * whose answer was lost can be sent again. Throws DISTRIBUTOR_MISMATCH, INVALID_REQUEST, BATCH_TOO_LARGE,
 * BATCH_ALREADY_PROCESSED (with the first answer), RATE_LIMIT_EXCEEDED, SERVICE_UNAVAILABLE.
 */
export async function ingestBatch(
  env: Env,
  config: Config,
  distributor: AuthenticatedDistributor,
  request: BatchRequest,
): Promise<BatchAnswer> {
  const { envelope } = request;
  if (envelope.distributor_id !== distributor.distributor_id) throw new AppError("DISTRIBUTOR_MISMATCH");
  const sync_from_ms = parseInstant(envelope.sync_from);
  const sync_to_ms = parseInstant(envelope.sync_to);
  if (sync_from_ms > sync_to_ms) throw invalid("sync_from", "must not be after sync_to");
  if (sync_to_ms > nowMs() + MAX_SYNC_AHEAD_MS) throw invalid("sync_to", "must not be in the future");
  const invoices = envelope.invoices ?? [];
  const payments = envelope.payments ?? [];
  const records_sent = invoices.length + payments.length;
  if (records_sent > MAX_RECORDS) throw new AppError("BATCH_TOO_LARGE");

  const checked = checkRecords(invoices, payments, distributor);
  const { distributor_id } = distributor;
  const key: BatchKey = {
    external_batch_id: request.external_batch_id,
    payload_sha256: request.payload_sha256,
    batches_per_hour: distributor.batches_per_hour,
  };
  // New retailers and merges are written before the ledger decides, so it is asked first whether it would refuse.
  const stopIfRefused = async () => {
    const refusal = await callLedger(env, distributor_id, async (ledger) => ledger.refusal(key));
    if (refusal) throw refused(refusal);
  };
  const input: AcceptInput = {
    ...key,
    distributor_id,
    registered_erp_type: distributor.erp_type,
    erp_type: request.erp_type,
    batch_seq: request.batch_seq,
    sync_from_ms,
    sync_to_ms,
    records_sent,
    ...(await pseudonymousRows(env, config, distributor_id, checked, stopIfRefused)),
  };
  const result: AcceptResult = await callLedger(env, distributor_id, async (ledger) => ledger.accept(input));
  if (result.kind !== "accepted") throw refused(result);
  const { answer } = result;
  if (answer.status === "processing") await noteSync(env, distributor_id, sync_to_ms);
  return answer;
}

/** State of one of the distributor's batches by `bat_` id or X-Batch-ID; NOT_FOUND for any other. */
export async function findBatchStatus(env: Env, distributor_id: string, id: string): Promise<BatchStatus> {
  const status = await callLedger(env, distributor_id, (ledger) => ledger.batchStatus(id.toLowerCase()));
  if (!status) throw new AppError("NOT_FOUND");
  return status;
}

interface CheckedBatch {
  invoices: CheckedInvoice[];
  payments: CheckedPayment[];
  rejected: RejectedRecord[];
}

function checkRecords(
  invoices: readonly unknown[],
  payments: readonly unknown[],
  distributor: AuthenticatedDistributor,
): CheckedBatch {
  const rules: RecordRules = {
    today: istDay(nowMs()),
    max_amount_paise: distributor.max_amount_inr * PAISE_PER_RUPEE,
    readDay: dayReader(),
  };
  const checked: CheckedBatch = { invoices: [], payments: [], rejected: [] };
  for (const [index, record] of invoices.entries()) {
    const outcome = checkInvoice(record, index, rules);
    if (isRejected(outcome)) checked.rejected.push(outcome);
    else checked.invoices.push(outcome);
  }
  for (const [index, record] of payments.entries()) {
    const outcome = checkPayment(record, index, rules);
    if (isRejected(outcome)) checked.rejected.push(outcome);
    else checked.payments.push(outcome);
  }
  return checked;
}

/** The rows for the ledger: retailer ids in place of identifiers, hashes in place of bad values. */
async function pseudonymousRows(
  env: Env,
  config: Config,
  distributor_id: string,
  { invoices, payments, rejected }: CheckedBatch,
  beforeWriting: () => Promise<void>,
) {
  const { identities, positions } = pseudonymise(config, invoices);
  const resolution = await resolveRetailers(env, distributor_id, identities, beforeWriting);
  const invoice_rows: InvoiceRow[] = [];
  const flag_rows: FlagRow[] = [];
  let invoices_identified = 0;
  for (const [i, invoice] of invoices.entries()) {
    const position = positions[i] as number;
    const retailer_id = resolution.retailer_ids[position] ?? null;
    const { index, invoice_id } = invoice;
    if (retailer_id === null) {
      // Only a phone without GSTIN that names several retailers gets here.
      rejected.push({
        kind: "invoice",
        index,
        record_id: invoice_id,
        reason: "IDENTITY_UNRESOLVABLE",
        bad_value: invoice.phone,
      });
      continue;
    }
    if (resolution.verified[position]) invoices_identified++;
    if (invoice.due_date_dropped) flag_rows.push([index, invoice_id, "DUE_DATE_DROPPED"]);
    if (resolution.conflicts[position]) flag_rows.push([index, invoice_id, "IDENTITY_CONFLICT"]);
    invoice_rows.push([
      index,
      invoice_id,
      retailer_id,
      invoice.invoice_day,
      invoice.due_day,
      invoice.amount_paise,
      invoice.is_return ? 1 : 0,
      invoice.original_invoice_id,
      invoice.disputed ? 1 : 0,
    ]);
  }
  const payment_rows = payments.map(
    (payment): PaymentRow => [
      payment.index,
      payment.payment_id,
      payment.invoice_id,
      payment.paid_day,
      payment.amount_paise,
      payment.payment_method,
      payment.bounced ? 1 : 0,
    ],
  );
  return {
    invoices_identified,
    invoices: JSON.stringify(invoice_rows),
    payments: JSON.stringify(payment_rows),
    quarantine: JSON.stringify(rejected.map((record) => quarantineRow(config, record))),
    flags: JSON.stringify(flag_rows),
    aliases: JSON.stringify(resolution.aliases),
  };
}

type Ledger = ReturnType<Env["DISTRIBUTOR_LEDGER"]["get"]>;

async function callLedger<T>(
  env: Env,
  distributor_id: string,
  call: (ledger: Ledger) => Promise<T>,
): Promise<T> {
  const namespace = env.DISTRIBUTOR_LEDGER;
  try {
    return await call(namespace.get(namespace.idFromName(distributor_id)));
  } catch (cause) {
    throw unavailable(cause);
  }
}

function refused(refusal: BatchRefusal): AppError {
  if (refusal.kind === "duplicate") {
    const { original, payload_matches } = refusal;
    return new AppError("BATCH_ALREADY_PROCESSED", { members: { original, payload_matches } });
  }
  return new AppError("RATE_LIMIT_EXCEEDED", {
    detail: "This distributor has sent as many batches as it may in an hour.",
    headers: { "Retry-After": String(refusal.retry_after_s) },
  });
}

/** Moves freshness. The batch is in the ledger already, so a failure here is left to the pipeline to heal. */
async function noteSync(env: Env, distributor_id: string, sync_to_ms: number): Promise<void> {
  try {
    await recordSync(env, distributor_id, new Date(sync_to_ms).toISOString());
  } catch (cause) {
    console.warn(JSON.stringify({ task: "record sync", distributor_id, cause: causeText(cause) }));
  }
}
