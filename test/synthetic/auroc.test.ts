import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Case, compareMeasures } from "../../training/auroc.ts";

const caseOf = (risk: number, bad: boolean, group = `${risk} ${bad}`) => ({ risk, bad, group });
const measured = (cases: Case[]) => compareMeasures([cases], "test").measures[0]!;
const auroc = (cases: Case[]) => measured(cases).auroc.value;

describe("the gap of Kolmogorov and Smirnov", () => {
  it("is 1 for a perfect order, 0 when nothing tells or the order is reversed", () => {
    const ks = (cases: Case[]) => measured(cases).ks.value;
    expect(ks([caseOf(1, false), caseOf(2, true)])).toBe(1);
    expect(ks([caseOf(1, false), caseOf(1, true)])).toBe(0);
    expect(ks([caseOf(2, false), caseOf(1, true)])).toBe(0);
    // Half of the good lie below every bad case.
    expect(ks([caseOf(1, false), caseOf(2, true), caseOf(3, false)])).toBe(0.5);
  });
});

describe("the area under the ROC curve", () => {
  it("is 1 for a perfect order, 0 for its reverse, a half when nothing tells", () => {
    expect(auroc([caseOf(1, false), caseOf(2, true)])).toBe(1);
    expect(auroc([caseOf(2, false), caseOf(1, true)])).toBe(0);
    expect(auroc([caseOf(1, false), caseOf(1, true)])).toBe(0.5);
    expect(auroc([caseOf(1, true)])).toBeNaN();
  });

  it("is the share of bad-good pairs in the right order, ties counted half", () => {
    const cases = fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.boolean()), {
      minLength: 2,
      maxLength: 40,
    });
    fc.assert(
      fc.property(cases, (drawn) => {
        const bad = drawn.filter(([, is_bad]) => is_bad);
        const good = drawn.filter(([, is_bad]) => !is_bad);
        fc.pre(bad.length > 0 && good.length > 0);
        const wins = bad.flatMap(([b]) => good.map(([g]): number => (b > g ? 1 : b === g ? 0.5 : 0)));
        const expected = wins.reduce((sum, win) => sum + win, 0) / wins.length;
        expect(auroc(drawn.map(([risk, is_bad]) => caseOf(risk, is_bad)))).toBeCloseTo(expected, 12);
      }),
    );
  });

  it("has an interval around it that resampling customers gives, and repeats", () => {
    const cases = Array.from({ length: 120 }, (_, i) =>
      caseOf((i * 37) % 50, (i * 37) % 50 > 20 + (i % 25), `c${i}`),
    );
    const flipped = cases.map((item) => ({ ...item, risk: -item.risk }));
    const compared = compareMeasures([cases, flipped], "test");
    const [forward, backward] = compared.measures.map((found) => found.auroc);
    expect(forward!.low).toBeLessThan(forward!.value);
    expect(forward!.high).toBeGreaterThan(forward!.value);
    expect(backward!.value).toBeCloseTo(1 - forward!.value, 12);
    expect(compared.differences[0]!.value).toBeCloseTo(2 * forward!.value - 1, 12);
    expect(compareMeasures([cases, flipped], "test")).toEqual(compared);
  });
});
