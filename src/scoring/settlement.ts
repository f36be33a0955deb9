import { minusMonths } from "./calendar.ts";
import type { Statement, StatementInvoice } from "./types.ts";

/** How far back a statement reaches (features.md). */
export const STATEMENT_MONTHS = 36;
/** Delays count up to here: beyond a year the debt is lost either way. */
const MAX_LATE_DAYS = 365;
/** Term of a distributor that never states one. */
const DEFAULT_TERM_DAYS = 30;
const SETTLED_PERCENT = 99;
const NOT_PARTIAL_PERCENT = 95;

/**
 * A statement as the features see it on one day: rows after that day and before the 36-month window are gone,
 * due days are filled in, every invoice is settled or open. Invoices are in the order distributor, invoice id
 * (code units); index i of every array is the same invoice.
 */
export interface LedgerView {
  as_of_day: number;
  /** First day of the 36-month window. */
  window_first_day: number;
  /** The retailer's first invoice ever, also before the window. */
  first_invoice_day: number;
  count: number;
  distributor_id: string[];
  invoice_id: string[];
  invoice_day: Int32Array;
  /** How many invoices state no due day. */
  due_missing: number;
  /** Stated, or invoice day + the distributor's usual term. */
  due_day: Int32Array;
  amount_paise: Float64Array;
  settled: Uint8Array;
  /** Day of settlement, or the as-of day of an open invoice. */
  end_day: Int32Array;
  /** min(365, max(0, end_day - due_day)). */
  late_days: Int32Array;
  /** 0 when settled, else the amount less payments and credit notes that name the invoice. */
  open_paise: Float64Array;
  /** Non-bounced payments dated up to end_day. */
  paid_paise: Float64Array;
  partially_paid: Uint8Array;
  disputed: Uint8Array;
  note_day: Int32Array;
  note_paise: Float64Array;
  /** Days of all payments of these rows, and whether each bounced. */
  payment_day: Int32Array;
  payment_bounced: Uint8Array;
  /** What settles the invoices: their non-bounced payments and the credit notes that name them. */
  settlements: Settlements;
}

/** The part of a view that says how its invoices were paid: all that the payment family of features looks at. */
export type PaymentView = Pick<
  LedgerView,
  | "as_of_day"
  | "count"
  | "invoice_day"
  | "due_day"
  | "amount_paise"
  | "settled"
  | "end_day"
  | "late_days"
  | "open_paise"
  | "paid_paise"
  | "partially_paid"
  | "payment_day"
  | "payment_bounced"
>;

/** True if `b` does not come before `a` in the order distributor, invoice id (code units). */
function inOrder(a: StatementInvoice, b: StatementInvoice): boolean {
  return a.distributor_id === b.distributor_id
    ? a.invoice_id <= b.invoice_id
    : a.distributor_id < b.distributor_id;
}

/** Sorts by distributor, then invoice id, in code units; distributors are few, so each is compared by its rank. */
function sortByDistributorThenId(invoices: StatementInvoice[]): void {
  // As ledgers give them.
  let sorted = 1;
  while (sorted < invoices.length && inOrder(invoices[sorted - 1]!, invoices[sorted]!)) sorted++;
  if (sorted >= invoices.length) return;
  const ranks = new Map<string, number>();
  for (const { distributor_id } of invoices) ranks.set(distributor_id, 0);
  for (const [rank, distributor_id] of [...ranks.keys()].sort().entries()) ranks.set(distributor_id, rank);
  const by_distributor: StatementInvoice[][] = Array.from(ranks, () => []);
  for (const row of invoices) by_distributor[ranks.get(row.distributor_id)!]!.push(row);
  let next = 0;
  for (const rows of by_distributor) {
    rows.sort((a, b) => (a.invoice_id < b.invoice_id ? -1 : a.invoice_id > b.invoice_id ? 1 : 0));
    for (const row of rows) invoices[next++] = row;
  }
}

/** Payments and credit notes towards invoices, as linked lists in flat arrays: head[invoice] -> event -> next[event]. */
export class Settlements {
  readonly head: Int32Array;
  readonly next: Int32Array;
  readonly day: Int32Array;
  readonly paise: Float64Array;
  readonly is_payment: Uint8Array;
  /** Number of events; the arrays may be longer. */
  used = 0;

  constructor(invoices: number, max_events: number) {
    this.head = new Int32Array(invoices).fill(-1);
    this.next = new Int32Array(max_events);
    this.day = new Int32Array(max_events);
    this.paise = new Float64Array(max_events);
    this.is_payment = new Uint8Array(max_events);
  }

  add(invoice: number, day: number, paise: number, is_payment: boolean): void {
    const event = this.used++;
    this.day[event] = day;
    this.paise[event] = paise;
    this.is_payment[event] = is_payment ? 1 : 0;
    this.next[event] = this.head[invoice]!;
    this.head[invoice] = event;
  }

  /** Events of an invoice up to a day, oldest day first, into `out`. */
  list(invoice: number, up_to_day: number, out: number[]): void {
    out.length = 0;
    for (let event = this.head[invoice]!; event >= 0; event = this.next[event]!) {
      if (this.day[event]! <= up_to_day) out.push(event);
    }
    if (out.length > 1) out.sort((a, b) => this.day[a]! - this.day[b]!);
  }
}

/** Fills end_day, late_days, open, paid and partially_paid of invoice i from its events (oldest first). */
function settle(view: PaymentView, i: number, events: readonly number[], all: Settlements): void {
  const amount = view.amount_paise[i]!;
  const due_day = view.due_day[i]!;
  let covered = 0;
  let paid = 0;
  let payments = 0;
  let settled_day: number | null = null;
  for (let k = 0; k < events.length && settled_day === null; ) {
    const day = all.day[events[k]!]!;
    // A day counts as a whole: everything of that day is in before asking whether the invoice is settled.
    for (; k < events.length && all.day[events[k]!] === day; k++) {
      const event = events[k]!;
      covered += all.paise[event]!;
      if (all.is_payment[event] === 1) {
        paid += all.paise[event]!;
        payments++;
      }
    }
    if (covered * 100 >= amount * SETTLED_PERCENT) settled_day = day;
  }
  const end_day = settled_day ?? view.as_of_day;
  view.settled[i] = settled_day === null ? 0 : 1;
  view.end_day[i] = end_day;
  view.late_days[i] = Math.min(MAX_LATE_DAYS, Math.max(0, end_day - due_day));
  view.open_paise[i] = settled_day === null ? amount - covered : 0;
  view.paid_paise[i] = paid;
  const partial =
    settled_day === null ? payments >= 1 && covered * 100 < amount * NOT_PARTIAL_PERCENT : payments > 1;
  view.partially_paid[i] = partial ? 1 : 0;
}

function emptyView(statement: Statement, as_of_day: number, invoices: StatementInvoice[]): LedgerView {
  const count = invoices.length;
  const max_events = statement.invoices.length + statement.payments.length;
  return {
    as_of_day,
    window_first_day: minusMonths(as_of_day, STATEMENT_MONTHS) + 1,
    first_invoice_day: firstInvoiceDay(statement, as_of_day, invoices),
    count,
    distributor_id: new Array<string>(count),
    invoice_id: new Array<string>(count),
    invoice_day: new Int32Array(count),
    due_missing: 0,
    due_day: new Int32Array(count),
    amount_paise: new Float64Array(count),
    settled: new Uint8Array(count),
    end_day: new Int32Array(count),
    late_days: new Int32Array(count),
    open_paise: new Float64Array(count),
    paid_paise: new Float64Array(count),
    partially_paid: new Uint8Array(count),
    disputed: new Uint8Array(count),
    note_day: new Int32Array(0),
    note_paise: new Float64Array(0),
    payment_day: new Int32Array(0),
    payment_bounced: new Uint8Array(0),
    settlements: new Settlements(count, max_events),
  };
}

function firstInvoiceDay(statement: Statement, as_of_day: number, invoices: StatementInvoice[]): number {
  let first = as_of_day;
  for (const source of statement.sources) {
    if (source.first_invoice_day !== null && source.first_invoice_day < first)
      first = source.first_invoice_day;
  }
  for (const invoice of invoices) if (invoice.invoice_day < first) first = invoice.invoice_day;
  return first;
}

/** Position of each invoice by distributor and id. */
function indexInvoices(invoices: StatementInvoice[]): Map<string, Map<string, number>> {
  const index = new Map<string, Map<string, number>>();
  let distributor_id: string | null = null;
  let own = new Map<string, number>();
  // They are sorted, so each distributor's stand together.
  for (let i = 0; i < invoices.length; i++) {
    const invoice = invoices[i]!;
    if (invoice.distributor_id !== distributor_id) {
      distributor_id = invoice.distributor_id;
      own = new Map();
      index.set(distributor_id, own);
    }
    own.set(invoice.invoice_id, i);
  }
  return index;
}

/**
 * The statement as it stands at the end of `as_of_day` (features.md, head): what is dated later does not exist.
 * Invoice ids are unique within a distributor, credit notes included. Null without an invoice in the window.
 */
export function ledgerView(statement: Statement, as_of_day: number): LedgerView | null {
  const cutoff_day = minusMonths(as_of_day, STATEMENT_MONTHS);
  const invoices: StatementInvoice[] = [];
  for (const row of statement.invoices) {
    if (!row.is_return && row.invoice_day <= as_of_day && row.invoice_day > cutoff_day) invoices.push(row);
  }
  if (invoices.length === 0) return null;
  sortByDistributorThenId(invoices);

  const view = emptyView(statement, as_of_day, invoices);
  const terms = new Map(statement.sources.map((s) => [s.distributor_id, s.usual_term_days]));
  for (let i = 0; i < invoices.length; i++) {
    const row = invoices[i]!;
    view.distributor_id[i] = row.distributor_id;
    view.invoice_id[i] = row.invoice_id;
    view.invoice_day[i] = row.invoice_day;
    if (row.due_day === null) view.due_missing++;
    view.due_day[i] = row.due_day ?? row.invoice_day + (terms.get(row.distributor_id) ?? DEFAULT_TERM_DAYS);
    view.amount_paise[i] = row.amount_paise;
    view.disputed[i] = row.disputed ? 1 : 0;
  }

  const index = indexInvoices(invoices);
  const events = view.settlements;
  const note_day: number[] = [];
  const note_paise: number[] = [];
  for (const row of statement.invoices) {
    if (!row.is_return || row.invoice_day > as_of_day) continue;
    const named =
      row.original_invoice_id === null
        ? undefined
        : index.get(row.distributor_id)?.get(row.original_invoice_id);
    if (named === undefined && row.invoice_day <= cutoff_day) continue;
    note_day.push(row.invoice_day);
    note_paise.push(row.amount_paise);
    if (named !== undefined) events.add(named, row.invoice_day, row.amount_paise, false);
  }
  view.note_day = Int32Array.from(note_day);
  view.note_paise = Float64Array.from(note_paise);

  const payment_day: number[] = [];
  const payment_bounced: number[] = [];
  // Payments come distributor by distributor.
  let distributor_id: string | null = null;
  let own: Map<string, number> | undefined;
  for (const row of statement.payments) {
    if (row.paid_day > as_of_day) continue;
    if (row.distributor_id !== distributor_id) {
      distributor_id = row.distributor_id;
      own = index.get(distributor_id);
    }
    const invoice = own?.get(row.invoice_id);
    if (invoice === undefined) continue;
    payment_day.push(row.paid_day);
    payment_bounced.push(row.bounced ? 1 : 0);
    if (!row.bounced) events.add(invoice, row.paid_day, row.amount_paise, true);
  }
  view.payment_day = Int32Array.from(payment_day);
  view.payment_bounced = Uint8Array.from(payment_bounced);

  const scratch: number[] = [];
  for (let i = 0; i < view.count; i++) {
    events.list(i, as_of_day, scratch);
    settle(view, i, scratch, events);
  }
  return view;
}

/**
 * How the rows of `view` had been paid at the end of an earlier day: what is dated later does not exist, what was
 * settled later is open. The same as `ledgerView` of that day, but without sorting and matching rows again, and the
 * window still begins where that of `view` does, since today's statement has nothing older, and a payment dated before
 * its invoice counts from its own day.
 */
export function earlierPayments(view: LedgerView, as_of_day: number): PaymentView {
  const earlier: PaymentView = {
    as_of_day,
    count: 0,
    invoice_day: new Int32Array(view.count),
    due_day: new Int32Array(view.count),
    amount_paise: new Float64Array(view.count),
    settled: new Uint8Array(view.count),
    end_day: new Int32Array(view.count),
    late_days: new Int32Array(view.count),
    open_paise: new Float64Array(view.count),
    paid_paise: new Float64Array(view.count),
    partially_paid: new Uint8Array(view.count),
    payment_day: view.payment_day.filter((day) => day <= as_of_day),
    payment_bounced: view.payment_bounced.filter((_, i) => view.payment_day[i]! <= as_of_day),
  };
  const scratch: number[] = [];
  for (let i = 0; i < view.count; i++) {
    if (view.invoice_day[i]! > as_of_day) continue;
    const at = earlier.count++;
    earlier.invoice_day[at] = view.invoice_day[i]!;
    earlier.due_day[at] = view.due_day[i]!;
    earlier.amount_paise[at] = view.amount_paise[i]!;
    if (view.settled[i] === 1 && view.end_day[i]! <= as_of_day) {
      // Settled by then: nothing that came later could change it.
      earlier.settled[at] = 1;
      earlier.end_day[at] = view.end_day[i]!;
      earlier.late_days[at] = view.late_days[i]!;
      earlier.paid_paise[at] = view.paid_paise[i]!;
      earlier.partially_paid[at] = view.partially_paid[i]!;
      continue;
    }
    view.settlements.list(i, as_of_day, scratch);
    settle(earlier, at, scratch, view.settlements);
  }
  return earlier;
}
