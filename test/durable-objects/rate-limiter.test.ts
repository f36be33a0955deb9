import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { newUuid } from "../../src/lib/seams.ts";

const MINUTE = { limit: 10, window_ms: 60_000 };
/** In the future, so that no alarm comes due by the real clock while a test runs. */
const START_MS = Date.parse("2040-08-10T10:00:00.000Z");

function limiter() {
  return env.RATE_LIMITER.get(env.RATE_LIMITER.idFromName(newUuid()));
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: START_MS });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("RateLimiter", () => {
  it("admits the limit, then refuses and says when the next call can come", async () => {
    const stub = limiter();
    for (let call = 0; call < 10; call++) {
      vi.setSystemTime(START_MS + call * 1_000);
      const decision = await stub.take(MINUTE);
      expect(decision).toEqual({
        allowed: true,
        remaining: 9 - call,
        reset_ms: START_MS + 60_000,
        retry_after_s: 0,
      });
    }
    vi.setSystemTime(START_MS + 9_500);
    expect(await stub.take(MINUTE)).toEqual({
      allowed: false,
      remaining: 0,
      reset_ms: START_MS + 60_000,
      retry_after_s: 51,
    });
  });

  it("frees the place of a call that is given back, and no more than there are", async () => {
    const stub = limiter();
    const one = { limit: 1, window_ms: 1_000 };
    await stub.giveBack();
    expect((await stub.take(one)).allowed).toBe(true);
    await stub.giveBack();
    expect((await stub.take(one)).allowed).toBe(true);
    expect((await stub.take(one)).allowed).toBe(false);
  });

  it("frees one place for each call that leaves the window, to the millisecond", async () => {
    const stub = limiter();
    await stub.take({ limit: 2, window_ms: 1_000 });
    vi.setSystemTime(START_MS + 400);
    await stub.take({ limit: 2, window_ms: 1_000 });
    vi.setSystemTime(START_MS + 999);
    expect((await stub.take({ limit: 2, window_ms: 1_000 })).allowed).toBe(false);
    vi.setSystemTime(START_MS + 1_000);
    expect((await stub.take({ limit: 2, window_ms: 1_000 })).allowed).toBe(true);
    expect((await stub.take({ limit: 2, window_ms: 1_000 })).allowed).toBe(false);
  });

  it("does not count refused calls, so knocking does not keep the door shut", async () => {
    const stub = limiter();
    const limit = { limit: 1, window_ms: 1_000 };
    await stub.take(limit);
    for (let at = 100; at < 1_000; at += 100) {
      vi.setSystemTime(START_MS + at);
      expect((await stub.take(limit)).allowed).toBe(false);
    }
    vi.setSystemTime(START_MS + 1_000);
    expect((await stub.take(limit)).allowed).toBe(true);
  });

  it("admits exactly the limit of many concurrent calls", async () => {
    const stub = limiter();
    const decisions = await Promise.all(Array.from({ length: 50 }, () => stub.take(MINUTE)));
    expect(decisions.filter((decision) => decision.allowed)).toHaveLength(10);
  });

  it("keeps keys apart", async () => {
    const [one, other] = [limiter(), limiter()];
    await one.take({ limit: 1, window_ms: 1_000 });
    expect((await one.take({ limit: 1, window_ms: 1_000 })).allowed).toBe(false);
    expect((await other.take({ limit: 1, window_ms: 1_000 })).allowed).toBe(true);
  });

  it("remembers the window across an eviction", async () => {
    const stub = limiter();
    for (let call = 0; call < 10; call++) await stub.take(MINUTE);
    await evictDurableObject(stub);
    expect((await stub.take(MINUTE)).allowed).toBe(false);
  });

  it("never admits more than the limit in any window, and every call there is room for", async () => {
    const scenario = fc.record({
      limit: fc.integer({ min: 1, max: 5 }),
      window_ms: fc.integer({ min: 1, max: 1_000 }),
      gaps_ms: fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 40 }),
    });
    await fc.assert(
      fc.asyncProperty(scenario, async ({ limit, window_ms, gaps_ms }) => {
        const stub = limiter();
        const admitted: number[] = [];
        let at = START_MS;
        for (const gap_ms of gaps_ms) {
          at += gap_ms;
          vi.setSystemTime(at);
          const inWindow = admitted.filter((instant) => at - instant < window_ms).length;
          const decision = await stub.take({ limit, window_ms });
          expect(decision.allowed).toBe(inWindow < limit);
          if (decision.allowed) admitted.push(at);
          else
            expect(at + decision.retry_after_s * 1_000).toBeGreaterThanOrEqual(
              (admitted.at(-limit) ?? 0) + window_ms,
            );
        }
      }),
      { numRuns: 25 },
    );
  });
});

describe("RateLimiter's alarm", () => {
  it("keeps calls that still count", async () => {
    const stub = limiter();
    for (let call = 0; call < 10; call++) await stub.take(MINUTE);
    vi.setSystemTime(START_MS + 59_999);
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect((await stub.take(MINUTE)).allowed).toBe(false);
  });

  it("empties the object once everything has expired, and the object goes on working", async () => {
    const stub = limiter();
    await stub.take(MINUTE);
    vi.setSystemTime(START_MS + 60_000);
    await runDurableObjectAlarm(stub);
    await runInDurableObject(stub, (_, state) => {
      const tables = state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 'hits'").toArray();
      expect(tables).toEqual([]);
    });
    expect((await stub.take(MINUTE)).remaining).toBe(9);
  });

  it("does no harm when it runs twice", async () => {
    const stub = limiter();
    await stub.take(MINUTE);
    vi.setSystemTime(START_MS + 60_000);
    await runInDurableObject(stub, async (instance) => {
      await instance.alarm?.();
      await instance.alarm?.();
    });
    expect((await stub.take(MINUTE)).allowed).toBe(true);
  });
});
