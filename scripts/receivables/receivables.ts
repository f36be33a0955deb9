import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { dayToIso } from "../../src/lib/days.ts";
import { type Desk, loadBook } from "../demo/load-book.ts";
import { type DistributorCredentials, ensureBookDistributor } from "../demo/parties.ts";
import type { DatedRecords } from "../demo/records.ts";
import { OperationError } from "../lib/errors.ts";
import { shownPath } from "../lib/paths.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { movedTo, type ReceivablesBook, readBook, shareLate } from "./books.ts";
import { type Identity, madeUpIdentities } from "./identities.ts";
import { type ScoreRow, scoreTable, tableCsv } from "./table.ts";

/** Reads a book from a `.csv` or `.csv.gz` file. OperationError if there is none or it is not a known book. */
export function openBook(path: string): { name: string; book: ReceivablesBook } {
  if (!existsSync(path)) throw new OperationError(`There is no file ${path}.`);
  const bytes = readFileSync(path);
  const text = (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
  return { name: basename(path).replace(/\.csv(\.gz)?$/, ""), book: readBook(text) };
}

/**
 * Takes a real book through the whole path as one distributor's (its customers under made-up GSTINs, dates moved
 * so that the newest is yesterday), and prints each customer's score next to how it really paid; the table is
 * also written as CSV into the state folder.
 */
export async function runReceivables(
  runtime: Runtime,
  { name, book }: { name: string; book: ReceivablesBook },
  desk: Desk,
): Promise<void> {
  const distributor = await ensureBookDistributor(runtime, name);
  const identities = madeUpIdentities(name, book.customers);
  const loaded = await loadBook(
    runtime,
    {
      name: `book ${name}`,
      records: (end_day) => [{ distributor, records: recordsOf(movedTo(book, end_day), identities) }],
      consents: () => consentsOf(book, identities, distributor, desk),
    },
    desk,
  );
  const late = shareLate(book);
  const rows: ScoreRow[] = book.customers.map((customer, i) => ({
    customer,
    outcome: loaded.scores.get(loaded.consents[i]!.retailer_id) ?? { refusal: "RETAILER_NOT_SCORED" },
    share_late: late.get(customer) ?? null,
  }));
  const file = join(runtime.layout.dir, `receivables-${name}.csv`);
  writeFileSync(file, tableCsv(rows));
  process.stdout.write(`\n${scoreTable(rows)}\n  Also in ${shownPath(file)}\n\n`);
}

function consentsOf(
  book: ReceivablesBook,
  identities: Map<string, Identity>,
  { distributor_id }: DistributorCredentials,
  desk: Desk,
) {
  const lender_ids = [desk.lender.lender_id];
  return book.customers.map((customer) => ({
    phone: identities.get(customer)!.phone,
    distributor_id,
    lender_ids,
  }));
}

function recordsOf(book: ReceivablesBook, identities: Map<string, Identity>): DatedRecords {
  return {
    invoices: book.invoices.map((invoice) => {
      const { gstin, phone } = identities.get(invoice.customer)!;
      return {
        day: invoice.invoice_day,
        record: {
          invoice_id: invoice.invoice_id,
          retailer_gst: gstin,
          retailer_phone: phone,
          invoice_date: dayToIso(invoice.invoice_day),
          due_date: invoice.due_day === null ? null : dayToIso(invoice.due_day),
          amount_inr: invoice.amount_inr,
          ...(invoice.disputed ? { disputed: true } : {}),
        },
      };
    }),
    payments: book.invoices.flatMap((invoice) =>
      invoice.settled_day === null
        ? []
        : {
            day: invoice.settled_day,
            record: {
              payment_id: `PAY-${invoice.invoice_id}`,
              invoice_id: invoice.invoice_id,
              paid_date: dayToIso(invoice.settled_day),
              amount_paid_inr: invoice.amount_inr,
              payment_method: null,
            },
          },
    ),
  };
}
