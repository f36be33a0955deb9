import { type Guardrail, RETURNED_SHARE, RETURNED_TIMES_USUAL, VELOCITY_SIGMAS } from "./guardrails.ts";
import type { LedgerView } from "./settlement.ts";
import { mean, populationSd } from "./stats.ts";
import type { AnomalyFacts, GuardrailEntry } from "./types.ts";

/** Behaviour of the last 60 days, in two blocks, beside the 12 blocks (about a year) before them. */
const BLOCK_DAYS = 30;
const RECENT_BLOCKS = 2;
const BASELINE_BLOCKS = 12;
/** A baseline of fewer blocks says nothing about what is usual. */
const MIN_BASELINE_BLOCKS = 6;
/** Few orders are uneven by chance: a baseline's spread counts as at least this share of its mean value. */
const MIN_VALUE_SPREAD = 0.25;
/** Fewer returns than these are no pattern. */
const MIN_RETURNS = 2;

/** Block of a day: 0 is the newest, -1 is outside. */
function blockOf(view: LedgerView, day: number): number {
  const block = Math.floor((view.as_of_day - day) / BLOCK_DAYS);
  return block < RECENT_BLOCKS + BASELINE_BLOCKS ? block : -1;
}

/** By how many standard deviations of the baseline the larger recent block exceeds its mean; null if it has none. */
function excessSigmas(
  blocks: Float64Array,
  usable: number,
  least_sd: (average: number) => number,
): number | null {
  const baseline = blocks.subarray(RECENT_BLOCKS, usable);
  const average = mean(baseline);
  const sd = Math.max(populationSd(baseline), least_sd(average));
  return sd > 0 ? (Math.max(blocks[0]!, blocks[1]!) - average) / sd : null;
}

/** Facts behind guardrail 2 from the ledger: order velocity and returns of the last 60 days against the past. */
export function anomalyFacts(view: LedgerView): AnomalyFacts {
  const blocks = RECENT_BLOCKS + BASELINE_BLOCKS;
  const counts = new Float64Array(blocks);
  const values = new Float64Array(blocks);
  const invoiced = [0, 0];
  const returned = [0, 0];
  let recent_returns = 0;
  for (let i = 0; i < view.count; i++) {
    const block = blockOf(view, view.invoice_day[i]!);
    if (block < 0) continue;
    counts[block]! += 1;
    values[block]! += view.amount_paise[i]!;
    invoiced[block < RECENT_BLOCKS ? 0 : 1]! += view.amount_paise[i]!;
  }
  for (let i = 0; i < view.note_day.length; i++) {
    const block = blockOf(view, view.note_day[i]!);
    if (block < 0) continue;
    returned[block < RECENT_BLOCKS ? 0 : 1]! += view.note_paise[i]!;
    if (block < RECENT_BLOCKS) recent_returns++;
  }
  const history_blocks = Math.floor((view.as_of_day - view.first_invoice_day + 1) / BLOCK_DAYS);
  const usable = Math.min(blocks, history_blocks);
  const has_baseline = usable >= RECENT_BLOCKS + MIN_BASELINE_BLOCKS;
  return {
    // Counts vary at least as chance makes them (Poisson), and by one order at the least.
    order_count_sigmas: has_baseline
      ? excessSigmas(counts, usable, (average) => Math.max(1, Math.sqrt(average)))
      : null,
    order_value_sigmas: has_baseline
      ? excessSigmas(values, usable, (average) => MIN_VALUE_SPREAD * average)
      : null,
    returned_share_60d:
      invoiced[0]! > 0 && recent_returns >= MIN_RETURNS ? returned[0]! / invoiced[0]! : null,
    returned_share_before: invoiced[1]! > 0 ? returned[1]! / invoiced[1]! : null,
  };
}

/** Trail entries of the anomalies that the facts show; an empty list is no anomaly. */
export function anomalies(facts: AnomalyFacts): GuardrailEntry[] {
  const found: GuardrailEntry[] = [];
  const flag = (guardrail: Guardrail, effect: string) => found.push({ guardrail, effect });
  const velocity = Math.max(facts.order_count_sigmas ?? 0, facts.order_value_sigmas ?? 0);
  if (velocity > VELOCITY_SIGMAS) flag("anomaly_velocity", "orders far above the usual: flagged");
  const returned = facts.returned_share_60d ?? 0;
  const usual = facts.returned_share_before ?? 0;
  if (returned >= RETURNED_SHARE && returned > RETURNED_TIMES_USUAL * usual) {
    flag("anomaly_order_then_return", "recent orders largely returned: flagged");
  }
  return found;
}
