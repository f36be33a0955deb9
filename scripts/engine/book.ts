import { PAYMENT_METHODS } from "../../src/ingestion/records.ts";
import type { Statement } from "../../src/scoring/types.ts";
import { type RetailerRows, statementAt, usualTermsAt } from "../lib/statements.ts";
import { flagOf, idOf, newDayReader, paiseOf } from "./cells.ts";
import { shownCell, Table, type TableRow } from "./table.ts";

export const INVOICE_COLUMNS = [
  "retailer_id",
  "distributor_id",
  "invoice_id",
  "invoice_date",
  "due_date",
  "amount_inr",
  "is_return",
  "original_invoice_id",
  "disputed",
];
export const PAYMENT_COLUMNS = [
  "payment_id",
  "distributor_id",
  "invoice_id",
  "paid_date",
  "amount_paid_inr",
  "payment_method",
  "bounced",
];

/** As the ingestion API: a due day before the invoice or later than this is no due day. */
const MAX_TERM_DAYS = 180;
const METHODS: ReadonlySet<string> = new Set(["", ...PAYMENT_METHODS]);

/** Rows that were read but cannot count, by what is wrong with them. */
export interface LeftOut {
  due_dates: number;
  payments_before_invoice: number;
  payments_without_invoice: number;
}

/** The retailers of two files, each with all its rows; `left_out` tells what was not taken over. */
export interface Book {
  retailers: ReadonlyMap<string, RetailerRows>;
  left_out: LeftOut;
}

/** An invoice as payments find it. */
interface KnownInvoice {
  row: number;
  invoice_day: number;
  owner: RetailerRows;
}

/** Things by distributor and id. */
class DistributorIds<T> {
  private readonly ids = new Map<string, Map<string, T>>();

  get(distributor_id: string, id: string): T | undefined {
    return this.ids.get(distributor_id)?.get(id);
  }

  set(distributor_id: string, id: string, value: T): void {
    const own = this.ids.get(distributor_id);
    if (own === undefined) this.ids.set(distributor_id, new Map([[id, value]]));
    else own.set(id, value);
  }
}

function refuseSecond(row: TableRow, column: string, first_row: number): never {
  const id = shownCell(row.text(column));
  throw row.refusal(column, `${id} is in row ${first_row} already for the same distributor`);
}

/**
 * Reads a book of invoices and payments. Payments belong to the invoice of the same distributor that they name.
 * Due days the ingestion API would drop are dropped, payments dated before their invoice or without one are left
 * out, all counted. Throws OperationError with file, row and column for what cannot be read and for ids that are
 * there twice.
 */
export async function readBook(invoices_path: string, payments_path: string): Promise<Book> {
  const invoice_table = new Table(invoices_path, INVOICE_COLUMNS);
  const payment_table = new Table(payments_path, PAYMENT_COLUMNS);
  const retailers = new Map<string, RetailerRows>();
  const left_out = { due_dates: 0, payments_before_invoice: 0, payments_without_invoice: 0 };
  const known = await readInvoices(invoice_table, retailers, left_out);
  await readPayments(payment_table, known, left_out);
  return { retailers, left_out };
}

async function readInvoices(
  table: Table,
  retailers: Map<string, RetailerRows>,
  left_out: LeftOut,
): Promise<DistributorIds<KnownInvoice>> {
  const known = new DistributorIds<KnownInvoice>();
  const dayOf = newDayReader();
  for await (const row of table.rows()) {
    const retailer_id = idOf(row, "retailer_id");
    const distributor_id = idOf(row, "distributor_id");
    const invoice_id = idOf(row, "invoice_id");
    const first = known.get(distributor_id, invoice_id);
    if (first !== undefined) refuseSecond(row, "invoice_id", first.row);
    const invoice_day = dayOf(row, "invoice_date");
    const stated_day = row.text("due_date") === "" ? null : dayOf(row, "due_date");
    const is_usable =
      stated_day === null || (stated_day >= invoice_day && stated_day <= invoice_day + MAX_TERM_DAYS);
    const is_return = flagOf(row, "is_return");
    if (!is_usable && !is_return) left_out.due_dates++;
    let owner = retailers.get(retailer_id);
    if (owner === undefined) {
      owner = { invoices: [], payments: [] };
      retailers.set(retailer_id, owner);
    }
    owner.invoices.push({
      distributor_id,
      invoice_id,
      invoice_day,
      due_day: is_usable ? stated_day : null,
      amount_paise: paiseOf(row, "amount_inr"),
      is_return,
      original_invoice_id: row.text("original_invoice_id") || null,
      disputed: flagOf(row, "disputed"),
    });
    known.set(distributor_id, invoice_id, { row: row.row, invoice_day, owner });
  }
  return known;
}

async function readPayments(
  table: Table,
  invoices: DistributorIds<KnownInvoice>,
  left_out: LeftOut,
): Promise<void> {
  const known = new DistributorIds<number>();
  const dayOf = newDayReader();
  for await (const row of table.rows()) {
    const distributor_id = idOf(row, "distributor_id");
    const payment_id = idOf(row, "payment_id");
    const first_row = known.get(distributor_id, payment_id);
    if (first_row !== undefined) refuseSecond(row, "payment_id", first_row);
    known.set(distributor_id, payment_id, row.row);
    const method = row.text("payment_method");
    if (!METHODS.has(method)) {
      throw row.refusal(
        "payment_method",
        `${shownCell(method)} is none of ${PAYMENT_METHODS.join(", ")}, or empty`,
      );
    }
    const payment = {
      distributor_id,
      payment_id,
      invoice_id: idOf(row, "invoice_id"),
      paid_day: dayOf(row, "paid_date"),
      amount_paise: paiseOf(row, "amount_paid_inr"),
      bounced: flagOf(row, "bounced"),
    };
    const invoice = invoices.get(distributor_id, payment.invoice_id);
    if (invoice === undefined) left_out.payments_without_invoice++;
    else if (payment.paid_day < invoice.invoice_day) left_out.payments_before_invoice++;
    else invoice.owner.payments.push(payment);
  }
}

/**
 * What the engine is given for every retailer with a row dated up to `as_of_day`, in the order of the ids, so that
 * the order of the files' rows never shows. The book counts as an ERP's, its retailers as identified.
 */
export function* statementsOf({ retailers }: Book, as_of_day: number): Generator<Statement> {
  const terms = usualTermsAt(retailers.values(), as_of_day);
  for (const retailer_id of [...retailers.keys()].sort()) {
    const statement = statementAt(retailer_id, retailers.get(retailer_id)!, terms, as_of_day, "sap_b1");
    if (statement.invoices.length > 0) yield statement;
  }
}
