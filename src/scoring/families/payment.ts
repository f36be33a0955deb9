import { FEATURE_INDEX as F } from "../feature-table.ts";
import type { PaymentView } from "../settlement.ts";
import { medianOfSorted, percentileOfSorted, populationSd } from "../stats.ts";

const ON_TIME_DAYS = 3;
const VERY_LATE_DAYS = 15;
const NEVER_DAYS = 365;

/** Features 1-2, 4-5, 7-10, 12-13 over DUE180; all stay null when nothing fell due. */
function dueIn180Days(view: PaymentView, out: Float64Array): void {
  const late: number[] = [];
  const partial_ratios: number[] = [];
  let late_sum = 0;
  let late_amount = 0;
  let amount = 0;
  let zero = 0;
  let on_time = 0;
  let very_late = 0;
  let partial = 0;
  for (let i = 0; i < view.count; i++) {
    const due_day = view.due_day[i]!;
    if (due_day > view.as_of_day || due_day <= view.as_of_day - 180) continue;
    const late_days = view.late_days[i]!;
    late.push(late_days);
    late_sum += late_days;
    late_amount += late_days * view.amount_paise[i]!;
    amount += view.amount_paise[i]!;
    if (late_days === 0) zero++;
    if (late_days <= ON_TIME_DAYS) on_time++;
    if (late_days >= VERY_LATE_DAYS) very_late++;
    if (view.partially_paid[i] === 1) {
      partial++;
      partial_ratios.push(view.paid_paise[i]! / view.amount_paise[i]!);
    }
  }
  const due = late.length;
  if (due === 0) return;
  if (due >= 3) out[F.delay_std_180] = populationSd(late);
  late.sort((a, b) => a - b);
  partial_ratios.sort((a, b) => a - b);
  out[F.avg_payment_delay_days] = late_sum / due;
  out[F.wavg_delay_180] = late_amount / amount;
  out[F.p90_payment_delay_days] = percentileOfSorted(late, 0.9);
  out[F.max_delay_180] = late[due - 1]!;
  out[F.zero_delay_rate] = zero / due;
  out[F.ontime_share_180] = on_time / due;
  out[F.late15_share_180] = very_late / due;
  out[F.partial_payment_freq] = partial / due;
  out[F.partial_payment_ratio] = partial === 0 ? 1 : medianOfSorted(partial_ratios);
}

/** Features 3 and 17 over DUE90. */
function dueIn90Days(view: PaymentView, out: Float64Array): void {
  let due = 0;
  let late_sum = 0;
  let amount = 0;
  let collected = 0;
  for (let i = 0; i < view.count; i++) {
    const due_day = view.due_day[i]!;
    if (due_day > view.as_of_day || due_day <= view.as_of_day - 90) continue;
    due++;
    late_sum += view.late_days[i]!;
    amount += view.amount_paise[i]!;
    if (view.settled[i] === 1) collected += view.amount_paise[i]!;
  }
  if (due === 0) return;
  out[F.avg_delay_90] = late_sum / due;
  out[F.collect_ratio_90] = collected / amount;
}

/** Features 6 and 14 over DUE365. */
function dueInAYear(view: PaymentView, out: Float64Array): void {
  const due: number[] = [];
  let worst = 0;
  for (let i = 0; i < view.count; i++) {
    const due_day = view.due_day[i]!;
    if (due_day > view.as_of_day || due_day <= view.as_of_day - 365) continue;
    due.push(i);
    worst = Math.max(worst, view.late_days[i]!);
  }
  if (due.length === 0) return;
  // The view is in the order distributor, id; positions settle what due and invoice day leave equal.
  due.sort(
    (a, b) => view.due_day[a]! - view.due_day[b]! || view.invoice_day[a]! - view.invoice_day[b]! || a - b,
  );
  let run = 0;
  let longest = 0;
  for (const i of due) {
    run = view.late_days[i]! > 0 ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  out[F.worst_delay_365] = worst;
  out[F.max_consecutive_delays] = longest;
}

/** Features 11, 15 and 16 over everything in the statement. */
function wholeStatement(view: PaymentView, out: Float64Array): void {
  let last_very_late_day = Number.NEGATIVE_INFINITY;
  let open = 0;
  let overdue = 0;
  let oldest_overdue_days = 0;
  for (let i = 0; i < view.count; i++) {
    if (view.due_day[i]! <= view.as_of_day && view.late_days[i]! >= VERY_LATE_DAYS) {
      last_very_late_day = Math.max(last_very_late_day, view.end_day[i]!);
    }
    if (view.settled[i] === 1) continue;
    open += view.open_paise[i]!;
    if (view.due_day[i]! < view.as_of_day) {
      overdue += view.open_paise[i]!;
      oldest_overdue_days = Math.max(oldest_overdue_days, view.as_of_day - view.due_day[i]!);
    }
  }
  out[F.days_since_late15] = Math.min(NEVER_DAYS, view.as_of_day - last_very_late_day);
  out[F.overdue_share] = open > 0 ? overdue / open : 0;
  out[F.oldest_overdue_days] = oldest_overdue_days;
}

/** Feature 18. */
function bounces(view: PaymentView, out: Float64Array): void {
  let payments = 0;
  let bounced = 0;
  for (let i = 0; i < view.payment_day.length; i++) {
    if (view.payment_day[i]! <= view.as_of_day - 180) continue;
    payments++;
    bounced += view.payment_bounced[i]!;
  }
  out[F.bounce_rate_180] = payments === 0 ? 0 : bounced / payments;
}

/** Features 1-18 into `out` (NaN where null). */
export function paymentFeatures(view: PaymentView, out: Float64Array): void {
  dueIn180Days(view, out);
  dueIn90Days(view, out);
  dueInAYear(view, out);
  wholeStatement(view, out);
  bounces(view, out);
}
