import { RECENT_DAYS } from "./guardrails.ts";
import type { LedgerView } from "./settlement.ts";
import { percentileOfSorted } from "./stats.ts";

/** The baseline: these days (about a year) before the last RECENT_DAYS. */
export const BASELINE_DAYS = 360;
/** A baseline of fewer days says nothing about what is usual. */
export const MIN_BASELINE_DAYS = 180;

/**
 * How the last 60 days differ from the retailer's own baseline, in the direction that gaming would take. Each measure
 * is 0 where nothing is unusual and grows with the surprise, so that a quiet shop is never an anomaly:
 *
 * - order_count, credit_note_count: 2 (sqrt(n + 3/8) - sqrt(usual + 3/8)), Anscombe's scale on which counts vary by 1
 * - order_value: ln of value over the usual, both plus one mean order
 * - largest_order: ln of the largest invoice over the baseline's 95th percentile
 * - returned_share: returned over invoiced value (plus one mean order) less the same of the baseline
 * - on_time_surge: invoices due and not late at all, above the usual share, in binomial standard deviations
 * - lateness_fall: ln of mean days late (plus 1) of the baseline over the recent ones, less for few invoices
 * - equal_orders: ln of the largest number of invoices of one amount (plus 1) over the same of the baseline
 * - equal_payments: as equal_orders, for payments of one amount on one day
 * - payments_on_a_day: as equal_orders, for payments of any amount on one day
 */
export const BEHAVIOUR_MEASURES = [
  "order_count",
  "order_value",
  "largest_order",
  "returned_share",
  "credit_note_count",
  "on_time_surge",
  "lateness_fall",
  "equal_orders",
  "equal_payments",
  "payments_on_a_day",
] as const;

/** Days of baseline that the retailer has at the view's day, at most BASELINE_DAYS; below 1 if it has none. */
export function baselineDays(view: LedgerView): number {
  const recent_first_day = view.as_of_day - RECENT_DAYS + 1;
  return Math.min(BASELINE_DAYS, recent_first_day - view.first_invoice_day);
}

/** Sums of one window. */
interface WindowTotals {
  invoices: number;
  /** Room for every invoice of the view; the first `invoices` are used. */
  amounts_paise: Float64Array;
  invoiced_paise: number;
  notes: number;
  returned_paise: number;
  due: number;
  due_on_time: number;
  late_days: number;
}

function emptyTotals(room: number): WindowTotals {
  return {
    invoices: 0,
    amounts_paise: new Float64Array(room),
    invoiced_paise: 0,
    notes: 0,
    returned_paise: 0,
    due: 0,
    due_on_time: 0,
    late_days: 0,
  };
}

function totalsOf(view: LedgerView): { recent: WindowTotals; baseline: WindowTotals } {
  const recent = emptyTotals(view.count);
  const baseline = emptyTotals(view.count);
  const windowOf = (day: number): WindowTotals | null => {
    const age_days = view.as_of_day - day;
    if (age_days < RECENT_DAYS) return recent;
    return age_days < RECENT_DAYS + BASELINE_DAYS ? baseline : null;
  };
  for (let i = 0; i < view.count; i++) {
    const issued = windowOf(view.invoice_day[i]!);
    if (issued !== null) {
      issued.amounts_paise[issued.invoices++] = view.amount_paise[i]!;
      issued.invoiced_paise += view.amount_paise[i]!;
    }
    if (view.due_day[i]! > view.as_of_day) continue;
    const due = windowOf(view.due_day[i]!);
    if (due === null) continue;
    due.due++;
    due.late_days += view.late_days[i]!;
    if (view.late_days[i] === 0) due.due_on_time++;
  }
  for (let i = 0; i < view.note_day.length; i++) {
    const window = windowOf(view.note_day[i]!);
    if (window === null) continue;
    window.notes++;
    window.returned_paise += view.note_paise[i]!;
  }
  return { recent, baseline };
}

/** Length of the longest run of equal values in an ascending array. */
function longestRun(ascending: Float64Array): number {
  let longest = 0;
  let start = 0;
  for (let i = 0; i < ascending.length; i++) {
    if (ascending[i] !== ascending[start]) start = i;
    longest = Math.max(longest, i - start + 1);
  }
  return longest;
}

/** The most payments on one day, and the most of one amount on one day, in the recent window and the baseline. */
function paymentCrowds(view: LedgerView): { on_a_day: [number, number]; equal: [number, number] } {
  const { settlements } = view;
  const head = new Int32Array(RECENT_DAYS + BASELINE_DAYS).fill(-1);
  const next = new Int32Array(settlements.used);
  for (let event = 0; event < settlements.used; event++) {
    const age_days = view.as_of_day - settlements.day[event]!;
    if (settlements.is_payment[event] === 0 || age_days >= head.length) continue;
    next[event] = head[age_days]!;
    head[age_days] = event;
  }
  const on_a_day: [number, number] = [0, 0];
  const equal: [number, number] = [0, 0];
  const amounts = new Float64Array(settlements.used);
  for (let age_days = 0; age_days < head.length; age_days++) {
    let payments = 0;
    for (let event = head[age_days]!; event >= 0; event = next[event]!) {
      amounts[payments++] = settlements.paise[event]!;
    }
    const window = age_days < RECENT_DAYS ? 0 : 1;
    on_a_day[window] = Math.max(on_a_day[window], payments);
    // A day with no more payments than the known crowd cannot hold a larger one.
    if (payments <= equal[window]) continue;
    equal[window] = Math.max(equal[window], longestRun(amounts.subarray(0, payments).sort()));
  }
  return { on_a_day, equal };
}

/** Anscombe's variance-stabilised difference of a count from what was to be expected; 0 below it. */
function countSurge(count: number, expected: number): number {
  return Math.max(0, 2 * (Math.sqrt(count + 0.375) - Math.sqrt(expected + 0.375)));
}

/** ln of one quantity over another, 0 below it. */
function logSurge(recent: number, usual: number): number {
  return Math.max(0, Math.log(recent / usual));
}

/**
 * Timely invoices above the usual share, in standard deviations. The deviation is that of the share with one invoice of
 * each kind added, so that a past without a single timely invoice is not taken for certainty.
 */
function onTimeSurge(recent: WindowTotals, baseline: WindowTotals): number {
  if (recent.due === 0 || baseline.due === 0) return 0;
  const usual = baseline.due_on_time / baseline.due;
  const smoothed = (baseline.due_on_time + 1) / (baseline.due + 2);
  const sd = Math.sqrt(recent.due * smoothed * (1 - smoothed));
  return Math.max(0, (recent.due_on_time - recent.due * usual) / sd);
}

/** Invoices due at which a fall in lateness counts half. */
const HALF_WEIGHT_DUE = 3;

function latenessFall(recent: WindowTotals, baseline: WindowTotals): number {
  if (recent.due === 0 || baseline.due === 0) return 0;
  const fall = logSurge(1 + baseline.late_days / baseline.due, 1 + recent.late_days / recent.due);
  return (fall * recent.due) / (recent.due + HALF_WEIGHT_DUE);
}

/**
 * The measures in the order of BEHAVIOUR_MEASURES. Null without a baseline (a young retailer), and `[null, ...]` where
 * there is one but nothing was ordered in it: recent orders cannot be compared then (all 0 if there are none).
 */
export function behaviourOf(view: LedgerView): (number | null)[] | null {
  const days = baselineDays(view);
  if (days < MIN_BASELINE_DAYS) return null;
  const { recent, baseline } = totalsOf(view);
  const usual_orders = baseline.invoices;
  if (usual_orders === 0) {
    const silent = recent.invoices === 0;
    return BEHAVIOUR_MEASURES.map(() => (silent ? 0 : null));
  }
  const scale = RECENT_DAYS / days;
  const amounts = recent.amounts_paise.subarray(0, recent.invoices).sort();
  const usual_amounts = baseline.amounts_paise.subarray(0, baseline.invoices).sort();
  const mean_order = baseline.invoiced_paise / usual_orders;
  const crowds = paymentCrowds(view);
  const returned_share = recent.returned_paise / (recent.invoiced_paise + mean_order);
  const measures = [
    countSurge(amounts.length, usual_orders * scale),
    logSurge(recent.invoiced_paise + mean_order, baseline.invoiced_paise * scale + mean_order),
    amounts.length === 0 ? 0 : logSurge(amounts.at(-1)!, percentileOfSorted(usual_amounts, 0.95)),
    Math.max(0, returned_share - baseline.returned_paise / baseline.invoiced_paise),
    countSurge(recent.notes, baseline.notes * scale),
    onTimeSurge(recent, baseline),
    latenessFall(recent, baseline),
    logSurge(1 + longestRun(amounts), 1 + longestRun(usual_amounts)),
    logSurge(1 + crowds.equal[0], 1 + crowds.equal[1]),
    logSurge(1 + crowds.on_a_day[0], 1 + crowds.on_a_day[1]),
  ];
  // Invoices over nothing alone are no baseline either.
  return measures.map((measure) => (Number.isFinite(measure) ? measure : null));
}
