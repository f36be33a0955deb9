import { appendRow, type ObjectStream } from "../../src/audit/object-stream.ts";
import type { AuditEntry } from "../../src/audit/types.ts";
import { newEvent } from "../../src/events/envelope.ts";
import type { EventEnvelope } from "../../src/events/types.ts";
import type {
  AcceptInput,
  AcceptResult,
  BatchAnswer,
  BatchKey,
  BatchRefusal,
  InvoiceRow,
  PaymentRow,
  QuarantineRow,
} from "../../src/ingestion/types.ts";
import { dayToIso, istDay } from "../../src/lib/days.ts";
import { newId, nowMs } from "../../src/lib/seams.ts";
import type { Completeness } from "../../src/scoring/types.ts";
import {
  followMerges,
  invoicesWithPayment,
  isKeptInvoice,
  isKeptPayment,
  storedInvoices,
  storedPayments,
  writeInvoices,
  writePayments,
} from "./books.ts";
import { type CorrectionPlan, planCorrections, type Version } from "./corrections.ts";
import { FIRST_LEASE_MS } from "./outbox.ts";
import { isBulkAnomaly, judgeBatch } from "./review.ts";

const HOUR_MS = 3_600_000;

/** The answer, and the event to be sent once the transaction is through (null if there is none). */
export interface Acceptance {
  result: AcceptResult;
  event: EventEnvelope | null;
}

/**
 * Takes a batch, or tells why not. Must run inside one transaction: either everything of the batch is in the
 * ledger (rows, quarantine, answer, audit row, event), or nothing. `hashValue` is the keyed hash for quarantined values.
 */
export function acceptBatch(
  sql: SqlStorage,
  audit: ObjectStream,
  input: AcceptInput,
  hashValue: (value: string) => string,
): Acceptance {
  const now_ms = nowMs();
  const refusal = refusalOf(sql, input, now_ms);
  if (refusal) return { result: refusal, event: null };

  const { next: batch_no } = sql
    .exec<{ next: number }>("SELECT coalesce(max(batch_no), 0) + 1 AS next FROM batches")
    .one();
  const batch = { batch_no, sync_to_ms: input.sync_to_ms };
  if (input.aliases !== "[]") followMerges(sql, input.aliases);

  const invoices = JSON.parse(input.invoices) as InvoiceRow[];
  const sent_payments = JSON.parse(input.payments) as PaymentRow[];
  const quarantine = JSON.parse(input.quarantine) as QuarantineRow[];

  const invoice_plan = planCorrections(invoices, storedInvoices(sql, idsOf(invoices)), batch, (row) =>
    isKeptInvoice(sql, row),
  );
  const stored_payments = storedPayments(sql, idsOf(sent_payments));
  const named = namedInvoices(sql, invoice_plan.current, sent_payments, stored_payments);
  const payments: PaymentRow[] = [];
  for (const payment of sent_payments) {
    const invoice = named.get(payment[2]);
    if (invoice && payment[3] < invoice.row[3]) {
      const value_hash = hashValue(dayToIso(payment[3]));
      quarantine.push(["payment", payment[0], payment[1], "INVALID_PAYMENT_DATE", value_hash]);
    } else {
      payments.push(payment);
    }
  }
  const payment_plan = planCorrections(payments, stored_payments, batch, (row) => isKeptPayment(sql, row));

  const quarantined = quarantine.length;
  const held = isBulkAnomaly(payment_plan.writes);
  const answer: BatchAnswer = {
    batch_id: newId("bat"),
    accepted: invoice_plan.accepted + payment_plan.accepted,
    quarantined,
    duplicates: invoice_plan.duplicates + payment_plan.duplicates,
    status: held ? "held" : "processing",
  };
  const completeness = judgeBatch(input, invoices, payments, quarantined, (ids) =>
    invoicesWithPayment(sql, ids),
  );
  const { distributor_id } = input;
  const event = held
    ? null
    : newEvent("ingestion.batch.complete", distributor_id, { distributor_id, batch_id: answer.batch_id });
  writeBatch(sql, input, { batch_no, now_ms, answer, completeness, event });
  appendRow(audit, auditEntry(input, answer));
  if (quarantined > 0) {
    sql.exec(
      "INSERT INTO quarantine SELECT ?, value->>0, value->>1, value->>2, value->>3, value->>4 FROM json_each(?)",
      batch_no,
      JSON.stringify(quarantine),
    );
  }

  // Most batches are all new: then the text that came in is the text that SQLite reads.
  const invoices_json =
    invoice_plan.writes.length === invoices.length ? input.invoices : JSON.stringify(invoice_plan.writes);
  const payments_json =
    payment_plan.writes.length === sent_payments.length
      ? input.payments
      : JSON.stringify(payment_plan.writes);
  if (held) {
    sql.exec("INSERT INTO held_rows VALUES (?, ?, ?)", batch_no, invoices_json, payments_json);
    return { result: { kind: "accepted", answer }, event };
  }
  writeInvoices(sql, invoice_plan, invoices_json, batch);
  writePayments(sql, payment_plan, payments_json, batch);

  notePending(sql, batch_no, named, invoice_plan, payment_plan);
  noteIntake(sql, input, now_ms, quarantined);
  return { result: { kind: "accepted", answer }, event };
}

/** The first answer to a known batch id, or how long to wait for the hourly limit; null if the batch may come in. */
export function refusalOf(sql: SqlStorage, input: BatchKey, now_ms: number): BatchRefusal | null {
  const [known] = sql
    .exec<{
      batch_id: string;
      accepted: number;
      quarantined: number;
      duplicates: number;
      status: BatchAnswer["status"];
      payload_sha256: string;
    }>(
      `SELECT batch_id, accepted, quarantined, duplicates, payload_sha256,
         CASE status WHEN 'held' THEN 'held' ELSE 'processing' END AS status
       FROM batches WHERE external_batch_id = ?`,
      input.external_batch_id,
    )
    .toArray();
  if (known) {
    const { payload_sha256, ...original } = known;
    return { kind: "duplicate", original, payload_matches: payload_sha256 === input.payload_sha256 };
  }
  // The batch that must leave the window before another may enter: the limit-th newest inside it.
  const [blocking] = sql
    .exec<{ received_ms: number }>(
      "SELECT received_ms FROM batches WHERE received_ms > ? ORDER BY received_ms DESC LIMIT 1 OFFSET ?",
      now_ms - HOUR_MS,
      input.batches_per_hour - 1,
    )
    .toArray();
  if (!blocking) return null;
  return {
    kind: "limited",
    retry_after_s: Math.max(1, Math.ceil((blocking.received_ms + HOUR_MS - now_ms) / 1000)),
  };
}

/** The invoices that the payments (and the versions they correct) name, as they hold after the batch. */
function namedInvoices(
  sql: SqlStorage,
  in_batch: Map<string, Version<InvoiceRow>>,
  payments: readonly PaymentRow[],
  stored_payments: Map<string, Version<PaymentRow>>,
): Map<string, Version<InvoiceRow>> {
  const elsewhere = new Set<string>();
  for (const payment of payments) if (!in_batch.has(payment[2])) elsewhere.add(payment[2]);
  for (const { row } of stored_payments.values()) if (!in_batch.has(row[2])) elsewhere.add(row[2]);
  if (elsewhere.size === 0) return in_batch;
  const named = storedInvoices(sql, [...elsewhere]);
  for (const [invoice_id, version] of in_batch) named.set(invoice_id, version);
  return named;
}

/** What the audit log says of a batch. Repeats and refusals are not in it: they leave the ledger as it was. */
function auditEntry(input: AcceptInput, answer: BatchAnswer): AuditEntry {
  const { batch_id, status, accepted, quarantined, duplicates } = answer;
  const { external_batch_id, payload_sha256, records_sent } = input;
  return {
    type: status === "held" ? "ingestion.held" : "ingestion.accepted",
    actor: { kind: "distributor", id: input.distributor_id },
    subject: batch_id,
    outcome: status,
    details: { external_batch_id, payload_sha256, records_sent, accepted, quarantined, duplicates },
  };
}

function writeBatch(
  sql: SqlStorage,
  input: AcceptInput,
  made: {
    batch_no: number;
    now_ms: number;
    answer: BatchAnswer;
    completeness: Completeness;
    event: EventEnvelope | null;
  },
): void {
  const { batch_no, now_ms, answer, event } = made;
  sql.exec(
    "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    batch_no,
    answer.batch_id,
    input.external_batch_id,
    input.batch_seq,
    input.erp_type,
    input.payload_sha256,
    now_ms,
    input.sync_from_ms,
    input.sync_to_ms,
    answer.accepted,
    answer.quarantined,
    answer.duplicates,
    JSON.stringify(made.completeness),
    answer.status,
    event && JSON.stringify(event),
    // The first sending follows the commit at once; the alarm repeats it if that failed.
    event && now_ms + FIRST_LEASE_MS,
    event ? 1 : 0,
  );
  if (input.flags !== "[]") {
    sql.exec(
      "INSERT INTO flags SELECT ?, value->>0, value->>1, value->>2 FROM json_each(?)",
      batch_no,
      input.flags,
    );
  }
}

/** Notes the retailers whose books the batch changed: those of new rows and those of rows that were replaced. */
function notePending(
  sql: SqlStorage,
  batch_no: number,
  named: Map<string, Version<InvoiceRow>>,
  invoice_plan: CorrectionPlan<InvoiceRow>,
  payment_plan: CorrectionPlan<PaymentRow>,
): void {
  const retailer_ids = new Set<string>();
  for (const row of invoice_plan.writes) retailer_ids.add(row[2]);
  for (const version of invoice_plan.superseded) {
    if (version.batch_no !== batch_no) retailer_ids.add(version.row[2]);
  }
  const addPayer = (payment: PaymentRow) => {
    const invoice = named.get(payment[2]);
    if (invoice) retailer_ids.add(invoice.row[2]);
  };
  for (const row of payment_plan.writes) addPayer(row);
  for (const version of payment_plan.superseded) if (version.batch_no !== batch_no) addPayer(version.row);
  if (retailer_ids.size === 0) return;
  sql.exec(
    "INSERT INTO pending_retailers SELECT ?, value FROM json_each(?)",
    batch_no,
    JSON.stringify([...retailer_ids]),
  );
}

/** Counts the batch into the ledger's own figures and moves its revision. */
function noteIntake(sql: SqlStorage, input: AcceptInput, now_ms: number, quarantined: number): void {
  sql.exec(
    `INSERT INTO intake_days VALUES (?, ?, ?) ON CONFLICT (received_day) DO UPDATE SET
       records_received = records_received + excluded.records_received,
       records_quarantined = records_quarantined + excluded.records_quarantined`,
    istDay(now_ms),
    input.records_sent,
    quarantined,
  );
  sql.exec(
    `INSERT INTO ledger VALUES (1, ?, ?, ?, 1) ON CONFLICT (id) DO UPDATE SET
       registered_erp_type = excluded.registered_erp_type,
       has_other_than_csv = max(has_other_than_csv, excluded.has_other_than_csv), revision = revision + 1`,
    input.distributor_id,
    input.registered_erp_type,
    input.erp_type === "csv" ? 0 : 1,
  );
}

function idsOf(rows: readonly (InvoiceRow | PaymentRow)[]): string[] {
  return rows.map((row) => row[1]);
}
