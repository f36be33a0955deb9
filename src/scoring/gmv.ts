import { minusMonths } from "./calendar.ts";
import { completeMonths, type MonthlySeries } from "./monthly.ts";
import type { LedgerView } from "./settlement.ts";

const LIMIT_MONTHS = 6;
const BEST_OF_MONTHS = 24;

/** Invoices minus credit notes dated in the six calendar months up to the as-of day; paise, may be negative. */
export function trailingGmv(view: LedgerView): number {
  const after_day = minusMonths(view.as_of_day, LIMIT_MONTHS);
  let paise = 0;
  for (let i = 0; i < view.count; i++) {
    if (view.invoice_day[i]! > after_day) paise += view.amount_paise[i]!;
  }
  for (let i = 0; i < view.note_day.length; i++) {
    if (view.note_day[i]! > after_day) paise -= view.note_paise[i]!;
  }
  return paise;
}

/** The highest net GMV of six months in a row among the last 24 complete ones, at least `trailing_paise`. */
export function bestGmv(series: MonthlySeries, trailing_paise: number): number {
  const { from, to } = completeMonths(series, BEST_OF_MONTHS);
  let best = trailing_paise;
  for (let k = from; k < to; k++) {
    let window = 0;
    for (let m = k; m < Math.min(to, k + LIMIT_MONTHS); m++) window += series.gmv_paise[m]!;
    best = Math.max(best, window);
  }
  return best;
}
