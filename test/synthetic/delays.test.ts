import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignDelays, DELAY_SHARES, delayAtPlace } from "../../src/synthetic/delays.ts";

describe("days late", () => {
  it("follow the published shares to within rounding, whatever the latent lateness is", () => {
    const invoices = Array.from({ length: 99_700 }, (_, i) => ({
      lateness: Math.sin(i * 7.31) ** 3 * 40 - 5,
      term_days: 30,
    }));
    const delays = assignDelays(invoices);
    for (const { first_day, last_day, share } of DELAY_SHARES) {
      const inBucket = delays.filter((delay) => {
        const days = delay ?? 365;
        return first_day === 0 ? days <= 0 : days >= first_day && days <= last_day;
      });
      expect(inBucket.length / delays.length).toBeCloseTo(share / 0.997, 4);
    }
  });

  it("never put an invoice of higher lateness before one of lower, at equal terms", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true }), { minLength: 2, maxLength: 200 }), (latenesses) => {
        const delays = assignDelays(latenesses.map((lateness) => ({ lateness, term_days: 21 })));
        const order = latenesses.map((_, i) => i).sort((a, b) => latenesses[a]! - latenesses[b]!);
        const sorted = order.map((i) => delays[i] ?? Number.POSITIVE_INFINITY);
        for (let i = 1; i < sorted.length; i++) {
          if (latenesses[order[i]!]! > latenesses[order[i - 1]!]!) {
            expect(sorted[i]!).toBeGreaterThanOrEqual(sorted[i - 1]!);
          }
        }
      }),
    );
  });

  it("are early by at most the term and never minus zero", () => {
    for (const term_days of [7, 30, 60]) {
      const earliest = delayAtPlace(0, term_days)!;
      expect(earliest).toBeLessThan(0);
      expect(earliest).toBeGreaterThanOrEqual(-term_days);
    }
    expect(Object.is(delayAtPlace(0.5, 30), 0)).toBe(true);
  });

  it("end with invoices that are never paid", () => {
    expect(delayAtPlace(0.99999, 30)).toBeNull();
  });
});
