import { minusMonths } from "../../src/scoring/calendar.ts";
import { STATEMENT_MONTHS } from "../../src/scoring/settlement.ts";
import type { ErpType, StatementSource } from "../../src/scoring/types.ts";

/** Whose statements to read: each entry is all ids of one retailer. */
export interface StatementQuery {
  retailers: string[][];
  as_of_day: number;
}

/** What one ledger holds of some retailers. */
export interface LedgerStatements {
  /** Watermark: the same revision and day give the same rows. */
  revision: number;
  /** In the order of the query. */
  statements: LedgerStatement[];
}

/** The part of a retailer's statement that one ledger holds. */
export interface LedgerStatement {
  source: StatementSource;
  /**
   * JSON text of InvoiceTuple[] and PaymentTuple[] (src/pipeline/ledger-rows.ts): a text crosses to the pipeline at a
   * fraction of what as many objects would cost.
   */
  invoices: string;
  payments: string;
}

/** Figures of the whole ledger as of a day; the same for all retailers of a revision. */
export interface LedgerFigures {
  revision: number;
  erp_type: ErpType;
  usual_term_days: number;
  records_received: number;
  records_quarantined: number;
}

/** Term of a distributor that never states one (features.md). */
export const DEFAULT_TERM_DAYS = 30;

/** The ledger's own figures as of a day; an empty ledger gives the defaults. */
export function readFigures(sql: SqlStorage, as_of_day: number): LedgerFigures {
  const [ledger] = sql
    .exec<{ registered_erp_type: ErpType; has_other_than_csv: number; revision: number }>(
      "SELECT registered_erp_type, has_other_than_csv, revision FROM ledger",
    )
    .toArray();
  const [term] = sql
    .exec<{ term_days: number }>(
      `SELECT term_days FROM term_counts WHERE invoice_day <= ? GROUP BY term_days HAVING sum(invoices) > 0
       ORDER BY sum(invoices) DESC, term_days LIMIT 1`,
      as_of_day,
    )
    .toArray();
  const intake = sql
    .exec<{ received: number; quarantined: number }>(
      `SELECT coalesce(sum(records_received), 0) AS received, coalesce(sum(records_quarantined), 0) AS quarantined
       FROM intake_days WHERE received_day <= ?`,
      as_of_day,
    )
    .one();
  return {
    revision: ledger?.revision ?? 0,
    // A distributor whose every batch was a csv file is a csv source, whatever its system could do.
    erp_type: ledger?.has_other_than_csv ? ledger.registered_erp_type : "csv",
    usual_term_days: term?.term_days ?? DEFAULT_TERM_DAYS,
    records_received: intake.received,
    records_quarantined: intake.quarantined,
  };
}

/**
 * The rows of a retailer (all its ids) dated up to `as_of_day`: invoices and credit notes of the last 36 months, older
 * credit notes that name one of those invoices, and the payments of those invoices. A payment dated before its
 * invoice (possible if it arrived first) is left out, as the door would have refused it the other way round.
 */
export function readStatement(
  sql: SqlStorage,
  distributor_id: string,
  retailer_ids: string[],
  as_of_day: number,
  figures: LedgerFigures,
): LedgerStatement {
  const ids = JSON.stringify(retailer_ids);
  const window_start = minusMonths(as_of_day, STATEMENT_MONTHS);
  const { first_invoice_day } = sql
    .exec<{ first_invoice_day: number | null }>(
      `SELECT min(invoice_day) AS first_invoice_day FROM invoices
       WHERE retailer_id IN (SELECT value FROM json_each(?)) AND invoice_day <= ? AND is_return = 0`,
      ids,
      as_of_day,
    )
    .one();
  const invoices = tuples(
    sql.exec(
      `SELECT invoice_id, invoice_day, due_day, amount_paise, is_return, original_invoice_id, disputed FROM invoices
     WHERE retailer_id IN (SELECT value FROM json_each(?1)) AND invoice_day > ?2 AND invoice_day <= ?3
     UNION ALL
     SELECT n.invoice_id, n.invoice_day, n.due_day, n.amount_paise, n.is_return, n.original_invoice_id, n.disputed
     FROM invoices n JOIN invoices i ON i.invoice_id = n.original_invoice_id
     WHERE n.retailer_id IN (SELECT value FROM json_each(?1)) AND n.invoice_day <= ?2 AND n.is_return = 1
       AND i.retailer_id IN (SELECT value FROM json_each(?1)) AND i.invoice_day > ?2 AND i.invoice_day <= ?3
     ORDER BY invoice_id`,
      ids,
      window_start,
      as_of_day,
    ),
  );
  const payments = tuples(
    sql.exec(
      `SELECT p.payment_id, p.invoice_id, p.paid_day, p.amount_paise, p.bounced
     FROM invoices i JOIN payments p ON p.invoice_id = i.invoice_id
     WHERE i.retailer_id IN (SELECT value FROM json_each(?1)) AND i.invoice_day > ?2 AND i.invoice_day <= ?3
       AND i.is_return = 0 AND p.paid_day >= i.invoice_day AND p.paid_day <= ?3
     ORDER BY p.payment_id`,
      ids,
      window_start,
      as_of_day,
    ),
  );
  const { revision: _revision, ...source } = figures;
  return { source: { distributor_id, ...source, first_invoice_day }, invoices, payments };
}

function tuples(cursor: SqlStorageCursor<Record<string, SqlStorageValue>>): string {
  return JSON.stringify([...cursor.raw()]);
}
