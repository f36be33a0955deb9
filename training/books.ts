import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { RetailerRows } from "../scripts/lib/statements.ts";
import { isoToDay } from "../src/lib/days.ts";

/** One invoice of a book of receivables with its outcome; days since 1970-01-01, money in the book's cents. */
export interface BookInvoice {
  customer_id: string;
  invoice_id: string;
  invoice_day: number;
  due_day: number;
  amount_paise: number;
  disputed: boolean;
  /** Null while open at the book's end. */
  settled_day: number | null;
}

/** A real book; nothing is known after `last_day`. */
export interface Book {
  name: string;
  last_day: number;
  /** What became of an invoice is known for those due up to this day. */
  outcomes_known_due_day: number;
  invoices: BookInvoice[];
}

/** Rows of a CSV file without quoted cells (neither book has any), keyed by the header; `.gz` is unpacked. */
function readRows(path: string): Record<string, string>[] {
  const bytes = readFileSync(path);
  const text = (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
  if (text.includes('"')) throw new Error(`${path}: quoted cells are not supported`);
  const [header = "", ...lines] = text.split(/\r?\n/).filter((line) => line !== "");
  const names = header.split(",");
  return lines.map((line) => {
    const cells = line.split(",");
    if (cells.length !== names.length) throw new Error(`${path}: a row of ${cells.length} cells`);
    return Object.fromEntries(names.map((name, i) => [name, cells[i]!]));
  });
}

function bookOf(name: string, invoices: BookInvoice[]): Book {
  const days = invoices.map((invoice) => invoice.settled_day ?? invoice.invoice_day);
  const last_day = days.reduce((latest, day) => Math.max(latest, day), 0);
  const open_due_days = invoices.flatMap((invoice) =>
    invoice.settled_day === null ? [invoice.due_day] : [],
  );
  const outcomes_known_due_day = open_due_days.reduce((first, day) => Math.min(first, day - 1), last_day);
  return { name, invoices, last_day, outcomes_known_due_day };
}

/** The IBM Watson accounts receivable book: 2,466 settled invoices of 100 customers, 2012-2013. */
export function loadIbm(path: string): Book {
  const invoices = readRows(path).map((row) => ({
    customer_id: row.customerID!,
    invoice_id: row.invoiceNumber!,
    invoice_day: isoToDay(row.InvoiceDate!),
    due_day: isoToDay(row.DueDate!),
    amount_paise: Math.round(Number(row.InvoiceAmount) * 100),
    disputed: row.Disputed === "Yes",
    settled_day: isoToDay(row.SettledDate!),
  }));
  return bookOf("IBM Watson", invoices);
}

/**
 * The HighRadius book: closed and open invoices, 2018-2020. Its invoice dates are reconstructed from the due date;
 * where one lies after the clear date or the due date, that date is taken, since nobody pays an invoice that does not
 * exist. Its invoice numbers come back for other invoices, so the row number is the id.
 */
export function loadHighradius(closed_path: string, open_path: string): Book {
  const rows = [...readRows(closed_path), ...readRows(open_path)];
  const invoices = rows.map((row) => {
    const settled_day = row.is_open === "1" ? null : isoToDay(row.clear_date!);
    const due_day = isoToDay(row.due_date!);
    return {
      customer_id: row.customer_id!,
      invoice_id: `row-${row.row}`,
      invoice_day: Math.min(isoToDay(row.invoice_date!), settled_day ?? due_day, due_day),
      due_day,
      amount_paise: Math.round(Number(row.amount) * 100),
      disputed: false,
      settled_day,
    };
  });
  return bookOf("HighRadius", invoices);
}

/** The rows of a book by customer: one distributor, one payment of the full amount on the settled day. */
export function rowsOfBook(book: Book): Map<string, RetailerRows> {
  const distributor_id = "book";
  const customers = new Map<string, RetailerRows>();
  for (const { customer_id, settled_day, ...invoice } of book.invoices) {
    const rows = customers.get(customer_id) ?? { invoices: [], payments: [] };
    customers.set(customer_id, rows);
    rows.invoices.push({ distributor_id, ...invoice, is_return: false, original_invoice_id: null });
    if (settled_day === null) continue;
    rows.payments.push({
      distributor_id,
      payment_id: `payment-${invoice.invoice_id}`,
      invoice_id: invoice.invoice_id,
      paid_day: settled_day,
      amount_paise: invoice.amount_paise,
      bounced: false,
    });
  }
  return customers;
}
