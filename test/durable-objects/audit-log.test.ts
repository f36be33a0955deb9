import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { AuditLog } from "../../durable-objects/audit-log.ts";
import { chainProblem, contentOf } from "../../src/audit/chain.ts";
import { auditEventsPage } from "../../src/audit/store.ts";
import type { Env } from "../../src/env.ts";
import { entry, newLog } from "../audit/support.ts";

type Log = ReturnType<typeof newLog>["log"];

const NOON_MS = Date.parse("2026-11-20T12:00:00Z");

async function outcomesOf(log: Log): Promise<unknown[]> {
  const rows = await log.rows(0);
  expect(chainProblem(rows)).toBeNull();
  return rows.map((row) => contentOf(row).outcome);
}

/** How many rows of the stream D1 has. */
async function copies(stream: string): Promise<number> {
  return (await auditEventsPage(env, { stream })).events.length;
}

/** Takes D1 away from an object until it is evicted. */
function withoutD1(log: Log): Promise<void> {
  return runInDurableObject<AuditLog, void>(log, (instance) => {
    const DB = {
      prepare: () => {
        throw new Error("D1 is down");
      },
    };
    Object.assign(instance, { env: { ...env, DB } as unknown as Env });
  });
}

afterEach(() => {
  vi.useRealTimers();
});

describe("the audit log", () => {
  it("keeps entries in a chain, in the order of their writing", async () => {
    const { log, stream } = newLog();
    await log.append([entry({ outcome: "first" }), entry({ outcome: "second" })]);
    await log.append([entry({ outcome: "third" })]);
    expect(await outcomesOf(log)).toEqual(["first", "second", "third"]);
    expect(contentOf((await log.rows(2))[0]!)).toMatchObject({ stream, seq: 3, type: "grievance.filed" });
  });

  it("gives 200 parallel writers one place each", async () => {
    const { log } = newLog();
    const outcomes = Array.from({ length: 200 }, (_, index) => `writer ${index}`);
    await Promise.all(outcomes.map((outcome) => log.append([entry({ outcome })])));
    expect((await outcomesOf(log)).sort()).toEqual(outcomes.sort());
  });

  it("has an event once, however often it is delivered, also after an eviction", async () => {
    const { log } = newLog();
    const told = entry({ event_id: "evt_0123456789abcdef" });
    await Promise.all([log.append([told]), log.append([told, entry({ outcome: "another" })])]);
    await evictDurableObject(log);
    await log.append([told]);
    expect((await outcomesOf(log)).sort()).toEqual(["another", "open"]);
  });

  it("goes on with the same chain after an eviction", async () => {
    const { log } = newLog();
    await log.append([entry()]);
    await evictDurableObject(log);
    await log.append([entry()]);
    expect(await outcomesOf(log)).toHaveLength(2);
  });

  it("never goes back in time, though the clock does", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: NOON_MS });
    const { log } = newLog();
    await log.append([entry()]);
    vi.setSystemTime(NOON_MS - 3_600_000);
    await evictDurableObject(log);
    await log.append([entry()]);
    const times = (await log.rows(0)).map((row) => contentOf(row).at);
    expect(times).toEqual(["2026-11-20T12:00:00.000Z", "2026-11-20T12:00:00.000Z"]);
  });

  it("writes all entries of a call or none, and forgets the event ids of what it did not write", async () => {
    const { log } = newLog();
    const both = [entry({ event_id: "evt_a" }), entry({ event_id: "evt_b", outcome: "refused" })];
    await runInDurableObject(log, (instance: AuditLog, state) => {
      state.storage.sql.exec(
        "CREATE TRIGGER full BEFORE INSERT ON audit_log WHEN NEW.seq = 2 BEGIN SELECT RAISE(ABORT, 'disk full'); END",
      );
      expect(() => instance.append(both)).toThrow("disk full");
      state.storage.sql.exec("DROP TRIGGER full");
    });
    expect(await outcomesOf(log)).toEqual([]);
    await log.append(both);
    expect(await outcomesOf(log)).toEqual(["open", "refused"]);
  });

  it("refuses an entry that is too long to be one", async () => {
    const { log } = newLog();
    await runInDurableObject(log, (instance: AuditLog) => {
      const details = { text: "x".repeat(8_000) };
      expect(() => instance.append([entry(), entry({ details })])).toThrow("grievance.filed is too long");
    });
    expect(await outcomesOf(log)).toEqual([]);
  });

  it("has rows that nobody can change or delete", async () => {
    const { log } = newLog();
    await log.append([entry()]);
    await runInDurableObject(log, (_instance, state) => {
      expect(() => state.storage.sql.exec("UPDATE audit_log SET row_hash = ''")).toThrow("append-only");
      expect(() => state.storage.sql.exec("DELETE FROM audit_log")).toThrow("append-only");
    });
  });
});

describe("the copies in D1", () => {
  it("are there after the alarm, once, though it rings twice", async () => {
    const { log, stream } = newLog();
    await log.append([entry(), entry()]);
    await runDurableObjectAlarm(log);
    await log.append([entry()]);
    await runDurableObjectAlarm(log);
    expect(await copies(stream)).toBe(3);
  });

  it("are made once although the object was evicted between the copying and the note of it", async () => {
    const { log, stream } = newLog();
    await log.append([entry(), entry()]);
    await runDurableObjectAlarm(log);
    await runInDurableObject(log, (_instance, state) => {
      state.storage.sql.exec("UPDATE audit_flush SET flushed_seq = 0");
    });
    await evictDurableObject(log);
    await log.append([entry()]);
    await runDurableObjectAlarm(log);
    expect(await copies(stream)).toBe(3);
  });

  it("are caught up when D1 is back", async () => {
    const { log, stream } = newLog();
    await withoutD1(log);
    await log.append([entry()]);
    await runDurableObjectAlarm(log);
    await log.append([entry()]);
    expect(await copies(stream)).toBe(0);
    expect(await outcomesOf(log)).toHaveLength(2);
    await evictDurableObject(log);
    // The alarm that was set when D1 failed is still there.
    expect(await runDurableObjectAlarm(log)).toBe(true);
    expect(await copies(stream)).toBe(2);
  });

  it("are not put off by what comes in between", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
    const { log } = newLog();
    await log.append([entry()]);
    const alarm = () => runInDurableObject(log, (_instance, state) => state.storage.getAlarm());
    const first_ms = await alarm();
    for (const later_ms of [3_000, 3_000, 3_000]) {
      vi.setSystemTime(Date.now() + later_ms);
      await log.append([entry()]);
    }
    expect(await alarm()).toBe(first_ms);
  });

  it("are made of more rows than one write takes", async () => {
    const { log, stream } = newLog();
    await log.append(Array.from({ length: 1_100 }, () => entry()));
    await runDurableObjectAlarm(log);
    const last = await env.DB.prepare("SELECT max(seq) AS seq FROM audit_events WHERE stream = ?")
      .bind(stream)
      .first();
    expect(last).toEqual({ seq: 1_100 });
  });

  it.each([
    "UPDATE audit_events SET outcome = 'never happened'",
    "DELETE FROM audit_events",
    "INSERT OR REPLACE INTO audit_events SELECT stream, seq, at, type, actor_kind, actor_id, subject, outcome, canonical, 'x' FROM audit_events",
    "UPDATE audit_streams SET stream = 'x'",
    "DELETE FROM audit_streams",
  ])("refuse %s", async (statement) => {
    const { log } = newLog();
    await log.append([entry()]);
    await runDurableObjectAlarm(log);
    await expect(env.DB.prepare(statement).run()).rejects.toThrow("append-only");
  });
});

describe("repeated failures", () => {
  const failure = entry({ type: "auth.failed", subject: null, outcome: "TOKEN_INVALID", details: {} });

  async function told(log: Log) {
    return (await log.rows(0)).map(contentOf) as unknown as { outcome: string; details: { times: number } }[];
  }

  it("write one row at once, and their count when the minute is over", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const { log } = newLog();
    for (let index = 0; index < 100; index++) await log.appendRepeated(failure, 1);
    expect((await told(log)).map((row) => row.details.times)).toEqual([1]);
    vi.setSystemTime(Date.now() + 60_000);
    await runDurableObjectAlarm(log);
    expect((await told(log)).map((row) => row.details.times)).toEqual([1, 99]);
    expect(chainProblem(await log.rows(0))).toBeNull();
  });

  it("are told at once again after a quiet minute", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const { log } = newLog();
    await log.appendRepeated(failure, 1);
    vi.setSystemTime(Date.now() + 60_000);
    await runDurableObjectAlarm(log);
    await log.appendRepeated(failure, 3);
    expect((await told(log)).map((row) => row.details.times)).toEqual([1, 3]);
  });

  it("of a thousand kinds at once fill 61 rows, and none is lost from the count", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const { log } = newLog();
    for (let index = 0; index < 1_000; index++) {
      await log.appendRepeated({ ...failure, actor: { kind: "service", id: `client_${index}` } }, 1);
    }
    expect(await told(log)).toHaveLength(61);
    vi.setSystemTime(Date.now() + 60_000);
    await runDurableObjectAlarm(log);
    const rows = await told(log);
    expect(rows).toHaveLength(62);
    expect(rows.reduce((sum, row) => sum + row.details.times, 0)).toBe(1_000);
    expect(rows.at(-1)).toMatchObject({ outcome: "VARIOUS", details: { times: 939 } });
  });
});
