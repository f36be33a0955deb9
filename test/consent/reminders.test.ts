import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import fc from "fast-check";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { dueReminder, remindOfExpiry } from "../../src/consent/reminders.ts";
import { recordRevocation } from "../../src/consent/service.ts";
import { runSchedule } from "../../src/schedule.ts";
import { waOutbox } from "../../src/whatsapp/tables.ts";
import { granted, type Parties, seedParties } from "./support.ts";

const DAY_MS = 86_400_000;
const DAILY = "10 2 * * *";
let parties: Parties;

beforeAll(async () => {
  parties = await seedParties();
});

afterEach(() => {
  vi.useRealTimers();
});

/** Runs the daily schedule at a time before an end. */
async function runAt(expires_at: string, days_before: number): Promise<void> {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.parse(expires_at) - days_before * DAY_MS });
  await remindOfExpiry(env);
}

async function remindersOf(retailer_id: string): Promise<{ text: string; language: string; days: number }[]> {
  const rows = await drizzle(env.DB).select().from(waOutbox);
  return rows
    .filter((row) => row.retailer_id === retailer_id && row.kind === "consent.expires_soon")
    .map(({ content, language, dedupe_key }) => ({
      text: (JSON.parse(content) as { text: string }).text,
      language,
      days: Number(dedupe_key.split("/").at(-1)),
    }));
}

const daysOf = async (retailer_id: string) => (await remindersOf(retailer_id)).map(({ days }) => days);

describe("the reminders of an end", () => {
  it("come 30 and 7 days before, once each, in the language of the consent and with the lenders' names", async () => {
    const lender_scope = parties.lenders.slice(0, 2).map(({ lender_id }) => lender_id);
    const { retailer_id, expires_at } = await granted(parties, { lender_scope });
    for (const days_before of [31, 30, 29.5, 8, 7, 6, 1]) await runAt(expires_at, days_before);
    const reminders = await remindersOf(retailer_id);
    expect(reminders.map(({ days, language }) => [days, language])).toEqual([
      [30, "hi"],
      [7, "hi"],
    ]);
    const { text } = reminders[0] as { text: string };
    expect(text).toContain("STOP");
    expect(text).toContain(String(new Date(expires_at).getUTCFullYear()));
    expect(text).not.toContain("{");
  });

  it("are in English for a consent in English or a language we have no text in", async () => {
    const { retailer_id, expires_at } = await granted(parties, { language: "en-IN" });
    await runAt(expires_at, 5);
    expect((await remindersOf(retailer_id))[0]?.text).toMatch(
      /^Your permission to .+ ends on \d+ \w+ \d{4}\./,
    );
  });

  it("are made up for after missed runs: the nearer one only", async () => {
    const late = await granted(parties);
    await runAt(late.expires_at, 20);
    expect(await daysOf(late.retailer_id)).toEqual([30]);
    vi.useRealTimers();
    const later = await granted(parties);
    await runAt(later.expires_at, 2);
    expect(await daysOf(later.retailer_id)).toEqual([7]);
    await runAt(later.expires_at, -1);
    expect(await daysOf(later.retailer_id)).toEqual([7]);
  });

  it("do not come for a consent that was revoked, or that a newer one to the same lender outlives", async () => {
    const ended = await granted(parties);
    await recordRevocation(env, { consent_id: ended.consent_id }, parties.service.client_id);
    const renewed = await granted(parties, { expires_at: new Date(Date.now() + 100 * DAY_MS).toISOString() });
    await granted(parties, { retailer_id: renewed.retailer_id });
    await runAt(renewed.expires_at, 5);
    await runAt(ended.expires_at, 31);
    expect(await daysOf(ended.retailer_id)).toEqual([]);
    expect(await daysOf(renewed.retailer_id)).toEqual([]);
  });

  it("stand in the daily schedule", async () => {
    const { retailer_id, expires_at } = await granted(parties);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.parse(expires_at) - 3 * DAY_MS });
    await runSchedule(DAILY, env);
    expect(await daysOf(retailer_id)).toEqual([7]);
  });

  it("reach every grant, also beyond one page", async () => {
    const expires_at = new Date(Date.now() + 200 * DAY_MS).toISOString();
    const many = await Promise.all(Array.from({ length: 105 }, () => granted(parties, { expires_at })));
    await runAt(expires_at, 7);
    const reminded = await Promise.all(many.map(({ retailer_id }) => daysOf(retailer_id)));
    expect(reminded.every((days) => days.length === 1)).toBe(true);
  });
});

describe("which reminder is due", () => {
  it("is the nearest whose day has come, if the consent is older than that day", () => {
    const granted_ms = Date.UTC(2026, 0, 1);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 366 }), fc.integer({ min: 0, max: 400 }), (life_days, day) => {
        const due = dueReminder(
          {
            granted_at: new Date(granted_ms).toISOString(),
            expires_at: new Date(granted_ms + life_days * DAY_MS).toISOString(),
          },
          granted_ms + day * DAY_MS,
        );
        const left = life_days - day;
        const nearest = left <= 0 || left > 30 ? null : left <= 7 ? 7 : 30;
        expect(due).toBe(nearest !== null && nearest <= life_days ? nearest : null);
      }),
    );
  });
});
