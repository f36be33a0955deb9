import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Env } from "../../src/env.ts";
import type { EventEnvelope } from "../../src/events/types.ts";
import { escalateDue } from "../../src/grievance/steps.ts";
import { grievances } from "../../src/grievance/tables.ts";
import { handleEvent } from "../../src/pipeline/consumers.ts";
import { runSchedule } from "../../src/schedule.ts";
import { granted, type Parties, seedParties } from "../consent/support.ts";
import type { TestService } from "../support/auth.ts";
import {
  auditLogOf,
  auditsOf,
  DAY_MS,
  eventsOf,
  filed,
  filers,
  isWaiting,
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
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
});
afterEach(async () => {
  // Nothing of one test is due in the next.
  await drizzle(env.DB).delete(grievances);
  vi.useRealTimers();
});

/** A grievance of a retailer, and a way to go to a time after its filing. */
async function complained() {
  const retailer_id = await newRetailer();
  const grievance = await filed(filer, retailer_id);
  const goTo = (after_ms: number) => vi.setSystemTime(Date.parse(grievance.filed_at) + after_ms);
  return { ...grievance, retailer_id, goTo };
}

describe("a grievance that nobody acknowledges", () => {
  it("is escalated from the very instant of ack_by on, seen before any cron ran", async () => {
    const { grievance_id, goTo, ack_by } = await complained();
    goTo(DAY_MS - 1);
    expect(await seen(filer, grievance_id)).toMatchObject({
      status: "open",
      escalated_at: null,
      sla: { ack_breached: false, resolution_breached: false, seconds_left: 1 },
    });
    expect(await escalateDue(quiet)).toBe(0);
    goTo(DAY_MS);
    expect(await seen(filer, grievance_id)).toMatchObject({
      status: "escalated",
      escalated_at: ack_by,
      sla: { ack_breached: true, resolution_breached: false, seconds_left: 6 * 86_400 },
    });
  });

  it("is told of once, with the deadline as its time, however late and often the cron runs", async () => {
    const { grievance_id, retailer_id, goTo, ack_by } = await complained();
    goTo(DAY_MS + 45_678);
    await Promise.all([escalateDue(quiet), escalateDue(quiet), escalateDue(quiet)]);
    goTo(9 * DAY_MS);
    await escalateDue(quiet);
    const events = await eventsOf("grievance.escalated", grievance_id);
    expect(events.map(({ data }) => data)).toEqual([{ grievance_id, retailer_id }]);
    expect(await auditsOf(grievance_id)).toEqual([
      "grievance.filed recorded",
      "grievance.escalated recorded",
    ]);
    const { work, ...shown } = await seen(worker, grievance_id);
    expect(shown).toMatchObject({ status: "escalated", escalated_at: ack_by });
    expect(work?.steps.map(({ step, at }) => [step, at])).toEqual([
      ["filed", expect.any(String)],
      ["escalated", ack_by],
    ]);
    expect((await textsTo(retailer_id)).map(({ kind }) => kind)).toEqual(["grievance.escalated"]);
  });

  it("can still be worked; it stays escalated until it is closed", async () => {
    const { grievance_id, goTo } = await complained();
    goTo(DAY_MS);
    await escalateDue(quiet);
    for (const [step, status] of [
      ["acknowledge", "escalated"],
      ["review", "escalated"],
      ["resolve", "resolved"],
    ] as const) {
      expect((await take(worker, grievance_id, step)).status).toBe(200);
      expect((await seen(filer, grievance_id)).status).toBe(status);
    }
    const { work, escalated_at } = await seen(worker, grievance_id);
    expect(work?.stage).toBe("resolved");
    expect(escalated_at).not.toBeNull();
    expect(await refused(take(worker, grievance_id, "reject"))).toEqual([409, "STEP_NOT_ALLOWED"]);
  });

  it("is told of although it was acknowledged and closed before the cron came", async () => {
    const { grievance_id, goTo, ack_by } = await complained();
    goTo(DAY_MS);
    for (const step of ["acknowledge", "resolve"]) await take(worker, grievance_id, step);
    await escalateDue(quiet);
    expect(await eventsOf("grievance.escalated", grievance_id)).toHaveLength(1);
    expect(await seen(filer, grievance_id)).toMatchObject({ status: "resolved", escalated_at: ack_by });
  });
});

describe("a grievance that was acknowledged in time", () => {
  it("escalates at resolution_sla instead", async () => {
    const { grievance_id, goTo, resolution_sla } = await complained();
    goTo(DAY_MS - 1);
    await take(worker, grievance_id, "acknowledge");
    goTo(7 * DAY_MS - 1);
    expect(await escalateDue(quiet)).toBe(0);
    expect((await seen(filer, grievance_id)).status).toBe("acknowledged");
    goTo(7 * DAY_MS);
    expect(await escalateDue(quiet)).toBe(1);
    expect(await seen(filer, grievance_id)).toMatchObject({
      status: "escalated",
      escalated_at: resolution_sla,
      sla: { ack_breached: false, resolution_breached: true, seconds_left: 0 },
    });
    expect(await eventsOf("grievance.escalated", grievance_id)).toHaveLength(1);
  });

  it("and closed in time never escalates", async () => {
    const { grievance_id, goTo } = await complained();
    await take(worker, grievance_id, "acknowledge");
    goTo(7 * DAY_MS - 1);
    await take(worker, grievance_id, "reject");
    goTo(30 * DAY_MS);
    expect(await escalateDue(quiet)).toBe(0);
    expect(await seen(filer, grievance_id)).toMatchObject({ status: "rejected", escalated_at: null });
  });
});

describe("a lender's grievance", () => {
  it("tells the lender that it escalated", async () => {
    const [lender] = parties.lenders;
    const { retailer_id } = await granted(parties);
    const { grievance_id, filed_at } = await filed(lender, retailer_id);
    vi.setSystemTime(Date.parse(filed_at) + DAY_MS);
    await escalateDue(quiet);
    expect(await noticesTo(lender.lender_id)).toEqual([{ grievance_id, status: "escalated", outcome: null }]);
    expect(await textsTo(retailer_id)).toEqual([]);
  });
});

describe("the cron", () => {
  it("of every minute escalates what is due", async () => {
    const { grievance_id, goTo } = await complained();
    goTo(DAY_MS);
    await runSchedule("* * * * *", quiet);
    expect(await eventsOf("grievance.escalated", grievance_id)).toHaveLength(1);
  });

  it("beside an acknowledgement at the last moment: both are recorded, once each", async () => {
    for (let round = 0; round < 5; round++) {
      const { grievance_id, goTo } = await complained();
      goTo(DAY_MS);
      await Promise.all([escalateDue(quiet), take(worker, grievance_id, "acknowledge"), escalateDue(quiet)]);
      const { work } = await seen(worker, grievance_id);
      expect(work?.steps.map(({ step }) => step).sort()).toEqual(["acknowledged", "escalated", "filed"]);
      expect(await eventsOf("grievance.escalated", grievance_id)).toHaveLength(1);
    }
  });

  it("goes on with the others when one fails, fails aloud, and makes up for it in the next run", async () => {
    const grievance_ids: string[] = [];
    for (let i = 0; i < 3; i++) grievance_ids.push((await complained()).grievance_id);
    vi.setSystemTime(Date.now() + DAY_MS);
    await expect(escalateDue(withFailingBatch())).rejects.toThrow("1 escalation(s) failed");
    const told = async () =>
      (await Promise.all(grievance_ids.map((id) => eventsOf("grievance.escalated", id)))).map(
        (e) => e.length,
      );
    expect((await told()).sort()).toEqual([0, 1, 1]);
    await escalateDue(quiet);
    expect(await told()).toEqual([1, 1, 1]);
  });
});

describe("the audit entries", () => {
  it("reach the audit log once, with the time of what they tell of, however often they are delivered", async () => {
    const { grievance_id, goTo, ack_by } = await complained();
    goTo(DAY_MS + 60_000);
    await escalateDue(quiet);
    const events = await eventsOf("audit_event", grievance_id);
    for (const event of [...events, ...events]) await handleEvent(quiet, event);
    const entries = await auditLogOf(grievance_id);
    expect(entries.map(({ type }) => type)).toEqual(["grievance.filed", "grievance.escalated"]);
    expect(entries[1]).toMatchObject({
      actor: { kind: "system", id: null },
      details: { occurred_at: ack_by },
    });
    for (const event of events) expect(await isWaiting(event)).toBe(false);
  });

  it("stay in the outbox while the audit log cannot be written", async () => {
    const { grievance_id } = await complained();
    const [event] = (await eventsOf("audit_event", grievance_id)) as [EventEnvelope];
    const AUDIT_LOG = new Proxy(env.AUDIT_LOG, {
      get: () => () => {
        throw new Error("audit log is down");
      },
    });
    const broken = { ...quiet, AUDIT_LOG } as unknown as Env;
    await expect(handleEvent(broken, event)).rejects.toThrow("audit log is down");
    expect(await isWaiting(event)).toBe(true);
  });
});
