import { createRandom } from "../src/synthetic/random.ts";

/** One scored case: higher `risk` should mean `bad`. `group` is what the bootstrap resamples as a whole. */
export interface Case {
  group: string;
  bad: boolean;
  risk: number;
}

/** A figure and its 95 % interval; NaN where one of the classes is absent. */
export interface Estimate {
  value: number;
  low: number;
  high: number;
}

/** How well one risk measure tells the bad cases from the others. */
export interface Discrimination {
  /** The chance that a bad case has the higher risk, ties counted half. */
  auroc: Estimate;
  /** Largest gap between the two classes' distributions of risk (Kolmogorov and Smirnov). */
  ks: Estimate;
}

export const SAMPLES = 2000;

/** A risk measure's cases in order of risk, ready to be weighed again and again. */
interface Ranking {
  /** 1 where the case is bad; position of the case's group; 1 where the next case has a higher risk. */
  bad: Uint8Array;
  group: Int32Array;
  ends_tie: Uint8Array;
}

function rankingOf(cases: readonly Case[], groups: ReadonlyMap<string, number>): Ranking {
  const sorted = cases.toSorted((a, b) => a.risk - b.risk);
  return {
    bad: Uint8Array.from(sorted, (item) => (item.bad ? 1 : 0)),
    group: Int32Array.from(sorted, (item) => groups.get(item.group)!),
    ends_tie: Uint8Array.from(sorted, (item, i) => (item.risk === sorted[i + 1]?.risk ? 0 : 1)),
  };
}

/** AUROC and KS of a ranking whose groups count so many times each. */
function measure({ bad, group, ends_tie }: Ranking, weight: Float64Array): { auroc: number; ks: number } {
  let all_bad = 0;
  let all_good = 0;
  for (let i = 0; i < bad.length; i++) {
    if (bad[i] === 1) all_bad += weight[group[i]!]!;
    else all_good += weight[group[i]!]!;
  }
  let good = 0;
  let seen_bad = 0;
  let good_here = 0;
  let bad_here = 0;
  let wins = 0;
  let ks = 0;
  for (let i = 0; i < bad.length; i++) {
    if (bad[i] === 1) bad_here += weight[group[i]!]!;
    else good_here += weight[group[i]!]!;
    if (ends_tie[i] === 0) continue;
    wins += bad_here * (good + good_here / 2);
    good += good_here;
    seen_bad += bad_here;
    ks = Math.max(ks, good / all_good - seen_bad / all_bad);
    good_here = 0;
    bad_here = 0;
  }
  const defined = all_bad > 0 && all_good > 0;
  return { auroc: defined ? wins / (good * seen_bad) : Number.NaN, ks: defined ? ks : Number.NaN };
}

const percentile = (ascending: readonly number[], q: number): number =>
  ascending.length === 0 ? Number.NaN : ascending[Math.round(q * (ascending.length - 1))]!;

function withInterval(value: number, drawn: readonly number[]): Estimate {
  const ascending = drawn.toSorted((a, b) => a - b);
  return { value, low: percentile(ascending, 0.025), high: percentile(ascending, 0.975) };
}

/**
 * AUROC and KS of several risk measures over the same cases, and the AUROC of the first minus each other one's, with
 * percentile intervals from resampling whole groups. All measures see the same samples.
 */
export function compareMeasures(
  measures: readonly (readonly Case[])[],
  seed: string,
): { measures: Discrimination[]; differences: Estimate[] } {
  const random = createRandom(seed);
  const groups = new Map<string, number>();
  for (const { group } of measures[0] ?? []) if (!groups.has(group)) groups.set(group, groups.size);
  const rankings = measures.map((cases) => rankingOf(cases, groups));
  const drawn: { auroc: number; ks: number }[][] = measures.map(() => []);
  for (let i = 0; i < SAMPLES && groups.size > 0; i++) {
    const weight = new Float64Array(groups.size);
    for (let k = 0; k < groups.size; k++) weight[random.integer(0, groups.size - 1)]!++;
    const found = rankings.map((ranking) => measure(ranking, weight));
    if (found.some(({ auroc }) => Number.isNaN(auroc))) continue;
    for (const [m, value] of found.entries()) drawn[m]!.push(value);
  }
  const once = new Float64Array(groups.size).fill(1);
  const values = rankings.map((ranking) => measure(ranking, once));
  const aurocs = drawn.map((samples) => samples.map(({ auroc }) => auroc));
  return {
    measures: values.map(({ auroc, ks }, m) => ({
      auroc: withInterval(auroc, aurocs[m]!),
      ks: withInterval(
        ks,
        drawn[m]!.map((sample) => sample.ks),
      ),
    })),
    differences: values.slice(1).map(({ auroc }, m) =>
      withInterval(
        values[0]!.auroc - auroc,
        aurocs[0]!.map((first, i) => first - aurocs[m + 1]![i]!),
      ),
    ),
  };
}
