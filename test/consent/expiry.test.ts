import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { publicJwks } from "../../src/auth/keys.ts";
import { expireConsents } from "../../src/consent/expiry.ts";
import { findConsent } from "../../src/consent/lookup.ts";
import {
  checkConsent,
  consentHistory,
  exportConsents,
  recordPause,
  recordRevocation,
} from "../../src/consent/service.ts";
import { verifyExport } from "../../src/consent/verify.ts";
import { newEvent } from "../../src/events/envelope.ts";
import { lenderNotices } from "../../src/notifications/tables.ts";
import { handleEvent } from "../../src/pipeline/consumers.ts";
import { runSchedule } from "../../src/schedule.ts";
import {
  absorb,
  eventsOf,
  gateDenies,
  granted,
  newMessageId,
  type Parties,
  post,
  seedParties,
  withBefore,
  withoutD1,
} from "./support.ts";

let parties: Parties;
let a: string;
let b: string;

beforeAll(async () => {
  parties = await seedParties();
  a = parties.lenders[0].lender_id;
  b = parties.lenders[1].lender_id;
});

afterEach(() => {
  vi.useRealTimers();
});

const MINUTE_MS = 60_000;

/** A consent that ends a minute from now. */
const brief = (changes: Parameters<typeof granted>[1] = {}) =>
  granted(parties, { expires_at: new Date(Date.now() + MINUTE_MS).toISOString(), ...changes });

function setClock(at: string, offset_ms = 0): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.parse(at) + offset_ms });
}

const statuses = async (retailer_id: string) =>
  (await consentHistory(env, retailer_id)).records.map((record) => record.status);

describe("a consent that runs out", () => {
  it("is refused from that very millisecond on: by the caches, by D1 and by the gate", async () => {
    const { retailer_id, consent_id, expires_at } = await brief();
    expect(await findConsent(env, a, retailer_id)).toMatchObject({ consent_id });
    setClock(expires_at, -1);
    expect(await findConsent(env, a, retailer_id)).toMatchObject({ consent_id });
    expect(await findConsent(env, a, retailer_id, { fresh: true })).toMatchObject({ consent_id });
    expect(await gateDenies(a, consent_id, Date.parse(expires_at))).toBe(false);
    setClock(expires_at);
    expect(await findConsent(env, a, retailer_id)).toBeNull();
    expect(await findConsent(env, a, retailer_id, { fresh: true })).toBeNull();
    expect(await checkConsent(env, a, retailer_id)).toEqual({ consented: false });
    expect(await gateDenies(a, consent_id, Date.parse(expires_at))).toBe(true);
  });

  it("gets an EXPIRED record by the schedule, and not before; the export verifies", async () => {
    const { retailer_id, consent_id, expires_at } = await brief({ lender_scope: [a, b] });
    setClock(expires_at, -1);
    await expireConsents(env);
    expect(await statuses(retailer_id)).toEqual(["ACTIVE", "ACTIVE"]);
    setClock(expires_at, 5_000);
    await runSchedule("* * * * *", env);
    const exported = await exportConsents(env, retailer_id);
    expect(exported.records.map(({ seq, status }) => [seq, status])).toEqual([
      [1, "ACTIVE"],
      [2, "ACTIVE"],
      [3, "EXPIRED"],
      [4, "EXPIRED"],
    ]);
    expect(exported.records[2]).toMatchObject({
      consent_id,
      change: { at: expires_at, by: "system", channel: "schedule", evidence: null },
      revoked_at: null,
    });
    expect(await verifyExport(exported, await publicJwks(env))).toEqual({ valid: true, problems: [] });
    expect(await eventsOf(retailer_id)).toMatchObject([
      { type: "consent.granted" },
      { type: "consent.expired", data: { lender_ids: [a, b] } },
    ]);
  });

  it("is recorded once, however often and however many runs there are, also after missed ones", async () => {
    const { retailer_id, expires_at } = await brief();
    setClock(expires_at, 40 * 86_400_000);
    await Promise.all([expireConsents(env), expireConsents(env), expireConsents(env)]);
    await expireConsents(env);
    expect(await statuses(retailer_id)).toEqual(["ACTIVE", "EXPIRED"]);
  });

  it("expires also while it is paused, and under a retailer that was absorbed", async () => {
    const first = await brief();
    await recordPause(env, { consent_id: first.consent_id }, parties.service.client_id);
    const into = await absorb(first.retailer_id);
    setClock(first.expires_at);
    await expireConsents(env);
    expect(await statuses(into)).toEqual(["ACTIVE", "PAUSED", "EXPIRED"]);
    expect(await eventsOf(into)).toMatchObject([{ type: "consent.expired" }]);
  });

  it("counts as revoked: revoking it again names its end and appends nothing", async () => {
    const { retailer_id, consent_id, expires_at } = await brief();
    setClock(expires_at, 1_000);
    await expireConsents(env);
    expect(await recordRevocation(env, { consent_id }, parties.service.client_id)).toMatchObject({
      revoked: [consent_id],
      status: "revoked",
      revoked_at: expires_at,
    });
    expect(await statuses(retailer_id)).toEqual(["ACTIVE", "EXPIRED"]);
  });

  it("is not expired once it is revoked, also if the revocation comes in between", async () => {
    const { retailer_id, consent_id, expires_at } = await brief();
    setClock(expires_at);
    const revoking = withBefore(() => recordRevocation(env, { consent_id }, parties.service.client_id));
    await expireConsents(revoking);
    expect(await statuses(retailer_id)).toEqual(["ACTIVE", "REVOKED"]);
  });

  it("does not stop the others' when its own chain cannot be read, but fails the run", async () => {
    const good = await brief();
    const bad = await brief();
    // A projection without a grant behind it.
    await env.DB.prepare(
      "INSERT INTO consents SELECT 'cns_00000000000000ee', retailer_id, chain_retailer_id, lender_id, purposes, status, grant_group, granted_at, expires_at, revoked_at FROM consents WHERE consent_id = ?",
    )
      .bind(bad.consent_id)
      .run();
    setClock(good.expires_at, MINUTE_MS);
    await expect(expireConsents(env)).rejects.toThrow("1 chain(s) could not be expired");
    await env.DB.prepare("DELETE FROM consents WHERE consent_id = 'cns_00000000000000ee'").run();
    expect(await statuses(good.retailer_id)).toEqual(["ACTIVE", "EXPIRED"]);
    expect(await statuses(bad.retailer_id)).toEqual(["ACTIVE"]);
    await expireConsents(env);
    expect(await statuses(bad.retailer_id)).toEqual(["ACTIVE", "EXPIRED"]);
  });

  it("fails the run aloud while D1 is down", async () => {
    await expect(expireConsents(withoutD1())).rejects.toThrow("D1 is down");
  });

  it("is told to its lender", async () => {
    const { retailer_id, consent_id, expires_at } = await brief();
    setClock(expires_at);
    const data = { retailer_id, consent_ids: [consent_id], lender_ids: [a] };
    await expireConsents(env);
    await handleEvent(env, newEvent("consent.expired", retailer_id, data));
    const told = await drizzle(env.DB)
      .select()
      .from(lenderNotices)
      .where(eq(lenderNotices.retailer_id, retailer_id));
    expect(told).toMatchObject([
      { lender_id: a, type: "consent.expired", data: JSON.stringify({ consent_id }) },
    ]);
  });
});

describe("a grant that is sent again after its consent expired", () => {
  it("is the same act: the first answer, and no consent", async () => {
    const body = {
      retailer_phone_hash: "d".repeat(64),
      distributor_id: parties.distributor_id,
      lender_scope: [a],
      purpose: "term_loan",
      consent_channel: "whatsapp",
      wa_message_id: newMessageId(),
      language: "hi",
      notice_id: "trade-score",
      notice_version: "1",
      expires_at: new Date(Date.now() + MINUTE_MS).toISOString(),
      adult_declared: true,
    };
    const first = await post(parties.service, "/v1/consent/grant", body);
    const answer = await first.json<{ retailer_id: string; expires_at: string }>();
    setClock(answer.expires_at);
    await expireConsents(env);
    const again = await post(parties.service, "/v1/consent/grant", body);
    expect([again.status, await again.json()]).toEqual([200, answer]);
    expect(await checkConsent(env, a, answer.retailer_id)).toEqual({ consented: false });
    expect(await statuses(answer.retailer_id)).toEqual(["ACTIVE", "EXPIRED"]);
  });
});
