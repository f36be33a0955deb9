import { assignDelays } from "./delays.ts";
import { makeOrders, type OrderDraft } from "./orders.ts";
import { type DistributorProfile, MONTH_DAYS, makeDistributors, makeRetailer } from "./profiles.ts";
import { createRandom } from "./random.ts";
import { settle } from "./settlement.ts";
import type { LedgerRequest, SyntheticInvoice, SyntheticLedger, SyntheticPayment } from "./types.ts";

function checkRequest(request: LedgerRequest): void {
  const whole = (value: number, least: number): boolean => Number.isInteger(value) && value >= least;
  if (!whole(request.retailers, 1) || !whole(request.distributors, 1) || !whole(request.months, 1)) {
    throw new RangeError("retailers, distributors and months must be whole numbers of at least 1");
  }
  if (!whole(request.end_day, 0)) throw new RangeError("end_day must be a day number");
}

/** Numbers records within each distributor, in the order it is asked. */
function numbering(prefix: string): (distributor_index: number) => string {
  const counts = new Map<number, number>();
  return (distributor_index) => {
    const next = (counts.get(distributor_index) ?? 0) + 1;
    counts.set(distributor_index, next);
    return `${prefix}-${String(next).padStart(6, "0")}`;
  };
}

const byDistributorAndDay = (a: OrderDraft, b: OrderDraft): number =>
  a.distributor_index - b.distributor_index ||
  a.invoice_day - b.invoice_day ||
  a.retailer_index - b.retailer_index;

/**
 * A made-up but plausible ledger of kirana shops and their distributors: the same request gives the same
 * ledger, and its delays follow the published distribution of scoring.md §9 as a whole. Invoices, credit notes
 * and payments after `end_day` do not exist, so the newest invoices are still open. RangeError for a request
 * that asks for nothing.
 */
export function generateLedger(request: LedgerRequest): SyntheticLedger {
  checkRequest(request);
  const start_day = request.end_day - Math.round(request.months * MONTH_DAYS) + 1;
  const distributors = makeDistributors(request);
  const retailers = Array.from({ length: request.retailers }, (_, index) =>
    makeRetailer(request, index, start_day, distributors),
  );
  const orders = retailers
    .flatMap((retailer) => makeOrders(request.seed, retailer, start_day))
    .sort(byDistributorAndDay);
  const delays = assignDelays(orders);

  const random = createRandom(`${request.seed} settlement`);
  const nextInvoiceId = numbering("INV");
  const nextCreditId = numbering("CRN");
  const nextPaymentId = numbering("PAY");
  const invoices: SyntheticInvoice[] = [];
  const payments: SyntheticPayment[] = [];
  for (const [i, order] of orders.entries()) {
    const { distributor_index, retailer_index, invoice_day, amount_paise } = order;
    const distributor: DistributorProfile = distributors[distributor_index]!;
    const delay_days = delays[i]!;
    const settled_day =
      delay_days === null ? null : Math.max(invoice_day, invoice_day + order.term_days + delay_days);
    const invoice_id = nextInvoiceId(distributor_index);
    invoices.push({
      distributor_index,
      retailer_index,
      invoice_id,
      invoice_day,
      due_day: random.chance(distributor.due_missing_share) ? null : invoice_day + order.term_days,
      amount_paise,
      is_return: false,
      original_invoice_id: null,
      disputed: order.disputed,
    });
    const { payments: paid, credit } = settle(random, retailers[retailer_index]!, order, settled_day);
    if (credit !== null && credit.credit_day <= request.end_day) {
      invoices.push({
        distributor_index,
        retailer_index,
        invoice_id: nextCreditId(distributor_index),
        invoice_day: credit.credit_day,
        due_day: null,
        amount_paise: credit.amount_paise,
        is_return: true,
        original_invoice_id: credit.names_invoice ? invoice_id : null,
        disputed: false,
      });
    }
    for (const payment of paid) {
      if (payment.paid_day > request.end_day) continue;
      payments.push({
        distributor_index,
        payment_id: nextPaymentId(distributor_index),
        invoice_id,
        ...payment,
      });
    }
  }
  return {
    distributors: distributors.map(({ index, erp_type }) => ({ index, erp_type })),
    retailers: retailers.map(({ index, gstin, phone, kind }) => ({ index, gstin, phone, kind })),
    invoices,
    payments,
  };
}
