import { ledgerView } from "../src/scoring/settlement.ts";
import type { Statement } from "../src/scoring/types.ts";

/** Days past due that count as bad, and the days after the as_of date that are looked at (scoring.md §5). */
export const BAD_DAYS = 30;
export const WINDOW_DAYS = 90;
/** Bad only from this share of average monthly billing on. */
const BAD_BILLING_SHARE = 0.05;
const MONTH_DAYS = 30.4375;

/** What became of a retailer in the WINDOW_DAYS after an as_of day. */
export interface Outcome {
  /** Some invoice, unsettled at the as_of day or issued later, could reach BAD_DAYS in the window. */
  at_risk: boolean;
  /** Some invoice was BAD_DAYS or more past due, and unsettled, at the as_of day itself. */
  already_bad: boolean;
  /** Some invoice was BAD_DAYS or more past due on a day of the window. */
  any_bad: boolean;
  /** As any_bad, but the invoice passed BAD_DAYS in the window itself: not already bad at its start. */
  newly_bad: boolean;
  /** Some invoice due in the window was, or by its end is known to be, BAD_DAYS or more late. */
  due_in_window_bad: boolean;
  /** The definition of PD: invoices worth 5 % of average monthly billing were bad on one day of the window. */
  defaulted: boolean;
}

/** Mean monthly billing in paise of the year up to a day; over the months since the first invoice if fewer. */
function monthlyBilling(statement: Statement, as_of_day: number): number {
  let first_day = as_of_day;
  let billed_paise = 0;
  for (const invoice of statement.invoices) {
    if (invoice.is_return || invoice.invoice_day > as_of_day) continue;
    first_day = Math.min(first_day, invoice.invoice_day);
    if (invoice.invoice_day > as_of_day - 365) billed_paise += invoice.amount_paise;
  }
  return billed_paise / Math.min(12, Math.max(1, (as_of_day - first_day) / MONTH_DAYS));
}

/**
 * Looks `as_of_day` + WINDOW_DAYS back on what happened since. `known` is the retailer's statement at the end of
 * `known_day` (the window's end or later). An invoice paid on its 30th day late counts as 30 days late. `bad_days`
 * takes the place of BAD_DAYS.
 */
export function outcomeOf(
  known: Statement,
  as_of_day: number,
  known_day: number,
  bad_days = BAD_DAYS,
): Outcome {
  const outcome: Outcome = {
    at_risk: false,
    already_bad: false,
    any_bad: false,
    newly_bad: false,
    due_in_window_bad: false,
    defaulted: false,
  };
  const view = ledgerView(known, known_day);
  if (view === null) return outcome;
  const window_end_day = as_of_day + WINDOW_DAYS;
  const bad: { first_day: number; last_day: number; owed_paise: number }[] = [];
  for (let i = 0; i < view.count; i++) {
    const settled = view.settled[i] === 1;
    if (settled && view.end_day[i]! <= as_of_day) continue;
    const bad_day = view.due_day[i]! + bad_days;
    const turned_bad = view.end_day[i]! >= bad_day;
    if (view.due_day[i]! > as_of_day && view.due_day[i]! <= window_end_day && turned_bad) {
      outcome.due_in_window_bad = true;
    }
    if (bad_day > window_end_day) continue;
    outcome.at_risk = true;
    if (!turned_bad) continue;
    outcome.any_bad = true;
    if (bad_day > as_of_day) outcome.newly_bad = true;
    else outcome.already_bad = true;
    bad.push({
      first_day: Math.max(bad_day, as_of_day + 1),
      last_day: settled ? view.end_day[i]! : Number.POSITIVE_INFINITY,
      owed_paise: settled ? view.amount_paise[i]! : view.open_paise[i]!,
    });
  }
  // What stands bad can only grow on a day on which some invoice turns bad.
  const worst_paise = bad.reduce((worst, { first_day }) => {
    const standing = bad.filter((span) => span.first_day <= first_day && span.last_day >= first_day);
    const sum_paise = standing.reduce((sum, span) => sum + span.owed_paise, 0);
    return Math.max(worst, sum_paise);
  }, 0);
  outcome.defaulted = outcome.any_bad && worst_paise >= BAD_BILLING_SHARE * monthlyBilling(known, as_of_day);
  return outcome;
}
