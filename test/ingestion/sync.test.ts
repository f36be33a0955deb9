import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Env } from "../../src/env.ts";
import { AppError } from "../../src/http/errors.ts";
import { newestSync, recordSync } from "../../src/ingestion/sync.ts";
import { newDistributorId } from "../support/ledger.ts";

const broken = new Proxy({} as D1Database, {
  get() {
    throw new Error("D1 is down");
  },
});
const storedSync = (distributor_id: string) =>
  env.DB.prepare("SELECT newest_sync_to FROM distributor_syncs WHERE distributor_id = ?")
    .bind(distributor_id)
    .first("newest_sync_to");

/** Lets the isolate's own copies go stale. */
function later() {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 11_000 });
}

afterEach(() => vi.useRealTimers());

describe("recording a sync", () => {
  it("keeps the newest, in whatever order and however often it is told", async () => {
    const id = newDistributorId();
    for (const sync_to of ["2026-05-02T00:00:00Z", "2026-05-03T00:00:00Z", "2026-05-01T00:00:00Z"]) {
      await recordSync(env, id, sync_to);
      await recordSync(env, id, sync_to);
    }
    expect(await storedSync(id)).toBe("2026-05-03T00:00:00.000Z");
    later();
    await recordSync(env, id, "2026-05-02T00:00:00Z");
    expect(await storedSync(id)).toBe("2026-05-03T00:00:00.000Z");
  });

  it("takes a time to come for now", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.parse("2026-05-10T08:00:00Z") });
    const id = newDistributorId();
    await recordSync(env, id, "2026-05-10T18:30:00Z");
    expect(await storedSync(id)).toBe("2026-05-10T08:00:00.000Z");
  });

  it("does nothing without a batch", async () => {
    const id = newDistributorId();
    await recordSync(env, id, null);
    expect(await storedSync(id)).toBeNull();
  });

  it("is seen at once, although an older value was just read", async () => {
    const id = newDistributorId();
    await recordSync(env, id, "2026-05-01T00:00:00Z");
    expect(await newestSync(env, [id])).toBe("2026-05-01T00:00:00.000Z");
    await recordSync(env, id, "2026-05-02T00:00:00Z");
    expect(await newestSync(env, [id])).toBe("2026-05-02T00:00:00.000Z");
    later();
    expect(await newestSync(env, [id])).toBe("2026-05-02T00:00:00.000Z");
  });
});

describe("the newest sync", () => {
  it("is the newest over all the distributors, null for none", async () => {
    const [a, b, silent] = [newDistributorId(), newDistributorId(), newDistributorId()];
    await recordSync(env, a, "2026-05-01T00:00:00Z");
    await recordSync(env, b, "2026-05-09T00:00:00Z");
    expect(await newestSync(env, [a, b, silent])).toBe("2026-05-09T00:00:00.000Z");
    expect(await newestSync(env, [silent])).toBeNull();
    expect(await newestSync(env, [])).toBeNull();
  });

  it("comes from KV when D1 is down, and from D1 when KV is", async () => {
    const id = newDistributorId();
    await recordSync(env, id, "2026-05-01T00:00:00Z");
    later();
    expect(await newestSync({ ...env, DB: broken } as Env, [id])).toBe("2026-05-01T00:00:00.000Z");
    vi.setSystemTime(Date.now() + 11_000);
    const KV = { get: () => Promise.reject(new Error("KV is down")) } as unknown as KVNamespace;
    vi.spyOn(console, "warn").mockImplementationOnce(() => {});
    expect(await newestSync({ ...env, KV } as Env, [id])).toBe("2026-05-01T00:00:00.000Z");
  });

  it("that nobody can tell is 503", async () => {
    const failure = newestSync({ ...env, DB: broken } as Env, [newDistributorId()]);
    await expect(failure).rejects.toSatisfy(
      (error) => error instanceof AppError && error.code === "SERVICE_UNAVAILABLE",
    );
  });
});
