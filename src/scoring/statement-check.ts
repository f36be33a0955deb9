import type { Statement, StatementInvoice, StatementPayment } from "./types.ts";

/** A statement that no door lets in: computing with it would give a number without a meaning. */
export class StatementRefusedError extends Error {}

/** The calendar covers these days around 1970-01-01 (the years 54 to 3886). */
const MAX_DAY = 700_000;
/** Amounts are compared by percent, in doubles: up to this total every such product is an exact integer. */
const MAX_TOTAL_PAISE = Math.floor(Number.MAX_SAFE_INTEGER / 100);

function refuse(what: string): never {
  throw new StatementRefusedError(`the statement is refused: ${what}`);
}

function isDay(day: number): boolean {
  return Number.isInteger(day) && day >= -MAX_DAY && day <= MAX_DAY;
}

interface OfDistributor {
  distributor_id: string;
}

/** The first id that a distributor has twice, or null. */
function repeatedId<Row extends OfDistributor>(
  rows: readonly Row[],
  idOf: (row: Row) => string,
): string | null {
  // As a ledger gives them, ids ascend: one comparison each then, where a set would hash every id.
  let ascending = 1;
  while (ascending < rows.length && isBefore(rows[ascending - 1]!, rows[ascending]!, idOf)) ascending++;
  if (ascending >= rows.length) return null;
  const seen = new Map<string, Set<string>>();
  for (const row of rows) {
    const own = seen.get(row.distributor_id);
    if (own === undefined) seen.set(row.distributor_id, new Set([idOf(row)]));
    else if (own.size === own.add(idOf(row)).size) return idOf(row);
  }
  return null;
}

function isBefore<Row extends OfDistributor>(a: Row, b: Row, idOf: (row: Row) => string): boolean {
  return a.distributor_id === b.distributor_id ? idOf(a) < idOf(b) : a.distributor_id < b.distributor_id;
}

function checkInvoice(row: StatementInvoice): void {
  const { invoice_id: id, invoice_day, due_day, amount_paise } = row;
  if (!isDay(invoice_day)) refuse(`invoice ${id}: invoice_day ${invoice_day} is no day`);
  if (due_day !== null && !isDay(due_day)) refuse(`invoice ${id}: due_day ${due_day} is no day`);
  if (due_day !== null && due_day < invoice_day) refuse(`invoice ${id} is due before its day`);
  if (!(Number.isSafeInteger(amount_paise) && amount_paise > 0)) {
    refuse(`invoice ${id}: amount_paise ${amount_paise} is no whole number above 0`);
  }
}

function checkPayment(row: StatementPayment): void {
  const { payment_id: id, paid_day, amount_paise } = row;
  if (!isDay(paid_day)) refuse(`payment ${id}: paid_day ${paid_day} is no day`);
  if (!(Number.isSafeInteger(amount_paise) && amount_paise > 0)) {
    refuse(`payment ${id}: amount_paise ${amount_paise} is no whole number above 0`);
  }
}

function checkSources({ sources }: Statement): void {
  const seen = new Set<string>();
  for (const { distributor_id: id, usual_term_days, first_invoice_day, ...source } of sources) {
    if (seen.size === seen.add(id).size) refuse(`source ${id} is there twice`);
    if (!(Number.isInteger(usual_term_days) && usual_term_days >= 0 && usual_term_days <= MAX_DAY)) {
      refuse(`source ${id}: usual_term_days ${usual_term_days} is no number of days`);
    }
    if (first_invoice_day !== null && !isDay(first_invoice_day)) {
      refuse(`source ${id}: first_invoice_day ${first_invoice_day} is no day`);
    }
    for (const key of ["records_received", "records_quarantined"] as const) {
      if (!(Number.isSafeInteger(source[key]) && source[key] >= 0)) {
        refuse(`source ${id}: ${key} ${source[key]} is no count`);
      }
    }
  }
}

/**
 * Refuses a statement that breaks what the ingestion door guarantees (src/ingestion/records.ts): days are days, amounts
 * whole paise above 0 that add up exactly, no invoice due before its day, ids unique within a distributor (credit notes
 * count among the invoices). Throws StatementRefusedError with the first row that does. A payment of an
 * invoice that is not there, above it or before it is no error: the first counts for nothing, the others settle.
 */
export function requireStatement(statement: Statement, as_of_day: number): void {
  if (!isDay(as_of_day)) refuse(`as_of_day ${as_of_day} is no day`);
  checkSources(statement);
  let total_paise = 0;
  for (const row of statement.invoices) {
    checkInvoice(row);
    total_paise += row.amount_paise;
  }
  for (const row of statement.payments) {
    checkPayment(row);
    total_paise += row.amount_paise;
  }
  const invoice_id = repeatedId(statement.invoices, (row) => row.invoice_id);
  if (invoice_id !== null) refuse(`invoice ${invoice_id} is there twice`);
  const payment_id = repeatedId(statement.payments, (row) => row.payment_id);
  if (payment_id !== null) refuse(`payment ${payment_id} is there twice`);
  if (total_paise > MAX_TOTAL_PAISE) {
    refuse(`its amounts add up to more than ${MAX_TOTAL_PAISE} paise, beyond exact sums`);
  }
}
