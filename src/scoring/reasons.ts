import type { Contributions } from "./contributions.ts";
import { FEATURE_INDEX } from "./feature-table.ts";
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
  opposite?: string | undefined;
  size: number;
}

/** A rule with its features as positions in the feature table: every aspect, and every feature on its own. */
interface CompiledRule extends ReasonRule {
  at: readonly (readonly number[])[];
  each_at: readonly (readonly number[])[];
}

function compiled(rules: readonly ReasonRule[]): CompiledRule[] {
  return rules.map((rule) => {
    const at = rule.aspects.map((aspect) => aspect.map((name) => FEATURE_INDEX[name]));
    return { ...rule, at, each_at: at.flat().map((position) => [position]) };
  });
}

const POSITIVE = compiled(POSITIVE_RULES);
const NEGATIVE = compiled(NEGATIVE_RULES);
const SPARSE_ONLY_AT = FEATURE_INDEX[SPARSE_ONLY_FEATURE];

function factsOf(inputs: ReplayInputs, features = inputs.features): ReasonFacts {
  const { history, longest_gap_days } = inputs;
  return { value: (name) => features[FEATURE_INDEX[name]]!, history, longest_gap_days };
}

/** What a score's reasons are found from. */
interface Evidence {
  features: ReplayInputs["features"];
  facts: ReasonFacts;
  /** The facts with the payment history of 60 days ago, if that moved the score as well. */
  past_facts: ReasonFacts | null;
  contributions: Contributions;
}

function isTrue(rule: ReasonRule, { facts, past_facts }: Evidence): boolean {
  return rule.holds(facts) || (rule.of_the_past === true && past_facts !== null && rule.holds(past_facts));
}

/** Whether a value could not be computed for lack of data. */
function isMissing(at: number, { features }: Evidence): boolean {
  return features[at] === null && at !== SPARSE_ONLY_AT;
}

/**
 * The most that one of some groups of features together moved the log odds in direction `sign`; what is missing is
 * not the retailer's doing.
 */
function mostMoved(groups: readonly (readonly number[])[], sign: 1 | -1, evidence: Evidence): number {
  let most = Number.NEGATIVE_INFINITY;
  for (const group of groups) {
    let sum = 0;
    for (const at of group) if (!isMissing(at, evidence)) sum += evidence.contributions.features[at]!;
    most = Math.max(most, sign * sum);
  }
  return most;
}

/** The rules whose statement is true and of which an aspect moved the log odds in direction `sign`, by the most. */
function candidates(rules: readonly CompiledRule[], sign: 1 | -1, evidence: Evidence): Candidate[] {
  const found: Candidate[] = [];
  for (const rule of rules) {
    const { code, opposite } = rule;
    const size = mostMoved(rule.at, sign, evidence);
    if (size >= LEAST_MOVE && isTrue(rule, evidence)) found.push({ code, opposite, size });
  }
  return found;
}

/** Without those whose opposite moved the score by more: the two must not both be said. */
function uncontradicted(found: readonly Candidate[], others: readonly Candidate[]): Candidate[] {
  return found.filter((one) => {
    const contradiction = others.find((other) => other.code === one.opposite);
    return contradiction === undefined || bySizeThenCode(one, contradiction) < 0;
  });
}

/**
 * Adds what is needed to reach `least` reasons from the rules that only lean, by the largest move of a single
 * feature: a group's sum may hide a feature that did move the score. What contradicts the others is left out.
 */
function filledUp(
  found: Candidate[],
  others: readonly Candidate[],
  least: number,
  rules: readonly CompiledRule[],
  sign: 1 | -1,
  evidence: Evidence,
): Candidate[] {
  if (found.length >= least) return found;
  const given = (candidates: readonly Candidate[], code: string | undefined) =>
    candidates.some((candidate) => candidate.code === code);
  const more: Candidate[] = [];
  for (const rule of rules) {
    const { code, opposite } = rule;
    if (given(found, code) || given(others, opposite)) continue;
    const size = mostMoved(rule.each_at, sign, evidence);
    if (size >= LEAST_MOVE && rule.leans(evidence.facts)) more.push({ code, opposite, size });
  }
  return [...found, ...more.sort(bySizeThenCode).slice(0, least - found.length)];
}

/** What the missing values and the allowance for them added to the risk. */
function missingData(evidence: Evidence): Candidate[] {
  let size = evidence.contributions.uncertainty;
  for (let at = 0; at < evidence.features.length; at++) {
    if (isMissing(at, evidence)) size += evidence.contributions.features[at]!;
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
 * missing data, not towards a statement about behaviour. `long_features`: the vector with the payment history of 60
 * days ago, if the contributions are weighed with it. Null when even so fewer than 3 positive or 2 negative ones are
 * found.
 */
export function reasonsFor(
  inputs: ReplayInputs,
  contributions: Contributions,
  long_features: ReplayInputs["features"] | null,
): Reason[] | null {
  const past_facts = long_features === null ? null : factsOf(inputs, long_features);
  const evidence = { features: inputs.features, facts: factsOf(inputs), past_facts, contributions };
  const praised = candidates(POSITIVE, -1, evidence);
  const blamed = [...candidates(NEGATIVE, 1, evidence), ...missingData(evidence)];
  const praise = uncontradicted(praised, blamed);
  const blame = uncontradicted(blamed, praised);
  const positive = filledUp(praise, blame, MIN_POSITIVE_REASONS, POSITIVE, -1, evidence);
  const negative = filledUp(blame, positive, MIN_NEGATIVE_REASONS, NEGATIVE, 1, evidence);
  if (positive.length < MIN_POSITIVE_REASONS || negative.length < MIN_NEGATIVE_REASONS) return null;
  return [...ranked(positive, "positive"), ...ranked(negative, "negative")];
}
