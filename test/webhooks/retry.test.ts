import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PAUSE_AFTER_MS, RETRY_DELAYS_S, retryDelayMs } from "../../src/webhooks/retry.ts";

describe("the back-off", () => {
  it("makes ten attempts in a little over 3 days", () => {
    const delays = RETRY_DELAYS_S.map((_, i) => retryDelayMs(i + 1, 0) as number);
    expect(delays.map((ms) => ms / 1000)).toEqual([5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]);
    expect(delays.reduce((sum, ms) => sum + ms, 0) / 3_600_000).toBeCloseTo(75.6, 1);
    expect(retryDelayMs(10, 0)).toBeNull();
  });

  it("adds at most a tenth, so that the last attempt always comes after the 3 days of a pause", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
          minLength: 9,
          maxLength: 9,
        }),
        (randoms) => {
          const delays = randoms.map((random, i) => retryDelayMs(i + 1, random) as number);
          for (const [i, ms] of delays.entries()) {
            const base_ms = (RETRY_DELAYS_S[i] as number) * 1000;
            expect(ms).toBeGreaterThanOrEqual(base_ms);
            expect(ms).toBeLessThanOrEqual(base_ms * 1.1);
          }
          expect(delays.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThan(PAUSE_AFTER_MS);
        },
      ),
    );
  });
});
