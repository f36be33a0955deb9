import type { FeatureName } from "../../src/scoring/feature-table.ts";
import type { Statement, StatementInvoice } from "../../src/scoring/types.ts";

/**
 * The 42 features a second time, straight from the words of docs/features.md: no shared code, every set
 * written as the filter that its definition is. The tests compare the engine with it.
 */

const DAY_MS = 86_400_000;

/** A function that remembers: the one thing done for speed. */
function remembered(of: (key: number) => number): (key: number) => number {
  const known = new Map<number, number>();
  return (key) => known.get(key) ?? known.set(key, of(key)).get(key)!;
}

/** Month number (12 * year + month, from 0) of a day. */
const monthOf = remembered((day) => {
  const date = new Date(day * DAY_MS);
  return 12 * date.getUTCFullYear() + date.getUTCMonth();
});

/** t minus n calendar months, clipped to the month's end. */
function monthsBefore(day: number, n: number): number {
  const of_month = new Date(day * DAY_MS).getUTCDate();
  const target = monthOf(day) - n;
  const days_in_target = new Date(Date.UTC(Math.floor(target / 12), (target % 12) + 1, 0)).getUTCDate();
  return Date.UTC(Math.floor(target / 12), target % 12, Math.min(of_month, days_in_target)) / DAY_MS;
}

const total = (values: number[]): number => values.reduce((sum, value) => sum + value, 0);
const mean = (values: number[]): number => total(values) / values.length;
const sd = (values: number[]): number => Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)));
const count = <T>(rows: T[], is: (row: T) => boolean): number => rows.filter(is).length;
const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, k) => from + k);

function percentile(values: number[], q: number): number {
  const ascending = [...values].sort((a, b) => a - b);
  const position = q * (ascending.length - 1);
  const low = ascending[Math.floor(position)]!;
  const high = ascending[Math.ceil(position)]!;
  return low + (high - low) * (position % 1);
}

/** Least squares slope over 0, 1, 2, ... divided by the mean. */
function relativeSlope(values: number[]): number {
  const n = values.length;
  const x = total(range(0, n));
  const xx = total(range(0, n).map((k) => k * k));
  const xy = total(values.map((value, k) => k * value));
  return (n * xy - x * total(values)) / (n * xx - x * x) / mean(values);
}

/** An invoice with what became of it by t. */
interface Bill extends StatementInvoice {
  due: number;
  /** The day it is settled, or null. */
  settled: number | null;
  end: number;
  late: number;
  open: number;
  /** Non-bounced payments up to min(t, P). */
  paid: number;
  partial: boolean;
}

function billOf(invoice: StatementInvoice, { sources, invoices, payments }: Statement, t: number): Bill {
  const { distributor_id, invoice_id, amount_paise: amount } = invoice;
  const source = sources.find((s) => s.distributor_id === distributor_id);
  const due = invoice.due_day ?? invoice.invoice_day + (source?.usual_term_days ?? 30);
  const good = payments.filter(
    (p) =>
      p.distributor_id === distributor_id && p.invoice_id === invoice_id && p.paid_day <= t && !p.bounced,
  );
  const notes = invoices.filter(
    (n) =>
      n.is_return &&
      n.distributor_id === distributor_id &&
      n.original_invoice_id === invoice_id &&
      n.invoice_day <= t,
  );
  const paidBy = (day: number) => total(good.filter((p) => p.paid_day <= day).map((p) => p.amount_paise));
  const coveredBy = (day: number) =>
    paidBy(day) + total(notes.filter((n) => n.invoice_day <= day).map((n) => n.amount_paise));
  const days = [...good.map((p) => p.paid_day), ...notes.map((n) => n.invoice_day)].sort((a, b) => a - b);
  const settled = days.find((day) => coveredBy(day) * 100 >= amount * 99) ?? null;
  const end = settled ?? t;
  return {
    ...invoice,
    due,
    settled,
    end,
    late: Math.min(365, Math.max(0, end - due)),
    open: settled === null ? amount - coveredBy(t) : 0,
    paid: paidBy(end),
    partial:
      settled === null
        ? good.length > 0 && coveredBy(t) * 100 < amount * 95
        : count(good, (p) => p.paid_day <= settled) > 1,
  };
}

function paymentFamily(bills: Bill[], statement: Statement, t: number) {
  const dueIn = (n: number) => bills.filter((bill) => bill.due <= t && bill.due > t - n);
  const due_180 = dueIn(180);
  const due_90 = dueIn(90);
  const due_365 = dueIn(365).sort(
    (a, b) =>
      a.due - b.due ||
      a.invoice_day - b.invoice_day ||
      (a.distributor_id < b.distributor_id ? -1 : a.distributor_id > b.distributor_id ? 1 : 0) ||
      (a.invoice_id < b.invoice_id ? -1 : 1),
  );
  const late = due_180.map((bill) => bill.late);
  const amount = (rows: Bill[]) => total(rows.map((bill) => bill.amount_paise));
  const open = (rows: Bill[]) => total(rows.map((bill) => bill.open));
  const share = (is: (bill: Bill) => boolean) =>
    due_180.length === 0 ? null : count(due_180, is) / due_180.length;
  const over_180 = (value: () => number) => (due_180.length === 0 ? null : value());
  const partial = due_180.filter((bill) => bill.partial);
  const very_late = bills.filter((bill) => bill.due <= t && bill.late >= 15);
  const overdue = bills.filter((bill) => bill.settled === null && bill.due < t);
  const known = statement.payments.filter(
    (p) =>
      p.paid_day <= t &&
      p.paid_day > t - 180 &&
      bills.some((bill) => bill.distributor_id === p.distributor_id && bill.invoice_id === p.invoice_id),
  );
  return {
    avg_payment_delay_days: over_180(() => mean(late)),
    wavg_delay_180: over_180(() => total(due_180.map((b) => b.late * b.amount_paise)) / amount(due_180)),
    avg_delay_90: due_90.length === 0 ? null : mean(due_90.map((bill) => bill.late)),
    p90_payment_delay_days: over_180(() => percentile(late, 0.9)),
    max_delay_180: over_180(() => Math.max(...late)),
    worst_delay_365: due_365.length === 0 ? null : Math.max(...due_365.map((bill) => bill.late)),
    delay_std_180: due_180.length < 3 ? null : sd(late),
    zero_delay_rate: share((bill) => bill.late === 0),
    ontime_share_180: share((bill) => bill.late <= 3),
    late15_share_180: share((bill) => bill.late >= 15),
    days_since_late15: Math.min(365, t - Math.max(...very_late.map((bill) => bill.end))),
    partial_payment_freq: share((bill) => bill.partial),
    partial_payment_ratio: over_180(() =>
      partial.length === 0
        ? 1
        : percentile(
            partial.map((bill) => bill.paid / bill.amount_paise),
            0.5,
          ),
    ),
    max_consecutive_delays:
      due_365.length === 0
        ? null
        : Math.max(
            ...due_365
              .map((bill) => (bill.late > 0 ? "x" : " "))
              .join("")
              .split(" ")
              .map((run) => run.length),
          ),
    overdue_share: open(bills) > 0 ? open(overdue) / open(bills) : 0,
    oldest_overdue_days: Math.max(0, ...overdue.map((bill) => t - bill.due)),
    collect_ratio_90:
      due_90.length === 0 ? null : amount(due_90.filter((bill) => bill.settled !== null)) / amount(due_90),
    bounce_rate_180: known.length === 0 ? 0 : count(known, (p) => p.bounced) / known.length,
  };
}

/** Credit notes of the statement dated up to t. */
type Notes = StatementInvoice[];

function orderFamily(bills: Bill[], notes: Notes, t: number, first_day: number) {
  const months = Math.min(6, monthOf(t) - monthOf(first_day) + 1);
  const recent = bills.filter((bill) => bill.invoice_day > t - 180);
  const days = [...new Set(recent.map((bill) => bill.invoice_day))].sort((a, b) => a - b);
  const gaps = days.slice(1).map((day, k) => day - days[k]!);
  const in_year = (row: StatementInvoice) => row.invoice_day > monthsBefore(t, 12);
  const year = bills.filter(in_year);
  const returned = notes.filter(in_year);
  const value = (rows: StatementInvoice[]) => total(rows.map((row) => row.amount_paise));
  const amounts = recent.map((bill) => bill.amount_paise);
  return {
    monthly_order_frequency: count(bills, (bill) => monthOf(bill.invoice_day) > monthOf(t) - months) / months,
    order_gap_median_days: days.length < 3 ? null : percentile(gaps, 0.5),
    order_gap_cv: days.length < 4 ? null : sd(gaps) / mean(gaps),
    return_rate_pct: year.length === 0 ? null : (100 * value(returned)) / value(year),
    return_freq_pct: year.length === 0 ? null : (100 * returned.length) / year.length,
    gmv_per_order_cv: recent.length < 3 ? null : sd(amounts) / mean(amounts),
  };
}

function monthlyFamilies(bills: Bill[], notes: Notes, t: number, first_day: number, window_day: number) {
  const tenure = monthOf(t) - monthOf(first_day);
  const months_end = monthOf(t + 1);
  const valueIn = (rows: StatementInvoice[], month: number) =>
    total(rows.filter((row) => monthOf(row.invoice_day) === month).map((row) => row.amount_paise));
  const gmv = remembered((month) => valueIn(bills, month) - valueIn(notes, month));
  const orders = remembered((month) => count(bills, (bill) => monthOf(bill.invoice_day) === month));
  /** The last n complete months since the first invoice's. */
  const last = (n: number) => range(Math.max(months_end - n, monthOf(first_day)), months_end);
  const m12 = last(12);
  const year = m12.map(gmv);
  const year_mean = m12.length === 0 ? 0 : mean(year);
  const year_orders = m12.map(orders);
  const earlier = total(range(months_end - 24, months_end - 12).map(gmv));
  const active_m12 = count(year_orders, (n) => n > 0);
  const in_days = (from: number, to: number) =>
    count(bills, (bill) => bill.invoice_day > t - from && bill.invoice_day <= t - to);

  const m24 = last(24);
  const windows = m24.slice(2).map((_, k) => mean(m24.slice(k, k + 3).map(gmv)));
  const lowest = Math.min(...windows);
  const amplitude = tenure < 18 ? null : lowest <= 0 ? 20 : Math.min(20, Math.max(...windows) / lowest);
  const lowest_at = windows.indexOf(lowest);
  const after = m24.slice(lowest_at + 3, lowest_at + 6).map(gmv);
  const recovery =
    tenure < 18 || after.length === 0 || year_mean <= 0
      ? null
      : Math.min(2, Math.max(0, mean(after) / year_mean));

  const weak = [...m12].sort((a, b) => gmv(a) - gmv(b) || a - b).slice(0, 6);
  const late_in = (months: number[]) =>
    bills.filter((bill) => months.includes(monthOf(bill.due))).map((bill) => bill.late);
  const weak_late = late_in(weak);
  const strong_late = late_in(m12.filter((month) => !weak.includes(month)));

  const since_start = range(Math.max(monthOf(first_day), monthOf(window_day)), months_end);
  const active = since_start.filter((month) => orders(month) > 0);
  const intervals = active.slice(1).map((month, k) => month - active[k]!);
  const active_orders = active.map(orders);
  const is_sparse =
    tenure >= 6 &&
    ((tenure >= 12 && active_m12 < 6) ||
      (active.length >= 2 &&
        mean(intervals) > 1.32 &&
        (sd(active_orders) / mean(active_orders)) ** 2 > 0.49) ||
      (amplitude !== null && amplitude >= 10));
  return {
    gmv_trend_slope: tenure < 6 || year_mean <= 0 ? null : relativeSlope(year),
    gmv_3m_vs_12m_ratio: year_mean <= 0 ? null : mean(year.slice(-3)) / year_mean,
    gmv_yoy_growth: tenure < 24 || earlier <= 0 ? null : Math.min(3, Math.max(-1, total(year) / earlier - 1)),
    active_months_pct: tenure === 0 ? 0 : Math.min(100, (100 * active_m12) / Math.min(12, tenure)),
    invoice_count_trend: tenure < 6 || mean(year_orders) === 0 ? null : relativeSlope(year_orders),
    avg_monthly_gmv_log: Math.log(1 + Math.max(0, year_mean / 100)),
    freq_trend: t - first_day < 150 ? null : Math.log((in_days(90, 0) + 1) / (in_days(180, 90) + 1)),
    seasonal_amplitude: amplitude,
    seasonal_recovery_rate: recovery,
    off_season_payment_delay:
      tenure < 12 || weak_late.length === 0 || strong_late.length === 0
        ? null
        : mean(weak_late) - mean(strong_late),
    croston_demand_rate: is_sparse ? croston(since_start.map(orders)) : null,
    inter_demand_cv: active.length < 3 ? null : sd(intervals) / mean(intervals),
    distributor_tenure_months: tenure,
  };
}

function croston(demands: number[]): number {
  const at = range(0, demands.length).filter((k) => demands[k]! > 0);
  if (at.length === 0) return 0;
  const smoothed = (values: number[]) => values.reduce((level, value) => level + 0.1 * (value - level));
  const z = smoothed(at.map((k) => demands[k]!));
  const p = smoothed([at[0]! + 1, ...at.slice(1).map((k, i) => k - at[i]!)]);
  return ((1 - 0.1 / 2) * z) / p;
}

function relationshipFamily(bills: Bill[], t: number) {
  const due_180 = bills.filter((bill) => bill.due <= t && bill.due > t - 180);
  const granted = total(due_180.map((bill) => (bill.due - bill.invoice_day) * bill.amount_paise));
  const used = total(due_180.map((bill) => (bill.end - bill.invoice_day) * bill.amount_paise));
  const open = total(bills.map((bill) => bill.open));
  const billed = total(bills.filter((bill) => bill.invoice_day > t - 180).map((bill) => bill.amount_paise));
  const year = bills.filter((bill) => bill.invoice_day > monthsBefore(t, 12));
  const two_years = bills.filter((bill) => bill.invoice_day > monthsBefore(t, 24));
  return {
    distributor_count: new Set(two_years.map((bill) => bill.distributor_id)).size,
    credit_term_utilization: granted > 0 ? Math.min(10, used / granted) : null,
    outstanding_to_monthly: billed > 0 ? Math.min(12, open / (billed / 6)) : open > 0 ? 12 : null,
    dispute_rate: year.length === 0 ? null : count(year, (bill) => bill.disputed) / year.length,
    recency_days: t - Math.max(...bills.map((bill) => bill.invoice_day)),
  };
}

/** The features of a statement at the end of day t by name; null for a retailer that has no feature row. */
export function naiveFeatures(statement: Statement, t: number): Record<FeatureName, number | null> | null {
  const before_window = monthsBefore(t, 36);
  const bills = statement.invoices
    .filter((row) => !row.is_return && row.invoice_day <= t && row.invoice_day > before_window)
    .map((invoice) => billOf(invoice, statement, t));
  if (bills.length === 0) return null;
  const notes = statement.invoices.filter(
    (row) => row.is_return && row.invoice_day <= t && row.invoice_day > before_window,
  );
  const ever = statement.sources.flatMap(({ first_invoice_day }) => first_invoice_day ?? []);
  const first_day = Math.min(...ever.filter((day) => day <= t), ...bills.map((bill) => bill.invoice_day));
  return {
    ...paymentFamily(bills, statement, t),
    ...orderFamily(bills, notes, t, first_day),
    ...monthlyFamilies(bills, notes, t, first_day, before_window + 1),
    ...relationshipFamily(bills, t),
  };
}
