import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRandom } from "../../src/synthetic/random.ts";

const take = (seed: string, count: number): number[] => {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => random.uniform());
};

describe("the seeded random source", () => {
  it("repeats its sequence for the same seed and not for another", () => {
    expect(take("kirana", 50)).toEqual(take("kirana", 50));
    expect(take("kirana", 50)).not.toEqual(take("kirana2", 50));
  });

  it("never changes the sequence of a seed, or every model trained from it would change", () => {
    expect(take("altscore", 3)).toMatchInlineSnapshot(`
      [
        0.9959052235353738,
        0.17760910419747233,
        0.7861571465618908,
      ]
    `);
  });

  it("is uniform: mean 1/2, variance 1/12, and every tenth is hit about equally", () => {
    const values = take("uniform", 100_000);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    const tenths = new Array<number>(10).fill(0);
    for (const value of values) tenths[Math.floor(value * 10)]! += 1;
    expect(mean).toBeCloseTo(0.5, 2);
    expect(variance).toBeCloseTo(1 / 12, 2);
    for (const count of tenths) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });

  it("draws normals of mean 0 and deviation 1, and exponentials of the mean asked for", () => {
    const random = createRandom("shapes");
    const normals = Array.from({ length: 50_000 }, () => random.normal());
    const exponentials = Array.from({ length: 50_000 }, () => random.exponential(3));
    const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(Math.abs(mean(normals))).toBeLessThan(0.02);
    expect(Math.sqrt(mean(normals.map((value) => value ** 2)))).toBeCloseTo(1, 1);
    expect(Math.abs(mean(exponentials) - 3)).toBeLessThan(0.08);
  });

  it("keeps every draw within the limits asked for", () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: -50, max: 50 }), fc.nat(40), (seed, low, width) => {
        const random = createRandom(seed);
        for (let i = 0; i < 50; i++) {
          const integer = random.integer(low, low + width);
          expect(Number.isInteger(integer) && integer >= low && integer <= low + width).toBe(true);
          const real = random.between(low, low + width + 1);
          expect(real >= low && real < low + width + 1).toBe(true);
        }
      }),
    );
  });

  it("chooses as often as the weights say, and refuses to choose from nothing", () => {
    const random = createRandom("weights");
    const draws = Array.from({ length: 20_000 }, () =>
      random.weighted([
        ["a", 3],
        ["b", 1],
        ["never", 0],
      ]),
    );
    expect(Math.abs(draws.filter((draw) => draw === "a").length - 15_000)).toBeLessThan(300);
    expect(draws).not.toContain("never");
    expect(() => random.weighted([])).toThrow(RangeError);
  });
});
