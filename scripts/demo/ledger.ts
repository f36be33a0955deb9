import { dayToIso } from "../../src/lib/days.ts";
import { generateLedger } from "../../src/synthetic/kirana.ts";
import type { SyntheticLedger } from "../../src/synthetic/types.ts";
import type { DatedRecords } from "./records.ts";

const SEED = "altscore demo";
const RETAILERS = 60;
const DISTRIBUTORS = 2;
const MONTHS = 24;

/** The demonstration's ledger up to and with `end_day` (IST day number): the same for the same day. */
export function demoLedger(end_day: number): SyntheticLedger {
  return generateLedger({
    seed: SEED,
    retailers: RETAILERS,
    distributors: DISTRIBUTORS,
    months: MONTHS,
    end_day,
  });
}

/** One distributor's share of a ledger in the API's form. */
export function recordsOf(ledger: SyntheticLedger, distributor_index: number): DatedRecords {
  const own = <T extends { distributor_index: number }>(rows: T[]): T[] =>
    rows.filter((row) => row.distributor_index === distributor_index);
  return {
    invoices: own(ledger.invoices).map((invoice) => {
      const retailer = ledger.retailers[invoice.retailer_index]!;
      return {
        day: invoice.invoice_day,
        record: {
          invoice_id: invoice.invoice_id,
          retailer_gst: retailer.gstin,
          retailer_phone: retailer.phone,
          invoice_date: dayToIso(invoice.invoice_day),
          due_date: invoice.due_day === null ? null : dayToIso(invoice.due_day),
          amount_inr: rupees(invoice.amount_paise),
          ...(invoice.is_return ? { is_return: true } : {}),
          ...(invoice.original_invoice_id === null
            ? {}
            : { original_invoice_id: invoice.original_invoice_id }),
          ...(invoice.disputed ? { disputed: true } : {}),
        },
      };
    }),
    payments: own(ledger.payments).map((payment) => ({
      day: payment.paid_day,
      record: {
        payment_id: payment.payment_id,
        invoice_id: payment.invoice_id,
        paid_date: dayToIso(payment.paid_day),
        amount_paid_inr: rupees(payment.amount_paise),
        payment_method: payment.payment_method,
        ...(payment.bounced ? { bounced: true } : {}),
      },
    })),
  };
}

const rupees = (paise: number): number => Number((paise / 100).toFixed(2));
