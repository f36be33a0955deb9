import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { Env } from "../../src/env.ts";
import { grievanceSteps, grievances, grievanceTexts } from "../../src/grievance/tables.ts";
import { newId } from "../../src/lib/seams.ts";
import { scoreDates } from "../../src/score/store.ts";
import { absorb, granted, type Parties, seedParties, withoutD1 } from "../consent/support.ts";
import type { TestService } from "../support/auth.ts";
import { seedScene } from "../support/scene.ts";
import {
  auditsOf,
  call,
  complaint,
  DAY_MS,
  eventsOf,
  filed,
  filers,
  keepEvents,
  newRetailer,
  noticesTo,
  quiet,
  refused,
  seen,
  take,
  textsTo,
  withFailingBatch,
  workers,
} from "./support.ts";

beforeAll(keepEvents);

let parties: Parties;
let filer: TestService;
let worker: TestService;

beforeAll(async () => {
  parties = await seedParties();
  [filer, worker] = [await filers(), await workers()];
});
afterEach(() => {
  vi.useRealTimers();
});

const post = (body: unknown, bindings?: Env) =>
  call(filer, "POST", "/v1/grievances", body, bindings ? { bindings } : {});

describe("POST /v1/grievances refuses", () => {
  const retailer_id = "ret_0123456789abcdef";

  it.each([
    ["no description", complaint(retailer_id, { description: undefined })],
    ["an empty description", complaint(retailer_id, { description: "" })],
    ["a blank description", complaint(retailer_id, { description: " \n" })],
    ["a description of 2,001 characters", complaint(retailer_id, { description: "क".repeat(2_001) })],
    ["half a surrogate pair", complaint(retailer_id, { description: "\ud83d" })],
    ["an unknown type", complaint(retailer_id, { grievance_type: "unfair" })],
    ["no type", complaint(retailer_id, { grievance_type: undefined })],
    ["a malformed score_id", complaint(retailer_id, { score_id: "scr_1" })],
    ["a phone in place of its hash", complaint(retailer_id, { contact_phone_hash: "9810000000" })],
    ["a field nobody knows", complaint(retailer_id, { status: "resolved" })],
  ])("%s", async (_, body) => {
    expect(await refused(post(body))).toEqual([400, "INVALID_REQUEST"]);
  });

  it.each([undefined, "", "ret_1", 7])("%s as retailer_id", async (id) => {
    expect(await refused(post(complaint(id as string)))).toEqual([400, "INVALID_RETAILER_ID"]);
  });

  it("a retailer that a service does not know", async () => {
    expect(await refused(post(complaint(newId("ret"))))).toEqual([404, "RETAILER_NOT_FOUND"]);
  });

  it("an unknown score and another retailer's alike", async () => {
    const { retailer_id: scored } = await seedScene();
    const [score] = (await scoreDates(env, [scored], 1)).newest;
    const other = await newRetailer();
    for (const score_id of [newId("scr"), score?.score_id]) {
      const response = await post(complaint(other, { score_id }));
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        error_code: "INVALID_REQUEST",
        errors: [{ path: "score_id", message: "is not a score of this retailer" }],
      });
    }
  });

  it("another content type, and bodies that are no JSON", async () => {
    const headers = { "Content-Type": "text/plain" };
    expect(await refused(call(filer, "POST", "/v1/grievances", {}, { headers }))).toEqual([
      415,
      "UNSUPPORTED_MEDIA_TYPE",
    ]);
    expect(await refused(post([]))).toEqual([400, "INVALID_REQUEST"]);
  });

  it("what it cannot store: 503, nothing written, nothing counted", async () => {
    const named = await newRetailer();
    for (let i = 0; i < 6; i++) {
      const response = await post(complaint(named), withFailingBatch());
      expect([response.status, response.headers.get("Retry-After")]).toEqual([503, "30"]);
    }
    expect(await eventsOf("grievance.filed", named)).toEqual([]);
    for (let i = 0; i < 5; i++) await filed(filer, named);
    expect(await refused(post(complaint(named), withoutD1()))).toEqual([503, "SERVICE_UNAVAILABLE"]);
  });
});

describe("the limit of 5 per retailer in 24 hours", () => {
  it("lets exactly 5 of 20 at once through, whoever files, and says when the next may come", async () => {
    const { retailer_id } = await granted(parties);
    const clients = [filer, parties.lenders[0]];
    const responses = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        call(clients[i % 2] as TestService, "POST", "/v1/grievances", complaint(retailer_id)),
      ),
    );
    const statuses = responses.map(({ status }) => status).sort();
    expect(statuses).toEqual([...Array(5).fill(201), ...Array(15).fill(429)]);
    const limited = responses.find(({ status }) => status === 429);
    const wait_s = Number(limited?.headers.get("Retry-After"));
    expect(wait_s).toBeGreaterThan(86_300);
    expect(wait_s).toBeLessThanOrEqual(86_400);
    expect(await eventsOf("grievance.filed", retailer_id)).toHaveLength(5);
  });

  it("is a window: the sixth goes through once the first is 24 hours old, not a moment before", async () => {
    const retailer_id = await newRetailer();
    const start_ms = Date.now();
    vi.useFakeTimers({ toFake: ["Date"], now: start_ms });
    await filed(filer, retailer_id);
    vi.setSystemTime(start_ms + 1_000);
    for (let i = 0; i < 4; i++) await filed(filer, retailer_id);
    vi.setSystemTime(start_ms + DAY_MS - 1);
    expect(await refused(post(complaint(retailer_id)))).toEqual([429, "RATE_LIMIT_EXCEEDED"]);
    vi.setSystemTime(start_ms + DAY_MS);
    await filed(filer, retailer_id);
    expect(await refused(post(complaint(retailer_id)))).toEqual([429, "RATE_LIMIT_EXCEEDED"]);
  });

  it("is the retailer's own, and follows it into the one that absorbed it", async () => {
    const alias = await newRetailer();
    const retailer_id = await absorb(alias);
    for (let i = 0; i < 5; i++) await filed(filer, i % 2 ? alias : retailer_id);
    expect(await refused(post(complaint(alias)))).toEqual([429, "RATE_LIMIT_EXCEEDED"]);
    await filed(filer, await newRetailer());
  });
});

describe("a step", () => {
  it("that does not follow is refused with the present status, and leaves no trace", async () => {
    const { grievance_id } = await filed(filer, await newRetailer());
    const response = await take(worker, grievance_id, "resolve");
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({
      error_code: "STEP_NOT_ALLOWED",
      details: { status: "open" },
    });
    await take(worker, grievance_id, "acknowledge");
    await take(worker, grievance_id, "reject");
    for (const step of ["acknowledge", "review", "resolve", "reject"]) {
      expect(await refused(take(worker, grievance_id, step))).toEqual([409, "STEP_NOT_ALLOWED"]);
    }
    expect(await auditsOf(grievance_id)).toHaveLength(3);
  });

  it.each([
    ["acknowledge", {}],
    ["acknowledge", { note: " " }],
    ["acknowledge", { note: "x".repeat(2_001) }],
    ["reject", { note: "no", outcome: "corrected" }],
    ["resolve", { note: "done" }],
    ["resolve", { note: "done", outcome: "forgotten" }],
  ])("%s with %o is not valid", async (step, body) => {
    const { grievance_id } = await filed(filer, await newRetailer());
    const path = `/v1/grievances/${grievance_id}/${step}`;
    expect(await refused(call(worker, "POST", path, body))).toEqual([400, "INVALID_REQUEST"]);
  });

  it.each(["grv_0000000000000000", "grv_1", "x"])("on %s is not found", async (id) => {
    expect(await refused(take(worker, id, "acknowledge"))).toEqual([404, "NOT_FOUND"]);
  });

  it("and its opposite at once: one wins, the other is told", async () => {
    for (let round = 0; round < 5; round++) {
      const { grievance_id } = await filed(filer, await newRetailer());
      await take(worker, grievance_id, "acknowledge");
      const both = await Promise.all(["resolve", "reject"].map((step) => take(worker, grievance_id, step)));
      expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
      const { status, work } = await seen(worker, grievance_id);
      expect(work?.steps.map(({ step }) => step)).toEqual(["filed", "acknowledged", status]);
      expect(await auditsOf(grievance_id)).toHaveLength(3);
    }
  });

  it("taken ten times at once is taken once", async () => {
    const { retailer_id } = await granted(parties);
    const [lender] = parties.lenders;
    const { grievance_id } = await filed(lender, retailer_id);
    const all = await Promise.all(
      Array.from({ length: 10 }, () => take(worker, grievance_id, "acknowledge")),
    );
    expect(all.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(all.filter(({ status }) => status === 409)).toHaveLength(9);
    const told = (await noticesTo(lender.lender_id)).filter((data) => data.grievance_id === grievance_id);
    expect(told).toHaveLength(1);
  });

  it("whose writing fails is not taken: neither status nor text nor event; repeated, all of them", async () => {
    const retailer_id = await newRetailer();
    const { grievance_id } = await filed(filer, retailer_id);
    await take(worker, grievance_id, "acknowledge");
    const path = `/v1/grievances/${grievance_id}/resolve`;
    const body = { note: "put right", outcome: "corrected" };
    const failed = await call(worker, "POST", path, body, { bindings: withFailingBatch() });
    expect(failed.status).toBe(503);
    expect((await seen(worker, grievance_id)).status).toBe("acknowledged");
    expect(await eventsOf("correction.made", grievance_id)).toEqual([]);
    expect((await textsTo(retailer_id)).map(({ kind }) => kind)).toEqual(["grievance.acknowledged"]);

    expect((await call(worker, "POST", path, body)).status).toBe(200);
    expect(await eventsOf("correction.made", grievance_id)).toHaveLength(1);
    expect((await textsTo(retailer_id)).map(({ kind }) => kind)).toContain("data.corrected");
  });
});

describe("the record of the steps", () => {
  it("cannot be changed, deleted or replaced", async () => {
    const { grievance_id } = await filed(filer, await newRetailer());
    const db = drizzle(env.DB);
    await expect(db.update(grievanceSteps).set({ at: "2020-01-01T00:00:00.000Z" })).rejects.toThrow();
    await expect(db.delete(grievanceSteps)).rejects.toThrow();
    const replacing = env.DB.prepare(
      "INSERT OR REPLACE INTO grievance_steps VALUES (?, 1, 'resolved', '2020-01-01T00:00:00.000Z', 'system', NULL, NULL)",
    ).bind(grievance_id);
    await expect(replacing.run()).rejects.toThrow("UNIQUE constraint failed");
    expect((await seen(worker, grievance_id)).work?.steps.map(({ step }) => step)).toEqual(["filed"]);
  });

  it("holds no words: those are sealed, and can be erased without it", async () => {
    const { grievance_id } = await filed(filer, await newRetailer(), { description: "confidential words" });
    const db = drizzle(env.DB);
    const tables = [grievances, grievanceSteps, grievanceTexts];
    const rows = await Promise.all(tables.map((table) => db.select().from(table)));
    expect(JSON.stringify(rows)).not.toContain("confidential");
    await db.delete(grievanceTexts);
    expect((await seen(worker, grievance_id)).work?.steps).toMatchObject([{ step: "filed", text: null }]);
  });
});

describe("GET /v1/grievances/{id}/explanation", () => {
  it("is 404 for a retailer that was never scored", async () => {
    const { grievance_id } = await filed(filer, await newRetailer());
    expect(await refused(call(filer, "GET", `/v1/grievances/${grievance_id}/explanation`))).toEqual([
      404,
      "RETAILER_NOT_SCORED",
    ]);
  });

  it("is 503 when the score cannot be read", async () => {
    const { grievance_id } = await filed(filer, await newRetailer());
    const path = `/v1/grievances/${grievance_id}/explanation`;
    const bindings = { ...withoutD1(), EVENTS: quiet.EVENTS };
    expect(await refused(call(filer, "GET", path, undefined, { bindings }))).toEqual([
      503,
      "SERVICE_UNAVAILABLE",
    ]);
  });
});
