import type { StatementInvoice, StatementPayment } from "../scoring/types.ts";

/** A ledger's rows as they cross to the pipeline, as JSON text of arrays of these; booleans are 0 or 1. */
export type InvoiceTuple = [
  invoice_id: string,
  invoice_day: number,
  due_day: number | null,
  amount_paise: number,
  is_return: 0 | 1,
  original_invoice_id: string | null,
  disputed: 0 | 1,
];
export type PaymentTuple = [
  payment_id: string,
  invoice_id: string,
  paid_day: number,
  amount_paise: number,
  bounced: 0 | 1,
];

/** The invoices and credit notes of one ledger as the engine takes them. */
export function openInvoices(json: string, distributor_id: string): StatementInvoice[] {
  return (JSON.parse(json) as InvoiceTuple[]).map((row) => ({
    distributor_id,
    invoice_id: row[0],
    invoice_day: row[1],
    due_day: row[2],
    amount_paise: row[3],
    is_return: row[4] === 1,
    original_invoice_id: row[5],
    disputed: row[6] === 1,
  }));
}

/** The payments of one ledger as the engine takes them. */
export function openPayments(json: string, distributor_id: string): StatementPayment[] {
  return (JSON.parse(json) as PaymentTuple[]).map((row) => ({
    distributor_id,
    payment_id: row[0],
    invoice_id: row[1],
    paid_day: row[2],
    amount_paise: row[3],
    bounced: row[4] === 1,
  }));
}
