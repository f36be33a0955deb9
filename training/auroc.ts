import { createRandom } from "../src/synthetic/random.ts";

/** One scored case: higher `risk` should mean `bad`. `group` is what the bootstrap resamples as a whole. */
export interface Case {
  group: string;
  bad: boolean;
  risk: number;
}

/** An area under the ROC curve and its 95 % interval; NaN where one of the classes is absent. */
export interface AurocEstimate {
  value: number;
  low: number;
  high: number;
}

const SAMPLES = 2000;

/** Area under the ROC curve: the chance that a bad case has the higher risk, ties counted half. */
export function auroc(cases: readonly Case[]): number {
  const sorted = [...cases].sort((a, b) => a.risk - b.risk);
  let good = 0;
  let bad = 0;
  let wins = 0;
  for (let from = 0; from < sorted.length; ) {
    let to = from;
    let good_here = 0;
    let bad_here = 0;
    for (; to < sorted.length && sorted[to]!.risk === sorted[from]!.risk; to++) {
      if (sorted[to]!.bad) bad_here++;
      else good_here++;
    }
    wins += bad_here * (good + good_here / 2);
    good += good_here;
    bad += bad_here;
    from = to;
  }
  return wins / (good * bad);
}

const percentile = (ascending: readonly number[], q: number): number =>
  ascending.length === 0 ? Number.NaN : ascending[Math.round(q * (ascending.length - 1))]!;

/**
 * The AUROC of several risk measures over the same cases, and of the first minus each other one, with percentile
 * intervals from resampling whole groups. All measures see the same samples.
 */
export function compareAuroc(
  measures: readonly (readonly Case[])[],
  seed: string,
): { estimates: AurocEstimate[]; differences: AurocEstimate[] } {
  const random = createRandom(seed);
  const grouped = measures.map((cases) => Map.groupBy(cases, (item) => item.group));
  const groups = [...(grouped[0]?.keys() ?? [])];
  const samples: number[][] = measures.map(() => []);
  for (let i = 0; i < SAMPLES && groups.length > 0; i++) {
    const drawn = groups.map(() => groups[random.integer(0, groups.length - 1)]!);
    const values = grouped.map((by_group) => auroc(drawn.flatMap((group) => by_group.get(group) ?? [])));
    if (values.some(Number.isNaN)) continue;
    for (const [m, value] of values.entries()) samples[m]!.push(value);
  }
  const interval = (value: number, drawn: number[]): AurocEstimate => {
    const ascending = drawn.toSorted((a, b) => a - b);
    return { value, low: percentile(ascending, 0.025), high: percentile(ascending, 0.975) };
  };
  const values = measures.map(auroc);
  return {
    estimates: values.map((value, m) => interval(value, samples[m]!)),
    differences: values.slice(1).map((value, m) =>
      interval(
        values[0]! - value,
        samples[0]!.map((first, i) => first - samples[m + 1]![i]!),
      ),
    ),
  };
}
