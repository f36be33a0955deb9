import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { rankCorrelation } from "../../src/models/rank-correlation.ts";

const RUNS = { numRuns: 1_000 };
const pairs = fc.array(fc.tuple(fc.integer({ min: 300, max: 320 }), fc.integer({ min: 300, max: 320 })), {
  maxLength: 40,
});
const columns = (list: [number, number][]) => [list.map(([a]) => a), list.map(([, b]) => b)] as const;

/** Pearson's correlation of mean ranks, counted one by one. */
function bySlowCounting(left: readonly number[], right: readonly number[]): number {
  const ranks = (values: readonly number[]) =>
    values.map((x) => values.filter((y) => y < x).length + (values.filter((y) => y === x).length + 1) / 2);
  const [a, b] = [ranks(left), ranks(right)];
  const mean = (values: number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
  const [ma, mb] = [mean(a), mean(b)];
  const sum = (of: (i: number) => number) => a.reduce((total, _, i) => total + of(i), 0);
  return (
    sum((i) => (a[i]! - ma) * (b[i]! - mb)) /
    Math.sqrt(sum((i) => (a[i]! - ma) ** 2) * sum((i) => (b[i]! - mb) ** 2))
  );
}

describe("the rank correlation", () => {
  it("gives Spearman's value of a worked example with a tie", () => {
    // Ranks 1 2 3 4 5 and 2 1 3.5 3.5 5.
    expect(rankCorrelation([10, 20, 30, 40, 50], [2, 1, 7, 7, 9])).toBeCloseTo(8.5 / Math.sqrt(10 * 9.5), 12);
  });

  it("equals a slow count of ranks, ties included", () => {
    fc.assert(
      fc.property(pairs, (list) => {
        const [left, right] = columns(list);
        const found = rankCorrelation(left, right);
        if (found === null) expect(new Set(left).size < 2 || new Set(right).size < 2).toBe(true);
        else expect(found).toBeCloseTo(bySlowCounting(left, right), 10);
      }),
      RUNS,
    );
  });

  it("looks at the order only, and turns with it", () => {
    fc.assert(
      fc.property(pairs, (list) => {
        const [left, right] = columns(list);
        const found = rankCorrelation(left, right);
        const stretched = right.map((x) => Math.exp(x / 50));
        expect(rankCorrelation(left, stretched)).toBe(found);
        const turned = rankCorrelation(
          left,
          right.map((x) => -x),
        );
        if (found === null) expect(turned).toBeNull();
        else expect(turned).toBeCloseTo(-found, 12);
      }),
      RUNS,
    );
  });

  it("is not defined over fewer than two values or over a constant", () => {
    expect(rankCorrelation([], [])).toBeNull();
    expect(rankCorrelation([1], [1])).toBeNull();
    expect(rankCorrelation([1, 2, 3], [5, 5, 5])).toBeNull();
    expect(() => rankCorrelation([1], [])).toThrow(RangeError);
  });
});
