import { isoToDay } from "../../src/lib/days.ts";
import { OperationError } from "../lib/errors.ts";
import { parseCsv } from "./csv.ts";

/** One invoice of a real book; days since 1970-01-01. */
export interface BookInvoice {
  customer: string;
  invoice_id: string;
  invoice_day: number;
  due_day: number | null;
  /** Null while it is open. */
  settled_day: number | null;
  amount_inr: number;
  disputed: boolean;
}

/** A real receivables book, its customers in the order of their first invoice. */
export interface ReceivablesBook {
  customers: string[];
  invoices: BookInvoice[];
}

type Row = Record<string, string>;

interface Format {
  name: string;
  /** Columns that tell this format from others. */
  columns: string[];
  read: (row: Row) => BookInvoice;
}

/**
 * Amounts are taken as rupees, whatever their currency was: the score looks at how a customer pays, and at
 * amounts only next to the same customer's others.
 */
const FORMATS: Format[] = [
  {
    name: "IBM Watson accounts receivable",
    columns: [
      "customerID",
      "invoiceNumber",
      "InvoiceDate",
      "DueDate",
      "InvoiceAmount",
      "Disputed",
      "SettledDate",
    ],
    read: (row) => ({
      customer: row.customerID!,
      invoice_id: row.invoiceNumber!,
      invoice_day: isoToDay(row.InvoiceDate!),
      due_day: dayOrNull(row.DueDate!),
      settled_day: dayOrNull(row.SettledDate!),
      amount_inr: Number(row.InvoiceAmount),
      disputed: row.Disputed === "Yes",
    }),
  },
  {
    name: "HighRadius receivables",
    columns: ["row", "customer_id", "invoice_date", "due_date", "clear_date", "amount", "is_open"],
    read: (row) => {
      const settled_day = dayOrNull(row.clear_date!);
      const invoice_day = isoToDay(row.invoice_date!);
      return {
        customer: row.customer_id!,
        // Not every row names its invoice; the row number always does.
        invoice_id: `HR-${row.row}`,
        // The file's invoice date is the due date minus the customer's usual term; an invoice that was paid
        // before that must have been written earlier.
        invoice_day: settled_day === null ? invoice_day : Math.min(invoice_day, settled_day),
        due_day: dayOrNull(row.due_date!),
        settled_day,
        amount_inr: Number(row.amount),
        disputed: false,
      };
    },
  },
];

/**
 * Reads a receivables book, whose format is recognised by its header. OperationError if it is none of the known
 * ones or a row cannot be read.
 */
export function readBook(text: string): ReceivablesBook {
  const { header, rows } = parsed(text);
  const format = FORMATS.find(({ columns }) => columns.every((column) => header.includes(column)));
  if (format === undefined) {
    const known = FORMATS.map(({ name, columns }) => `  ${name}: ${columns.join(", ")}`).join("\n");
    throw new OperationError(
      `The book's header is not known. Known books have at least these columns:\n${known}`,
    );
  }
  const invoices = rows.map((row, i) => {
    const invoice = format.read(row);
    if (
      invoice.customer === "" ||
      Number.isNaN(invoice.invoice_day) ||
      !Number.isFinite(invoice.amount_inr)
    ) {
      throw new OperationError(`Row ${i + 2} of the book has no customer, date or amount.`);
    }
    return invoice;
  });
  return { customers: [...new Set(invoices.map((invoice) => invoice.customer))], invoices };
}

/**
 * The book moved by whole days so that its newest event (an invoice written or settled) falls on `end_day`. Due
 * dates of open invoices may then lie ahead, as they would in a book of today.
 */
export function movedTo(book: ReceivablesBook, end_day: number): ReceivablesBook {
  const newest = book.invoices.reduce(
    (day, invoice) => Math.max(day, invoice.invoice_day, invoice.settled_day ?? 0),
    0,
  );
  const shift = end_day - newest;
  const moved = (day: number | null): number | null => (day === null ? null : day + shift);
  return {
    customers: book.customers,
    invoices: book.invoices.map((invoice) => ({
      ...invoice,
      invoice_day: invoice.invoice_day + shift,
      due_day: moved(invoice.due_day),
      settled_day: moved(invoice.settled_day),
    })),
  };
}

/** Share of each customer's settled invoices with a due date that were paid after it; null without any. */
export function shareLate(book: ReceivablesBook): Map<string, number | null> {
  const settled = Map.groupBy(
    book.invoices.filter((invoice) => invoice.settled_day !== null && invoice.due_day !== null),
    (invoice) => invoice.customer,
  );
  return new Map(
    book.customers.map((customer) => {
      const own = settled.get(customer) ?? [];
      const late = own.filter((invoice) => invoice.settled_day! > invoice.due_day!);
      return [customer, own.length === 0 ? null : late.length / own.length];
    }),
  );
}

function parsed(text: string): ReturnType<typeof parseCsv> {
  try {
    return parseCsv(text);
  } catch (error) {
    if (error instanceof RangeError)
      throw new OperationError(`The book is not readable as CSV: ${error.message}`);
    throw error;
  }
}

function dayOrNull(text: string): number | null {
  const day = isoToDay(text);
  return Number.isNaN(day) ? null : day;
}
