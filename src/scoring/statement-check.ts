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

/** Ids seen so far, each unique within its distributor. */
class SeenIds {
  private readonly ids = new Map<string, Set<string>>();

  /** False if the distributor had the id already. */
  add(distributor_id: string, id: string): boolean {
    const own = this.ids.get(distributor_id);
    if (own === undefined) {
      this.ids.set(distributor_id, new Set([id]));
      return true;
    }
    return own.size !== own.add(id).size;
  }
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
  const invoice_ids = new SeenIds();
  for (const row of statement.invoices) {
    checkInvoice(row);
    if (!invoice_ids.add(row.distributor_id, row.invoice_id)) {
      refuse(`invoice ${row.invoice_id} is there twice`);
    }
    total_paise += row.amount_paise;
  }
  const payment_ids = new SeenIds();
  for (const row of statement.payments) {
    checkPayment(row);
    if (!payment_ids.add(row.distributor_id, row.payment_id)) {
      refuse(`payment ${row.payment_id} is there twice`);
    }
    total_paise += row.amount_paise;
  }
  if (total_paise > MAX_TOTAL_PAISE) {
    refuse(`its amounts add up to more than ${MAX_TOTAL_PAISE} paise, beyond exact sums`);
  }
}
