import forestFile from "../../models/anomaly.json" with { type: "json" };
import {
  BASELINE_DAYS,
  BEHAVIOUR_MEASURES,
  baselineDays,
  behaviourOf,
  MIN_BASELINE_DAYS,
} from "./behaviour.ts";
import {
  ANOMALY_FOREST_SHA256,
  type Guardrail,
  RECENT_DAYS,
  RETURNED_SHARE,
  RETURNED_TIMES_USUAL,
  VELOCITY_SIGMAS,
} from "./guardrails.ts";
import { type CompiledForest, compileForest, isolationScore } from "./isolation-forest.ts";
import type { LedgerView } from "./settlement.ts";
import { mean, populationSd } from "./stats.ts";
import type { AnomalyFacts, GuardrailEntry } from "./types.ts";

/** Velocity looks at 30 days at a time: two blocks of recent days beside the blocks of the baseline. */
const BLOCK_DAYS = 30;
const RECENT_BLOCKS = RECENT_DAYS / BLOCK_DAYS;
const BLOCKS = RECENT_BLOCKS + BASELINE_DAYS / BLOCK_DAYS;
/** However even a baseline was, its spread counts as at least this share of its mean value. */
const MIN_VALUE_SPREAD = 0.25;
/** Fewer returns than these are no pattern. */
const MIN_RETURNS = 2;

/** Sums by block, the newest first. */
interface BlockTotals {
  orders: Float64Array;
  ordered_paise: Float64Array;
  /** Of the squares of single orders. */
  squares: Float64Array;
  notes: Float64Array;
  returned_paise: Float64Array;
}

function blockTotals(view: LedgerView): BlockTotals {
  const totals: BlockTotals = {
    orders: new Float64Array(BLOCKS),
    ordered_paise: new Float64Array(BLOCKS),
    squares: new Float64Array(BLOCKS),
    notes: new Float64Array(BLOCKS),
    returned_paise: new Float64Array(BLOCKS),
  };
  const blockOf = (day: number) => Math.floor((view.as_of_day - day) / BLOCK_DAYS);
  for (let i = 0; i < view.count; i++) {
    const block = blockOf(view.invoice_day[i]!);
    if (block >= BLOCKS) continue;
    const amount_paise = view.amount_paise[i]!;
    totals.orders[block]! += 1;
    totals.ordered_paise[block]! += amount_paise;
    totals.squares[block]! += amount_paise * amount_paise;
  }
  for (let i = 0; i < view.note_day.length; i++) {
    const block = blockOf(view.note_day[i]!);
    if (block >= BLOCKS) continue;
    totals.notes[block]! += 1;
    totals.returned_paise[block]! += view.note_paise[i]!;
  }
  return totals;
}

/**
 * By how many standard deviations the larger recent block exceeds the baseline's mean. The deviation is that of the
 * difference between one more block and the mean of n (sample variance times 1 + 1/n), so that a short baseline does
 * not look surer than it is, and at least `least_sd`. Null if nothing varies.
 */
function excessSigmas(blocks: Float64Array, baseline_end: number, least_sd: number): number | null {
  const baseline = blocks.subarray(RECENT_BLOCKS, baseline_end);
  const n = baseline.length;
  const sd = Math.max(least_sd, populationSd(baseline) * Math.sqrt((n / (n - 1)) * (1 + 1 / n)));
  return sd > 0 ? (Math.max(blocks[0]!, blocks[1]!) - mean(baseline)) / sd : null;
}

/** Order velocity; both null without a baseline. */
function velocityOf(
  { orders, ordered_paise, squares }: BlockTotals,
  baseline_days: number,
): Pick<AnomalyFacts, "order_count_sigmas" | "order_value_sigmas"> {
  if (baseline_days < MIN_BASELINE_DAYS) return { order_count_sigmas: null, order_value_sigmas: null };
  const end = RECENT_BLOCKS + Math.floor(baseline_days / BLOCK_DAYS);
  const usual = (blocks: Float64Array) => mean(blocks.subarray(RECENT_BLOCKS, end));
  // Orders that come by chance vary in number by the square root of their mean (Poisson), and in value by that of the
  // mean sum of their squares (compound Poisson).
  const least_count_sd = Math.max(1, Math.sqrt(usual(orders)));
  const least_value_sd = Math.max(MIN_VALUE_SPREAD * usual(ordered_paise), Math.sqrt(usual(squares)));
  return {
    order_count_sigmas: excessSigmas(orders, end, least_count_sd),
    order_value_sigmas: excessSigmas(ordered_paise, end, least_value_sd),
  };
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Returned over invoiced value of the last 60 days and of the baseline before them. */
function returnsOf({
  ordered_paise,
  notes,
  returned_paise,
}: BlockTotals): Pick<AnomalyFacts, "returned_share_60d" | "returned_share_before"> {
  const recent_paise = sum(ordered_paise.subarray(0, RECENT_BLOCKS));
  const before_paise = sum(ordered_paise.subarray(RECENT_BLOCKS));
  const is_pattern = recent_paise > 0 && sum(notes.subarray(0, RECENT_BLOCKS)) >= MIN_RETURNS;
  return {
    returned_share_60d: is_pattern ? sum(returned_paise.subarray(0, RECENT_BLOCKS)) / recent_paise : null,
    returned_share_before:
      before_paise > 0 ? sum(returned_paise.subarray(RECENT_BLOCKS)) / before_paise : null,
  };
}

/** Facts behind guardrail 2 from the ledger: the last 60 days against the retailer's own past. */
export function anomalyFacts(view: LedgerView): AnomalyFacts {
  const totals = blockTotals(view);
  return {
    ...velocityOf(totals, baselineDays(view)),
    ...returnsOf(totals),
    behaviour: behaviourOf(view),
  };
}

function entry(guardrail: Guardrail, effect: string): GuardrailEntry {
  return { guardrail, effect };
}

/** Trail entries of the two rules, velocity and orders that go back. */
export function ruleAnomalies(facts: AnomalyFacts): GuardrailEntry[] {
  const found: GuardrailEntry[] = [];
  const velocity = Math.max(facts.order_count_sigmas ?? 0, facts.order_value_sigmas ?? 0);
  if (velocity > VELOCITY_SIGMAS)
    found.push(entry("anomaly_velocity", "orders far above the usual: flagged"));
  const returned = facts.returned_share_60d ?? 0;
  const usual = facts.returned_share_before ?? 0;
  if (returned >= RETURNED_SHARE && returned > RETURNED_TIMES_USUAL * usual) {
    found.push(entry("anomaly_order_then_return", "recent orders largely returned: flagged"));
  }
  return found;
}

let forest: CompiledForest | undefined;

/** The shipped forest, verified and compiled at first use. */
export function anomalyForest(): CompiledForest {
  forest ??= compileForest(forestFile, ANOMALY_FOREST_SHA256, BEHAVIOUR_MEASURES);
  return forest;
}

/** The forest's entry: behaviour that is isolated early, or that cannot be compared although there is a baseline. */
function forestAnomalies({ behaviour }: AnomalyFacts): GuardrailEntry[] {
  if (behaviour === null) return [];
  const { flag_above } = anomalyForest();
  const score = isolationScore(anomalyForest(), behaviour);
  if (score === null)
    return [entry("anomaly_isolation_forest", "nothing to compare recent orders with: flagged")];
  if (score <= flag_above) return [];
  const effect = `isolation score ${score.toFixed(3)} above ${flag_above.toFixed(3)}: flagged`;
  return [entry("anomaly_isolation_forest", effect)];
}

/** Trail entries of the anomalies that the facts show; an empty list is no anomaly. */
export function anomalies(facts: AnomalyFacts): GuardrailEntry[] {
  return [...ruleAnomalies(facts), ...forestAnomalies(facts)];
}
