import type { LedgerView } from "./settlement.ts";
import type { PaymentHistory } from "./types.ts";

const CLOSE_TO_DUE_DAYS = 7;

/** How the bills of a statement were paid that fell due by its day, over the whole window. */
export function paymentHistory(view: LedgerView): PaymentHistory {
  let due = 0;
  let close = 0;
  let no_delay = 0;
  let at_once = 0;
  for (let i = 0; i < view.count; i++) {
    if (view.due_day[i]! > view.as_of_day) continue;
    due++;
    if (view.late_days[i]! <= CLOSE_TO_DUE_DAYS) close++;
    if (view.late_days[i]! === 0) no_delay++;
    if (view.settled[i] === 1 && view.partially_paid[i] === 0) at_once++;
  }
  const share = (count: number) => (due === 0 ? 0 : count / due);
  return {
    close_to_due_share: share(close),
    no_delay_share: share(no_delay),
    paid_at_once_share: share(at_once),
  };
}
