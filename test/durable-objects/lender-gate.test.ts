import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { LenderGate } from "../../durable-objects/lender-gate.ts";
import type { AdmissionRequest } from "../../src/admission/types.ts";
import { chainProblem } from "../../src/audit/chain.ts";
import { newId, newUuid } from "../../src/lib/seams.ts";

const NOON_MS = Date.parse("2026-11-20T12:00:00Z");
const IN_A_YEAR_MS = NOON_MS + 365 * 86_400_000;

let gate: ReturnType<typeof newGate>;

function newGate() {
  return env.LENDER_GATE.get(env.LENDER_GATE.idFromName(`lender_${newUuid()}`));
}

function call(over: Partial<AdmissionRequest> = {}): AdmissionRequest {
  return {
    route: "score",
    client_id: "cli_test",
    jti: newUuid(),
    request_id: newUuid(),
    retailer_id: newId("ret"),
    purpose: "term_loan",
    consent: { consent_id: newId("cns"), expires_ms: IN_A_YEAR_MS },
    score_id: newId("scr"),
    outcome: "OK",
    cause: null,
    retry: false,
    replay: null,
    ...over,
  };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOON_MS });
  gate = newGate();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("the lender gate counts", () => {
  it("admits exactly 100 of 150 calls made at once", async () => {
    const kinds = await Promise.all(Array.from({ length: 150 }, async () => (await gate.admit(call())).kind));
    expect(kinds.filter((kind) => kind === "admitted")).toHaveLength(100);
    expect(kinds.filter((kind) => kind === "limited")).toHaveLength(50);
  });

  it("has room again exactly 60 seconds after the oldest admitted call", async () => {
    for (let i = 0; i < 100; i++) await gate.admit(call());
    vi.setSystemTime(NOON_MS + 59_999);
    const refused = await gate.admit(call());
    expect(refused).toMatchObject({
      kind: "limited",
      until_ms: NOON_MS + 60_000,
      rate: { limit: 100, remaining: 0 },
    });
    vi.setSystemTime(NOON_MS + 60_000);
    expect((await gate.admit(call())).kind).toBe("admitted");
  });

  it("counts a call that asks a second time once", async () => {
    const first = call();
    expect(await gate.admit(first)).toMatchObject({ rate: { remaining: 99 } });
    expect(await gate.admit({ ...first, retry: true })).toMatchObject({
      kind: "admitted",
      rate: { remaining: 99 },
    });
  });

  it("keeps its count when it is evicted from memory", async () => {
    for (let i = 0; i < 100; i++) await gate.admit(call());
    await evictDurableObject(gate);
    expect((await gate.admit(call())).kind).toBe("limited");
  });

  it("gives the daily quota when that is what is used up", async () => {
    await gate.setLimits({
      score_per_minute: 10,
      score_per_day: 3,
      lookup_per_minute: 20,
      lookup_per_day: 500,
    });
    for (let i = 0; i < 3; i++) expect((await gate.admit(call())).kind).toBe("admitted");
    expect(await gate.admit(call())).toMatchObject({
      kind: "limited",
      quota: { limit: 3, used: 3, resets_at: "2026-11-21T12:00:00.000Z" },
    });
  });

  it("keeps the registry's limits when it is evicted", async () => {
    await gate.setLimits({
      score_per_minute: 1,
      score_per_day: 5000,
      lookup_per_minute: 20,
      lookup_per_day: 500,
    });
    await evictDurableObject(gate);
    await gate.admit(call());
    expect((await gate.admit(call())).kind).toBe("limited");
  });

  it("limits look-ups to 20 a minute, and counts a refused one against the Score limit", async () => {
    for (let i = 0; i < 20; i++) expect((await gate.admit(call({ route: "lookup" }))).kind).toBe("admitted");
    expect((await gate.admit(call({ route: "lookup" }))).kind).toBe("limited");
    expect(await gate.admit(call())).toMatchObject({ kind: "admitted", rate: { remaining: 78 } });
  });

  it("gives the daily quota of look-ups when that is what is used up", async () => {
    await gate.setLimits({
      score_per_minute: 100,
      score_per_day: 5000,
      lookup_per_minute: 20,
      lookup_per_day: 3,
    });
    for (let i = 0; i < 3; i++) expect((await gate.admit(call({ route: "lookup" }))).kind).toBe("admitted");
    expect(await gate.admit(call({ route: "lookup" }))).toMatchObject({
      kind: "limited",
      rate: { limit: 3, remaining: 0 },
      quota: { limit: 3, used: 3, resets_at: "2026-11-21T12:00:00.000Z" },
    });
  });

  it("does not forget what it admitted when the clock steps back", async () => {
    for (let i = 0; i < 100; i++) await gate.admit(call());
    vi.setSystemTime(NOON_MS - 3_600_000);
    expect((await gate.admit(call())).kind).toBe("limited");
  });
});

describe("the lender gate refuses", () => {
  it("every call under a denied consent, also after an eviction", async () => {
    const consent = { consent_id: newId("cns"), expires_ms: IN_A_YEAR_MS };
    expect(await gate.admit(call({ consent }))).toMatchObject({ kind: "admitted", denied: false });
    await gate.deny([
      { consent_id: consent.consent_id, until_ms: consent.expires_ms, record_seq: 2, lifted: false },
    ]);
    expect(await gate.admit(call({ consent }))).toMatchObject({ kind: "admitted", denied: true });
    await evictDurableObject(gate);
    expect(await gate.admit(call({ consent }))).toMatchObject({ denied: true });
  });

  it("a consent from the very millisecond it expires", async () => {
    const consent = { consent_id: newId("cns"), expires_ms: NOON_MS + 1000 };
    vi.setSystemTime(NOON_MS + 999);
    expect(await gate.admit(call({ consent }))).toMatchObject({ denied: false });
    vi.setSystemTime(NOON_MS + 1000);
    expect(await gate.admit(call({ consent }))).toMatchObject({ denied: true });
  });

  it("a revoked token, and not the same client's others", async () => {
    const jti = newUuid();
    await gate.revoke({ kind: "jti", value: jti, until_ms: IN_A_YEAR_MS });
    expect((await gate.admit(call({ jti }))).kind).toBe("revoked");
    expect((await gate.admit(call())).kind).toBe("admitted");
  });

  it("every token that a revoked client held, and does not count the call", async () => {
    await gate.revoke({ kind: "client", value: "cli_test", until_ms: IN_A_YEAR_MS });
    expect((await gate.admit(call())).kind).toBe("revoked");
    expect(await gate.admit(call({ client_id: "cli_other" }))).toMatchObject({ rate: { remaining: 99 } });
  });
});

describe("the lender gate replays", () => {
  const replay = { body_sha256: "a".repeat(64), language: "en", answer: '{"altscore":700}' };

  it("the first answer to a repeated request id, without counting it again", async () => {
    const first = call({ replay });
    await gate.admit(first);
    const again = await gate.admit({ ...first, replay: { ...replay, answer: '{"altscore":1}' } });
    expect(again).toMatchObject({ kind: "replayed", answer: '{"altscore":700}', rate: { remaining: 99 } });
  });

  it("also when the limit is reached", async () => {
    const first = call({ replay });
    await gate.admit(first);
    for (let i = 0; i < 99; i++) await gate.admit(call());
    expect((await gate.admit(call())).kind).toBe("limited");
    expect((await gate.admit(first)).kind).toBe("replayed");
  });

  it("one answer to 20 twins at once", async () => {
    const first = call({ replay });
    const kinds = await Promise.all(Array.from({ length: 20 }, async () => (await gate.admit(first)).kind));
    expect(kinds.filter((kind) => kind === "admitted")).toHaveLength(1);
    expect(kinds.filter((kind) => kind === "replayed")).toHaveLength(19);
  });

  it("nothing for another body: the id is refused", async () => {
    const first = call({ replay });
    await gate.admit(first);
    const other = { ...first, replay: { ...replay, body_sha256: "b".repeat(64) } };
    expect((await gate.admit(other)).kind).toBe("reused");
  });

  it("nothing once the consent was revoked or has expired", async () => {
    const consent = { consent_id: newId("cns"), expires_ms: NOON_MS + 5000 };
    const first = call({ replay, consent });
    await gate.admit(first);
    vi.setSystemTime(NOON_MS + 5000);
    expect(await gate.admit(first)).toMatchObject({ kind: "admitted", denied: true });
  });

  it("nothing after 24 hours", async () => {
    const first = call({ replay });
    await gate.admit(first);
    vi.setSystemTime(NOON_MS + 86_400_000);
    expect((await gate.admit(first)).kind).toBe("admitted");
  });

  it("no answer that was not a 200", async () => {
    const failed = call({ replay: { ...replay, answer: null }, outcome: "RETAILER_NOT_SCORED" });
    await gate.admit(failed);
    expect((await gate.admit({ ...failed, replay })).kind).toBe("admitted");
  });
});

describe("the lender gate records", () => {
  it("every call in a chain that holds, and a flood of refusals in one row", async () => {
    await Promise.all(Array.from({ length: 130 }, () => gate.admit(call())));
    const links = await gate.accessLog(1);
    expect(links).toHaveLength(101);
    expect(chainProblem(links)).toBeNull();
    expect(JSON.parse(links[100]?.canonical ?? "{}")).toMatchObject({ outcome: "RATE_LIMIT_EXCEEDED" });
  });

  it("goes on with the same chain after an eviction", async () => {
    await gate.admit(call());
    await evictDurableObject(gate);
    await gate.admit(call({ outcome: "SCOPE_MISMATCH" }));
    const links = await gate.accessLog(1);
    expect(chainProblem(links)).toBeNull();
    expect(links).toHaveLength(2);
  });

  it("rows that nobody can change or delete", async () => {
    await gate.admit(call());
    await runInDurableObject(gate, (_instance, state) => {
      expect(() => state.storage.sql.exec("UPDATE access_log SET counted = 0")).toThrow("append-only");
      expect(() => state.storage.sql.exec("DELETE FROM access_log")).toThrow("append-only");
    });
  });

  it("nothing it could not store: a failed write admits nobody and leaves chain and count as they were", async () => {
    await gate.admit(call());
    await runInDurableObject(gate, (instance: LenderGate, state) => {
      state.storage.sql.exec(
        "CREATE TRIGGER full BEFORE INSERT ON access_log BEGIN SELECT RAISE(ABORT, 'disk full'); END",
      );
      expect(() => instance.admit(call())).toThrow("disk full");
      state.storage.sql.exec("DROP TRIGGER full");
      expect(instance.admit(call())).toMatchObject({ kind: "admitted", rate: { remaining: 98 } });
    });
    expect(chainProblem(await gate.accessLog(1))).toBeNull();
  });
});

describe("the gate's alarm", () => {
  it("forgets denials that have run out, keeps the others, and may run twice", async () => {
    await gate.deny([
      { consent_id: "cns_over", until_ms: NOON_MS - 1, record_seq: 2, lifted: false },
      { consent_id: "cns_open", until_ms: NOON_MS + 1, record_seq: 2, lifted: false },
    ]);
    await runDurableObjectAlarm(gate);
    await runDurableObjectAlarm(gate);
    await runInDurableObject(gate, (_instance, state) => {
      const left = state.storage.sql.exec("SELECT consent_id FROM denials").toArray();
      expect(left).toEqual([{ consent_id: "cns_open" }]);
    });
  });
});
