import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PSI_BINS } from "../../src/models/gates.ts";
import { populationStability, psiStatus, scoreBin } from "../../src/models/psi.ts";

const RUNS = { numRuns: 1_000 };
const anyShares = fc
  .array(fc.nat(1_000), { minLength: PSI_BINS, maxLength: PSI_BINS })
  .filter((counts) => counts.some((count) => count > 0))
  .map((counts) => {
    const total = counts.reduce((sum, count) => sum + count, 0);
    return counts.map((count) => count / total);
  });

describe("the population stability index", () => {
  it("is a worked sum", () => {
    // (0.5 - 0.25) ln 2 + (0.5 - 0.75) ln (2 / 3)
    expect(populationStability([0.5, 0.5], [0.25, 0.75])).toBeCloseTo(0.274653072, 9);
  });

  it("is 0 for equal distributions and never negative", () => {
    fc.assert(
      fc.property(anyShares, anyShares, (a, b) => {
        expect(populationStability(a, a)).toBe(0);
        expect(populationStability(a, b)).toBeGreaterThanOrEqual(0);
      }),
      RUNS,
    );
  });

  it("is symmetric", () => {
    fc.assert(
      fc.property(anyShares, anyShares, (a, b) => {
        expect(populationStability(a, b)).toBeCloseTo(populationStability(b, a), 12);
      }),
      RUNS,
    );
  });

  it("grows as scores move further away from the base", () => {
    const step = fc.double({ min: 0.01, max: 0.99, noNaN: true });
    fc.assert(
      fc.property(anyShares, anyShares, step, step, (base, target, s, t) => {
        const moved = (part: number) => base.map((share, bin) => share + part * (target[bin]! - share));
        const [near, far] = [Math.min(s, t), Math.max(s, t)];
        expect(populationStability(moved(near), base)).toBeLessThanOrEqual(
          populationStability(moved(far), base) + 1e-12,
        );
      }),
      RUNS,
    );
  });

  it("stays finite where a bin is empty", () => {
    expect(populationStability([1, 0], [0, 1])).toBeCloseTo(2 * (1 - 1e-4) * Math.log(1e4), 9);
    expect(() => populationStability([1], [0.5, 0.5])).toThrow(RangeError);
  });

  it.each([
    [0.0999, "green"],
    [0.1, "amber"],
    [0.2, "amber"],
    [0.2001, "refresh"],
    [0.3, "refresh"],
    [0.3001, "freeze"],
  ])("of %d asks for %s", (psi, status) => expect(psiStatus(psi)).toBe(status));
});

describe("score bins", () => {
  it.each([
    [300, 0],
    [349, 0],
    [350, 1],
    [849, 10],
    [850, 11],
    [900, 11],
  ])("put %d into bin %d", (altscore, bin) => expect(scoreBin(altscore)).toBe(bin));
});
