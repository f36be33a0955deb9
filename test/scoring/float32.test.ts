import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { orderKey } from "../../src/scoring/float32.ts";

describe("orderKey", () => {
  it("orders as float32 does, 0 and -0 alike", () => {
    const float = fc.oneof(
      fc.float({ noNaN: true }),
      fc.constantFrom(0, -0, 1.401298464324817e-45, -1.401298464324817e-45),
    );
    fc.assert(
      fc.property(float, float, (a, b) => {
        expect(orderKey(a) < orderKey(b)).toBe(a < b);
        expect(orderKey(a) === orderKey(b)).toBe(a === b);
      }),
      { numRuns: 1000 },
    );
  });

  it("leaves the smallest and the largest int32 to missing values", () => {
    expect(orderKey(Number.NEGATIVE_INFINITY)).toBeGreaterThan(-(2 ** 31));
    expect(orderKey(Number.POSITIVE_INFINITY)).toBeLessThan(2 ** 31 - 1);
  });
});
