import type { Statement, StatementInvoice, StatementPayment } from "../scoring/types.ts";
import { createRandom, type Random } from "./random.ts";

/** A retailer's rows, as a statement holds them. */
export type RetailerLedger = Pick<Statement, "invoices" | "payments">;

/** The attacks act on the days an anomaly is looked for in. */
const ATTACK_DAYS = 60;
const YEAR_DAYS = 360;

/** Ways to look better or bigger than one is, each done to an honest retailer's rows as they stand at a day. */
export const ATTACKS = [
  "order_spike",
  "order_then_return",
  "prompt_after_bad_years",
  "order_splitting",
  "circular_payments",
  "credit_note_inflation",
  "bulk_invoice",
] as const;
export type Attack = (typeof ATTACKS)[number];

type Act = (rows: RetailerLedger, as_of_day: number, random: Random) => RetailerLedger;

function isRecent(day: number, as_of_day: number): boolean {
  return day > as_of_day - ATTACK_DAYS && day <= as_of_day;
}

function recentOrders(rows: RetailerLedger, as_of_day: number): StatementInvoice[] {
  return rows.invoices.filter((row) => !row.is_return && isRecent(row.invoice_day, as_of_day));
}

function keyOf(row: { distributor_id: string; invoice_id: string }): string {
  return `${row.distributor_id}/${row.invoice_id}`;
}

/** Orders of the year before the attack's days: what is usual. */
function usualOrders(rows: RetailerLedger, as_of_day: number): StatementInvoice[] {
  const end_day = as_of_day - ATTACK_DAYS;
  return rows.invoices.filter(
    (row) => !row.is_return && row.invoice_day <= end_day && row.invoice_day > end_day - YEAR_DAYS,
  );
}

/** Orders of the 60 days repeated until there are five times as many as usual, sizes a little varied. */
const orderSpike: Act = (rows, as_of_day, random) => {
  const recent = recentOrders(rows, as_of_day);
  const usual = usualOrders(rows, as_of_day).length / (YEAR_DAYS / ATTACK_DAYS);
  const wanted = Math.ceil(5 * Math.max(usual, recent.length));
  const added = Array.from({ length: wanted - recent.length }, (_, k) => {
    const model = recent[k % recent.length]!;
    const shift_days = as_of_day - random.integer(0, ATTACK_DAYS - 1) - model.invoice_day;
    return {
      ...model,
      invoice_id: `${model.invoice_id}+${k}`,
      invoice_day: model.invoice_day + shift_days,
      due_day: model.due_day === null ? null : model.due_day + shift_days,
      amount_paise: Math.round(model.amount_paise * random.between(0.8, 1.25)),
    };
  });
  return { ...rows, invoices: [...rows.invoices, ...added] };
};

function noteFor(
  order: StatementInvoice,
  as_of_day: number,
  share: number,
  names_invoice: boolean,
  random: Random,
): StatementInvoice {
  return {
    ...order,
    invoice_id: `${order.invoice_id}-note`,
    invoice_day: Math.min(as_of_day, order.invoice_day + random.integer(1, 10)),
    due_day: null,
    amount_paise: Math.max(1, Math.round(order.amount_paise * share)),
    is_return: true,
    original_invoice_id: names_invoice ? order.invoice_id : null,
    disputed: false,
  };
}

/** Of the orders of 60 days, 80 % of the value goes back. */
const orderThenReturn: Act = (rows, as_of_day, random) => {
  const notes = recentOrders(rows, as_of_day).map((order) => noteFor(order, as_of_day, 0.8, true, random));
  return { ...rows, invoices: [...rows.invoices, ...notes] };
};

/** Credit notes of a fifth to a third on every order of 60 days: under the rule for returns, above the usual. */
const creditNoteInflation: Act = (rows, as_of_day, random) => {
  const notes = recentOrders(rows, as_of_day).map((order) =>
    noteFor(order, as_of_day, random.between(0.2, 0.35), false, random),
  );
  return { ...rows, invoices: [...rows.invoices, ...notes] };
};

/** Every earlier invoice paid 25 to 60 days late, everything due in the last 60 days on its day. */
const promptAfterBadYears: Act = (rows, as_of_day, random) => {
  const usual_late_days = random.integer(30, 55);
  const payments: StatementPayment[] = [];
  for (const order of rows.invoices) {
    if (order.is_return) continue;
    const due_day = order.due_day ?? order.invoice_day + 30;
    const late_days = isRecent(due_day, as_of_day) ? 0 : usual_late_days + random.integer(-5, 5);
    // What would fall into the good months is cleared just before they begin.
    const bad_end_day = Math.max(due_day, as_of_day - ATTACK_DAYS);
    const paid_day = Math.min(due_day + late_days, bad_end_day);
    if (paid_day > as_of_day) continue;
    payments.push({
      distributor_id: order.distributor_id,
      payment_id: `${order.invoice_id}-paid`,
      invoice_id: order.invoice_id,
      paid_day,
      amount_paise: order.amount_paise,
      bounced: false,
    });
  }
  return { invoices: rows.invoices, payments };
};

/** Each order of 60 days written as four to eight equal small invoices of one day. */
const orderSplitting: Act = (rows, as_of_day, random) => {
  const parts_of = new Map<string, number>();
  const part_id = (invoice_id: string, part: number) => `${invoice_id}.${part}`;
  const invoices = rows.invoices.flatMap((row) => {
    if (row.is_return || !isRecent(row.invoice_day, as_of_day)) return [row];
    const parts = random.integer(4, 8);
    parts_of.set(keyOf(row), parts);
    const amount_paise = Math.max(1, Math.round(row.amount_paise / parts));
    return Array.from({ length: parts }, (_, k) => ({
      ...row,
      invoice_id: part_id(row.invoice_id, k),
      amount_paise,
    }));
  });
  const payments = rows.payments.flatMap((row) => {
    const parts = parts_of.get(keyOf(row));
    if (parts === undefined) return [row];
    const amount_paise = Math.max(1, Math.round(row.amount_paise / parts));
    return Array.from({ length: parts }, (_, k) => ({
      ...row,
      payment_id: part_id(row.payment_id, k),
      invoice_id: part_id(row.invoice_id, k),
      amount_paise,
    }));
  });
  return { invoices, payments };
};

/** Money sent round: ten to twenty payments of one amount on one day settle the orders of the last 60 days. */
const circularPayments: Act = (rows, as_of_day, random) => {
  const orders = recentOrders(rows, as_of_day);
  const paid = new Set(orders.map(keyOf));
  const payments = rows.payments.filter((row) => !paid.has(keyOf(row)));
  const paid_day = as_of_day - random.integer(0, 5);
  const open = orders.filter((order) => order.invoice_day <= paid_day);
  const count = open.length === 0 ? 0 : random.integer(10, 20);
  const total_paise = open.reduce((sum, order) => sum + order.amount_paise, 0);
  for (let k = 0; k < count; k++) {
    const { distributor_id, invoice_id } = open[k % open.length]!;
    payments.push({
      distributor_id,
      payment_id: `${invoice_id}-circle-${k}`,
      invoice_id,
      paid_day,
      amount_paise: Math.max(1, Math.round(total_paise / count)),
      bounced: false,
    });
  }
  return { invoices: rows.invoices, payments };
};

/** One invoice six to twelve times as large as the largest of the past, in the last 60 days. */
const bulkInvoice: Act = (rows, as_of_day, random) => {
  const largest = Math.max(...usualOrders(rows, as_of_day).map((row) => row.amount_paise));
  const model = recentOrders(rows, as_of_day).at(-1)!;
  const amount_paise = Math.round(largest * random.between(6, 12));
  const bulk = { ...model, invoice_id: `${model.invoice_id}+bulk`, amount_paise };
  return { ...rows, invoices: [...rows.invoices, bulk] };
};

const ACTS: Record<Attack, Act> = {
  order_spike: orderSpike,
  order_then_return: orderThenReturn,
  prompt_after_bad_years: promptAfterBadYears,
  order_splitting: orderSplitting,
  circular_payments: circularPayments,
  credit_note_inflation: creditNoteInflation,
  bulk_invoice: bulkInvoice,
};

/**
 * The rows of an honest retailer after an attack in the 60 days up to `as_of_day`; the same seed gives the same rows.
 * Rows dated after that day stay out. Null for a retailer without orders in those days or in the year before: there
 * is nothing to attack with.
 */
export function attacked(
  rows: RetailerLedger,
  attack: Attack,
  as_of_day: number,
  seed: string,
): RetailerLedger | null {
  const known = {
    invoices: rows.invoices.filter((row) => row.invoice_day <= as_of_day),
    payments: rows.payments.filter((row) => row.paid_day <= as_of_day),
  };
  if (recentOrders(known, as_of_day).length === 0 || usualOrders(known, as_of_day).length === 0) return null;
  return ACTS[attack](known, as_of_day, createRandom(`${seed} ${attack}`));
}

/** A retailer whose orders are round sums, as many shops order: multiples of `step_paise`, payments along with them. */
export function withRoundOrders(rows: RetailerLedger, step_paise: number): RetailerLedger {
  const factor = new Map<string, number>();
  const invoices = rows.invoices.map((row) => {
    if (row.is_return) return row;
    const amount_paise = Math.max(step_paise, Math.round(row.amount_paise / step_paise) * step_paise);
    factor.set(keyOf(row), amount_paise / row.amount_paise);
    return { ...row, amount_paise };
  });
  const payments = rows.payments.map((row) => ({
    ...row,
    amount_paise: Math.max(1, Math.round(row.amount_paise * (factor.get(keyOf(row)) ?? 1))),
  }));
  return { invoices, payments };
}

/**
 * A retailer that pays on one day of the week only, the distributor's collection day (`weekday` 0-6, day number
 * modulo 7): each payment waits for the next one, so that several bills are paid on the same day.
 */
export function withCollectionDay(rows: RetailerLedger, weekday: number): RetailerLedger {
  const payments = rows.payments.map((row) => ({
    ...row,
    paid_day: row.paid_day + ((((weekday - row.paid_day) % 7) + 7) % 7),
  }));
  return { invoices: rows.invoices, payments };
}
