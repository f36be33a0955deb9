import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SlidingWindow } from "../../src/lib/sliding-window.ts";

describe("a sliding window", () => {
  it("never admits more than its limit in any span of its length, and no fewer than it could", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 100 }),
        fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 200 }),
        (limit, window_ms, steps) => {
          const window = new SlidingWindow(window_ms);
          const admitted: number[] = [];
          let now_ms = 0;
          for (const step of steps) {
            now_ms += step;
            const in_span = admitted.filter((at) => now_ms - at < window_ms).length;
            const free = window.freeAt(limit, now_ms) <= now_ms;
            expect(free).toBe(in_span < limit);
            if (free) {
              window.add(now_ms);
              admitted.push(now_ms);
            }
          }
          for (const start of admitted) {
            expect(admitted.filter((at) => at >= start && at < start + window_ms).length).toBeLessThanOrEqual(
              limit,
            );
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("says to the millisecond when it has room again", () => {
    const window = new SlidingWindow(60_000);
    for (const at of [0, 10, 20]) window.add(at);
    expect(window.freeAt(3, 30)).toBe(60_000);
    expect(window.freeAt(2, 30)).toBe(60_010);
    expect(window.freeAt(4, 30)).toBe(30);
    expect(window.oldestLeavesAt(30)).toBe(60_000);
    expect(window.used(60_000)).toBe(2);
  });

  it("keeps counting right after it has dropped thousands of old instants", () => {
    const window = new SlidingWindow(10);
    for (let at = 0; at < 5_000; at++) {
      expect(window.used(at)).toBe(Math.min(at, 9));
      window.add(at);
    }
  });
});
