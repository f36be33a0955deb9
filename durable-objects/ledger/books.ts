import type { InvoiceRow, PaymentRow } from "../../src/ingestion/types.ts";
import type { CorrectionPlan, Version } from "./corrections.ts";

/** Reads and writes of the invoices, payments and their lineage. All synchronous; callers hold the transaction. */

const IN_JSON = "IN (SELECT value FROM json_each(?))";

/** The versions that hold now of some invoices. */
export function storedInvoices(sql: SqlStorage, ids: readonly string[]): Map<string, Version<InvoiceRow>> {
  const found = new Map<string, Version<InvoiceRow>>();
  const cursor = sql.exec(
    `SELECT invoice_id, retailer_id, invoice_day, due_day, amount_paise, is_return, original_invoice_id, disputed,
      sync_to_ms, batch_no FROM invoices WHERE invoice_id ${IN_JSON}`,
    JSON.stringify(ids),
  );
  for (const columns of cursor.raw()) {
    const [sync_to_ms, batch_no] = columns.splice(8) as [number, number];
    const row = [-1, ...columns] as InvoiceRow;
    found.set(row[1], { row, sync_to_ms, batch_no });
  }
  return found;
}

/** The versions that hold now of some payments. */
export function storedPayments(sql: SqlStorage, ids: readonly string[]): Map<string, Version<PaymentRow>> {
  const found = new Map<string, Version<PaymentRow>>();
  const cursor = sql.exec(
    `SELECT payment_id, invoice_id, paid_day, amount_paise, payment_method, bounced, sync_to_ms, batch_no
     FROM payments WHERE payment_id ${IN_JSON}`,
    JSON.stringify(ids),
  );
  for (const columns of cursor.raw()) {
    const [sync_to_ms, batch_no] = columns.splice(6) as [number, number];
    const row = [-1, ...columns] as PaymentRow;
    found.set(row[1], { row, sync_to_ms, batch_no });
  }
  return found;
}

/** Of those ids the ones that some payment names. */
export function invoicesWithPayment(sql: SqlStorage, invoice_ids: readonly string[]): number {
  return sql
    .exec<{ paid: number }>(
      `SELECT count(*) AS paid FROM json_each(?) j
       WHERE EXISTS (SELECT 1 FROM payments p WHERE p.invoice_id = j.value)`,
      JSON.stringify(invoice_ids),
    )
    .one().paid;
}

/** True if the lineage holds this invoice row. */
export function isKeptInvoice(sql: SqlStorage, row: InvoiceRow): boolean {
  return (
    sql
      .exec(
        "SELECT 1 FROM versions WHERE kind = 'invoice' AND record_id = ? AND retailer_id = ? AND content = ?",
        row[1],
        row[2],
        JSON.stringify(row.slice(3)),
      )
      .toArray().length > 0
  );
}

/** True if the lineage holds this payment row. */
export function isKeptPayment(sql: SqlStorage, row: PaymentRow): boolean {
  return (
    sql
      .exec(
        "SELECT 1 FROM versions WHERE kind = 'payment' AND record_id = ? AND content = ?",
        row[1],
        JSON.stringify(row.slice(2)),
      )
      .toArray().length > 0
  );
}

/** Writes an invoice plan: what holds, the lineage, the confirmations, the counts of terms. */
export function writeInvoices(
  sql: SqlStorage,
  plan: CorrectionPlan<InvoiceRow>,
  rows_json: string,
  batch: { sync_to_ms: number; batch_no: number },
): void {
  if (plan.writes.length > 0) {
    sql.exec(
      `INSERT INTO invoices SELECT value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7,
         value->>8, ?2, ?3 FROM json_each(?1) WHERE true
       ON CONFLICT (invoice_id) DO UPDATE SET retailer_id = excluded.retailer_id, invoice_day = excluded.invoice_day,
         due_day = excluded.due_day, amount_paise = excluded.amount_paise, is_return = excluded.is_return,
         original_invoice_id = excluded.original_invoice_id, disputed = excluded.disputed,
         sync_to_ms = excluded.sync_to_ms, batch_no = excluded.batch_no`,
      rows_json,
      batch.sync_to_ms,
      batch.batch_no,
    );
  }
  if (plan.superseded.length > 0) {
    const lineage = plan.superseded.map(({ row, sync_to_ms, batch_no }) => [
      row[1],
      row[2],
      JSON.stringify(row.slice(3)),
      sync_to_ms,
      batch_no,
    ]);
    writeLineage(sql, "invoice", lineage);
  }
  confirm(sql, "UPDATE invoices SET sync_to_ms = ? WHERE invoice_id", plan.confirmed, batch.sync_to_ms);
  writeTermCounts(sql, plan, batch.batch_no);
}

/** Writes a payment plan: what holds, the lineage, the confirmations. */
export function writePayments(
  sql: SqlStorage,
  plan: CorrectionPlan<PaymentRow>,
  rows_json: string,
  batch: { sync_to_ms: number; batch_no: number },
): void {
  if (plan.writes.length > 0) {
    sql.exec(
      `INSERT INTO payments SELECT value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, ?2, ?3
       FROM json_each(?1) WHERE true
       ON CONFLICT (payment_id) DO UPDATE SET invoice_id = excluded.invoice_id, paid_day = excluded.paid_day,
         amount_paise = excluded.amount_paise, payment_method = excluded.payment_method, bounced = excluded.bounced,
         sync_to_ms = excluded.sync_to_ms, batch_no = excluded.batch_no`,
      rows_json,
      batch.sync_to_ms,
      batch.batch_no,
    );
  }
  if (plan.superseded.length > 0) {
    const lineage = plan.superseded.map(({ row, sync_to_ms, batch_no }) => [
      row[1],
      null,
      JSON.stringify(row.slice(2)),
      sync_to_ms,
      batch_no,
    ]);
    writeLineage(sql, "payment", lineage);
  }
  confirm(sql, "UPDATE payments SET sync_to_ms = ? WHERE payment_id", plan.confirmed, batch.sync_to_ms);
}

/** Lets rows of absorbed retailers belong to their successors; `aliases_json` holds `[alias, canonical]` pairs. */
export function followMerges(sql: SqlStorage, aliases_json: string): void {
  for (const table of ["invoices", "versions"]) {
    sql.exec(
      `UPDATE ${table} SET retailer_id = m.canonical
       FROM (SELECT value->>0 AS alias, value->>1 AS canonical FROM json_each(?)) AS m
       WHERE ${table}.retailer_id = m.alias`,
      aliases_json,
    );
  }
}

function writeLineage(sql: SqlStorage, kind: "invoice" | "payment", lineage: unknown[][]): void {
  sql.exec(
    `INSERT INTO versions (kind, record_id, retailer_id, content, sync_to_ms, batch_no)
     SELECT ?1, value->>0, value->>1, value->>2, value->>3, value->>4 FROM json_each(?2)`,
    kind,
    JSON.stringify(lineage),
  );
}

function confirm(sql: SqlStorage, update: string, ids: readonly string[], sync_to_ms: number): void {
  if (ids.length > 0) sql.exec(`${update} ${IN_JSON}`, sync_to_ms, JSON.stringify(ids));
}

/** Terms up to 180 days fit below this, so day and term share one number as key. */
const TERM_SLOTS = 1024;

function writeTermCounts(sql: SqlStorage, plan: CorrectionPlan<InvoiceRow>, batch_no: number): void {
  const changes = new Map<number, number>();
  const count = (row: InvoiceRow, step: number) => {
    const [, , , invoice_day, due_day, , is_return] = row;
    if (due_day === null || is_return === 1) return;
    const key = invoice_day * TERM_SLOTS + (due_day - invoice_day);
    changes.set(key, (changes.get(key) ?? 0) + step);
  };
  for (const row of plan.writes) count(row, 1);
  for (const version of plan.superseded) {
    // Rows of this very batch that another one of it replaced, or that came late, were never counted.
    if (version.batch_no !== batch_no) count(version.row, -1);
  }
  if (changes.size === 0) return;
  const rows = Array.from(changes, ([key, step]) => [Math.floor(key / TERM_SLOTS), key % TERM_SLOTS, step]);
  sql.exec(
    `INSERT INTO term_counts SELECT value->>0, value->>1, value->>2 FROM json_each(?) WHERE true
     ON CONFLICT (invoice_day, term_days) DO UPDATE SET invoices = invoices + excluded.invoices`,
    JSON.stringify(rows),
  );
}
