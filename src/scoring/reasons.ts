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

/**
 * Adds what is needed to reach `least` reasons from the rules that only lean, by the largest move of a single
 * feature: a group's sum may hide a feature that did move the score.
 */
function filledUp(
  found: Candidate[],
  least: number,
  rules: readonly ReasonRule[],
  sign: 1 | -1,
  facts: ReasonFacts,
  contributions: Contributions,
): Candidate[] {
  if (found.length >= least) return found;
  const given = new Set(found.map((candidate) => candidate.code));
  const single = rules
    .filter((rule) => !given.has(rule.code))
    .map((rule) => ({ ...rule, aspects: rule.aspects.flat().map((name) => [name]), holds: rule.leans }));
  const more = candidates(single, sign, facts, contributions).sort(bySizeThenCode);
  return [...found, ...more.slice(0, least - found.length)];
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
const bySizeThenCode = (a: Candidate, b: Candidate): number => b.size - a.size || (a.code < b.code ? -1 : 1);

function ranked(found: Candidate[], direction: Direction): Reason[] {
  return found
    .sort(bySizeThenCode)
    .slice(0, MAX_REASONS_PER_DIRECTION)
    .map(({ code }, i) => ({ code, direction, rank: i + 1 }));
}

/**
 * The reasons of a score (scoring.md §7): a code is given if its statement is true of the data and the contributions
 * of one of its groups of features moved this score, summed, in its direction. Only where that gives too few,
 * statements that the data lean towards fill up (docs/adr/0006). What a null value contributed counts towards the
 * missing data, not towards a statement about behaviour. Null when even so fewer than 3 positive or 2 negative
 * ones are found.
 */
export function reasonsFor(inputs: ReplayInputs, contributions: Contributions): Reason[] | null {
  const facts = factsOf(inputs);
  const fill = (found: Candidate[], least: number, rules: readonly ReasonRule[], sign: 1 | -1) =>
    filledUp(found, least, rules, sign, facts, contributions);
  const praised = candidates(POSITIVE_RULES, -1, facts, contributions);
  const blamed = [
    ...candidates(NEGATIVE_RULES, 1, facts, contributions),
    ...missingData(facts, contributions),
  ];
  const positive = fill(praised, MIN_POSITIVE_REASONS, POSITIVE_RULES, -1);
  const negative = fill(blamed, MIN_NEGATIVE_REASONS, NEGATIVE_RULES, 1);
  if (positive.length < MIN_POSITIVE_REASONS || negative.length < MIN_NEGATIVE_REASONS) return null;
  return [...ranked(positive, "positive"), ...ranked(negative, "negative")];
}
