import type { Contributions } from "./contributions.ts";
import { FEATURE_INDEX, FEATURE_NAMES, type FeatureName } from "./feature-table.ts";
import { MAX_REASONS_PER_DIRECTION, MIN_NEGATIVE_REASONS, MIN_POSITIVE_REASONS } from "./guardrails.ts";
import {
  type Direction,
  NEGATIVE_RULES,
  NO_DATA_CODE,
  POSITIVE_RULES,
  type ReasonFacts,
  type ReasonRule,
  SPARSE_ONLY_FEATURE,
} from "./reason-table.ts";
import type { Reason, ReplayInputs } from "./types.ts";

/** Less than this in log odds is rounding, not a move. */
const LEAST_MOVE = 1e-6;

interface Candidate {
  code: string;
  size: number;
}

function factsOf(inputs: ReplayInputs): ReasonFacts {
  const { features, history, longest_gap_days } = inputs;
  return { value: (name) => features[FEATURE_INDEX[name]]!, history, longest_gap_days };
}

/** How far an aspect's features together moved the log odds; what is missing is not the retailer's doing. */
function moved(aspect: readonly FeatureName[], facts: ReasonFacts, contributions: Contributions): number {
  let sum = 0;
  for (const name of aspect) {
    if (!isMissing(name, facts)) sum += contributions.features[FEATURE_INDEX[name]]!;
  }
  return sum;
}

/** The rules whose statement is true and of which an aspect moved the log odds in direction `sign`, by the most. */
function candidates(
  rules: readonly ReasonRule[],
  sign: 1 | -1,
  facts: ReasonFacts,
  contributions: Contributions,
): Candidate[] {
  return rules.flatMap(({ code, aspects, holds }) => {
    const size = Math.max(...aspects.map((aspect) => sign * moved(aspect, facts, contributions)));
    return size >= LEAST_MOVE && holds(facts) ? [{ code, size }] : [];
  });
}

/** Whether a value could not be computed for lack of data. */
function isMissing(name: FeatureName, facts: ReasonFacts): boolean {
  return facts.value(name) === null && name !== SPARSE_ONLY_FEATURE;
}

/** What the missing values and the allowance for them added to the risk. */
function missingData(facts: ReasonFacts, contributions: Contributions): Candidate[] {
  let size = contributions.uncertainty;
  for (const name of FEATURE_NAMES) {
    if (isMissing(name, facts)) size += contributions.features[FEATURE_INDEX[name]]!;
  }
  return size >= LEAST_MOVE ? [{ code: NO_DATA_CODE, size }] : [];
}

/** Largest first; equal sizes by code, so that the order never depends on the table's. */
function ranked(found: Candidate[], direction: Direction): Reason[] {
  return found
    .sort((a, b) => b.size - a.size || (a.code < b.code ? -1 : 1))
    .slice(0, MAX_REASONS_PER_DIRECTION)
    .map(({ code }, i) => ({ code, direction, rank: i + 1 }));
}

/**
 * The reasons of a score (scoring.md §7): a code is given if its statement is true of the data and the contributions
 * of one of its groups of features moved this score, summed, in its direction. What a null value contributed counts towards the missing
 * data, not towards a statement about behaviour. Null when fewer than 3 positive or 2 negative ones are true.
 */
export function reasonsFor(inputs: ReplayInputs, contributions: Contributions): Reason[] | null {
  const facts = factsOf(inputs);
  const positive = candidates(POSITIVE_RULES, -1, facts, contributions);
  const negative = candidates(NEGATIVE_RULES, 1, facts, contributions);
  negative.push(...missingData(facts, contributions));
  if (positive.length < MIN_POSITIVE_REASONS || negative.length < MIN_NEGATIVE_REASONS) return null;
  return [...ranked(positive, "positive"), ...ranked(negative, "negative")];
}
