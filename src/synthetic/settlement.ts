import type { RetailerProfile } from "./profiles.ts";
import type { Random } from "./random.ts";
import type { PaymentMethod } from "./types.ts";

/** A payment before it has an id. */
export interface PaymentDraft {
  paid_day: number;
  amount_paise: number;
  payment_method: PaymentMethod;
  bounced: boolean;
}

/** A credit note before it has an id. */
export interface CreditDraft {
  credit_day: number;
  amount_paise: number;
  /** Whether it names the invoice it belongs to. */
  names_invoice: boolean;
}

/** What becomes of one invoice. */
export interface Settlement {
  payments: PaymentDraft[];
  credit: CreditDraft | null;
}

/** Of the credit notes, this share names no invoice, and this share takes the whole invoice back. */
const UNNAMED_CREDIT_SHARE = 0.2;
const FULL_RETURN_SHARE = 0.03;

function paymentMethod(random: Random, retailer: RetailerProfile): PaymentMethod {
  if (random.chance(retailer.cheque_share)) return "cheque";
  return random.weighted<PaymentMethod>([
    ["UPI", 45],
    ["NEFT", 25],
    ["cash", 20],
    ["IMPS", 6],
    ["RTGS", 4],
  ]);
}

function creditOf(
  random: Random,
  retailer: RetailerProfile,
  invoice_day: number,
  settled_day: number | null,
  amount_paise: number,
): CreditDraft | null {
  if (!random.chance(retailer.return_share)) return null;
  const latest = Math.min(invoice_day + 10, settled_day ?? invoice_day + 10);
  const share = random.chance(FULL_RETURN_SHARE) ? 1 : random.between(0.03, 0.35);
  return {
    credit_day: random.integer(invoice_day, latest),
    amount_paise: Math.max(1, Math.round(amount_paise * share)),
    names_invoice: share === 1 || !random.chance(UNNAMED_CREDIT_SHARE),
  };
}

/**
 * Payments and credit note of one invoice. `settled_day` is the day the last payment arrives, null for an
 * invoice that is never paid in full (a part of it may be). Nothing is dated before the invoice.
 */
export function settle(
  random: Random,
  retailer: RetailerProfile,
  invoice: { invoice_day: number; amount_paise: number },
  settled_day: number | null,
): Settlement {
  const { invoice_day, amount_paise } = invoice;
  const credit = creditOf(random, retailer, invoice_day, settled_day, amount_paise);
  const owed_paise = amount_paise - (credit?.names_invoice ? credit.amount_paise : 0);
  const payments: PaymentDraft[] = [];
  if (owed_paise <= 0) return { payments, credit };

  const payment_method = paymentMethod(random, retailer);
  let left_paise = owed_paise;
  if (random.chance(settled_day === null ? 0.4 : retailer.partial_share)) {
    const part_paise = Math.floor(owed_paise * random.between(0.2, 0.75));
    const latest = settled_day === null ? invoice_day + 60 : Math.max(invoice_day, settled_day - 1);
    payments.push({
      paid_day: random.integer(Math.min(invoice_day + 1, latest), latest),
      amount_paise: part_paise,
      payment_method,
      bounced: false,
    });
    left_paise -= part_paise;
  }
  if (settled_day === null)
    return { payments: payments.filter((payment) => payment.amount_paise > 0), credit };
  if (random.chance(retailer.bounce_share) && settled_day - invoice_day >= 3) {
    payments.push({
      paid_day: random.integer(Math.max(invoice_day + 1, settled_day - 12), settled_day - 2),
      amount_paise: left_paise,
      payment_method: "cheque",
      bounced: true,
    });
  }
  payments.push({ paid_day: settled_day, amount_paise: left_paise, payment_method, bounced: false });
  return { payments: payments.filter((payment) => payment.amount_paise > 0), credit };
}
