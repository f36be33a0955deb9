import type { InvoiceRow, PaymentRow } from "../../../src/ingestion/types.ts";
import {
  type InvoiceTuple,
  openInvoices,
  openPayments,
  type PaymentTuple,
} from "../../../src/pipeline/ledger-rows.ts";
import type { Statement } from "../../../src/scoring/types.ts";
import { createRandom } from "../../../src/synthetic/random.ts";

/** Three years less a week: everything is inside a statement's window. */
const SPAN_DAYS = 1_088;
const TERM_DAYS = 21;

/** One made-up shop's books: `invoices` bills over three years up to `today`, mostly paid, as a ledger takes them. */
export function shopRows(
  number: number,
  invoices: number,
  today: number,
): { retailer_id: string; invoices: InvoiceRow[]; payments: PaymentRow[] } {
  const random = createRandom(`bench shop ${number}`);
  const retailer_id = shopId(number);
  const bills: InvoiceRow[] = [];
  const paid: PaymentRow[] = [];
  for (let i = 0; i < invoices; i++) {
    const invoice_day = today - 1 - Math.floor(((invoices - 1 - i) * SPAN_DAYS) / invoices);
    // In the order of the ids, as a ledger gives them.
    const serial = String(i).padStart(5, "0");
    const invoice_id = `B${number}-${serial}`;
    const amount_paise = 100_000 + random.integer(0, 900_000);
    const due_day = invoice_day + TERM_DAYS;
    bills.push([i, invoice_id, retailer_id, invoice_day, due_day, amount_paise, 0, null, 0]);
    const paid_day = due_day + random.integer(0, 9) - 5;
    if (paid_day <= today)
      paid.push([i, `P${number}-${serial}`, invoice_id, paid_day, amount_paise, "UPI", 0]);
  }
  return { retailer_id, invoices: bills, payments: paid };
}

/** The id of a bench shop. */
export function shopId(number: number): string {
  return `ret_${number.toString(16).padStart(16, "0")}`;
}

/** The same books as the engine's statement. */
export function shopStatement(rows: ReturnType<typeof shopRows>, distributor_id: string): Statement {
  return {
    retailer_id: rows.retailer_id,
    sources: [
      {
        distributor_id,
        erp_type: "tally_prime",
        usual_term_days: TERM_DAYS,
        first_invoice_day: rows.invoices[0]![3],
        records_received: rows.invoices.length + rows.payments.length,
        records_quarantined: 0,
      },
    ],
    // By way of JSON text, as they come from a ledger: a text of one piece costs less to compare than a joined one.
    invoices: openInvoices(
      JSON.stringify(rows.invoices.map(([, id, , ...columns]) => [id, ...columns] satisfies InvoiceTuple)),
      distributor_id,
    ),
    payments: openPayments(
      JSON.stringify(
        rows.payments.map(
          ([, payment_id, invoice_id, paid_day, amount_paise, , bounced]) =>
            [payment_id, invoice_id, paid_day, amount_paise, bounced] satisfies PaymentTuple,
        ),
      ),
      distributor_id,
    ),
    identity_verified: true,
  };
}
