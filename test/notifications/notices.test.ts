import { env } from "cloudflare:workers";
import { eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { recordRevocation } from "../../src/consent/service.ts";
import { consents } from "../../src/consent/tables.ts";
import { newEvent } from "../../src/events/envelope.ts";
import { newId } from "../../src/lib/seams.ts";
import { notifyOfConsent, notifyOfScore } from "../../src/notifications/events.ts";
import { type LenderNotice, noticeStatements, notifyLenders } from "../../src/notifications/notify.ts";
import { purgeNotices } from "../../src/notifications/service.ts";
import { lenderNotices } from "../../src/notifications/tables.ts";
import { handleEvent } from "../../src/pipeline/consumers.ts";
import { webhookDeliveries } from "../../src/webhooks/tables.ts";
import { granted, newRetailer, type Parties, seedParties } from "../consent/support.ts";
import { deliveriesOf, forgetWebhooks, seedWebhook } from "../webhooks/support.ts";

let parties: Parties;
let a: string;
let b: string;
let c: string;

beforeAll(async () => {
  parties = await seedParties();
  [a, b, c] = parties.lenders.map((lender) => lender.lender_id) as [string, string, string];
});

beforeEach(async () => {
  await forgetWebhooks();
  await drizzle(env.DB).delete(lenderNotices);
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** What was written, in the feed's order. */
const written = () => drizzle(env.DB).select().from(lenderNotices).orderBy(lenderNotices.seq);
const told = async () => (await written()).map((row) => [row.lender_id, row.type, JSON.parse(row.data)]);

const notice = (lender_id: string, dedupe_key?: string): LenderNotice => ({
  lender_id,
  type: "consent.expired",
  retailer_id: newId("ret"),
  data: { consent_id: newId("cns") },
  ...(dedupe_key ? { dedupe_key } : {}),
});

describe("notices in the batch of a state change", () => {
  it("are written with it, in the order given, with their deliveries", async () => {
    const scene = await seedWebhook();
    const { lender_id } = scene.lender;
    const db = drizzle(env.DB);
    const notices = [notice(lender_id), notice(b), notice(lender_id)];
    await db.batch([
      db.delete(consents).where(eq(consents.consent_id, "none")),
      ...noticeStatements(db, notices),
    ]);
    const rows = await written();
    expect(rows.map((row) => row.retailer_id)).toEqual(notices.map((row) => row.retailer_id));
    const own = rows.filter((row) => row.lender_id === lender_id).map((row) => row.notice_id);
    expect((await deliveriesOf(scene)).map((row) => row.delivery_id)).toEqual(own.reverse());
  });

  it("are not written if it fails", async () => {
    const scene = await seedWebhook();
    const db = drizzle(env.DB);
    const unlawful = db.update(consents).set({ status: sql`NULL` });
    await granted(parties);
    await expect(
      db.batch([...noticeStatements(db, [notice(scene.lender.lender_id)]), unlawful]),
    ).rejects.toThrow();
    expect(await written()).toEqual([]);
    expect(await drizzle(env.DB).select().from(webhookDeliveries)).toEqual([]);
  });

  it("come once per lender and key, and so do their deliveries", async () => {
    const scene = await seedWebhook();
    const { lender_id } = scene.lender;
    await notifyLenders(env, [notice(lender_id, "k"), notice(b, "k"), notice(lender_id, "k")]);
    await notifyLenders(env, [notice(lender_id, "k"), notice(lender_id, "other")]);
    expect((await written()).map((row) => row.lender_id)).toEqual([lender_id, b, lender_id]);
    expect(await deliveriesOf(scene)).toHaveLength(2);
  });

  it("are any number, none included", async () => {
    await notifyLenders(env, []);
    await drizzle(env.DB).batch(noticeStatements(drizzle(env.DB), []));
    expect(await written()).toEqual([]);
    await notifyLenders(
      env,
      Array.from({ length: 300 }, () => notice(a)),
    );
    expect(await written()).toHaveLength(300);
  });
});

describe("consent.granted and consent.revoked", () => {
  it("tell each lender of its own consents, once however often the event comes", async () => {
    const grant = await granted(parties, { lender_scope: [a, b] });
    const [of_a, of_b] = grant.consents.map((made) => made.consent_id) as [string, string];
    const { retailer_id } = grant;
    const data = { retailer_id, consent_ids: [of_a, of_b], lender_ids: [a, b] };
    const given = newEvent("consent.granted", retailer_id, data);
    await Promise.all([notifyOfConsent(env, given), notifyOfConsent(env, given)]);
    expect((await told()).sort()).toEqual(
      [
        [a, "consent.granted", { consent_id: of_a }],
        [b, "consent.granted", { consent_id: of_b }],
      ].sort(),
    );
    await recordRevocation(env, { retailer_id }, parties.service.client_id);
    const ended = newEvent("consent.revoked", retailer_id, data);
    await handleEvent(env, ended);
    await handleEvent(env, ended);
    expect((await told()).slice(2).sort()).toEqual(
      [
        [a, "consent.revoked", { consent_id: of_a }],
        [b, "consent.revoked", { consent_id: of_b }],
      ].sort(),
    );
    expect(new Set((await written()).map((row) => row.retailer_id))).toEqual(new Set([retailer_id]));
  });
});

describe("score.computed", () => {
  const computed = (retailer_id: string) =>
    newEvent("score.computed", retailer_id, { retailer_id, score_id: newId("scr") });

  it("tells the lenders with an active consent at that moment, nobody else, and no score", async () => {
    const retailer_id = await newRetailer();
    await granted(parties, { retailer_id, lender_scope: [a] });
    await granted(parties, { retailer_id, lender_scope: [a] });
    const second = await granted(parties, { retailer_id, lender_scope: [b, c] });
    await recordRevocation(env, { retailer_id, lender_id: b }, parties.service.client_id);
    const of_c = second.consents[1]?.consent_id ?? "";
    const expires_at = new Date(Date.now() - 1).toISOString();
    await drizzle(env.DB).update(consents).set({ expires_at }).where(eq(consents.consent_id, of_c));
    const event = computed(retailer_id);
    await handleEvent(env, event);
    await handleEvent(env, event);
    expect(await told()).toEqual([[a, "score.refreshed", { score_id: event.data.score_id }]]);
    await notifyOfScore(env, computed(retailer_id));
    expect(await told()).toHaveLength(2);
  });

  it("does not tell a lender whose consent ends between the look-up and the writing", async () => {
    const retailer_id = await newRetailer();
    await granted(parties, { retailer_id, lender_scope: [a, b] });
    let pending = true;
    const batch = async (statements: D1PreparedStatement[]) => {
      if (pending) await recordRevocation(env, { retailer_id, lender_id: b }, parties.service.client_id);
      pending = false;
      return env.DB.batch(statements);
    };
    const get = (db: D1Database, name: keyof D1Database) => (name === "batch" ? batch : db[name].bind(db));
    const raced = { ...env, DB: new Proxy(env.DB, { get: (db, name) => get(db, name as keyof D1Database) }) };
    await notifyOfScore(raced, computed(retailer_id));
    expect((await told()).map(([lender_id]) => lender_id)).toEqual([a]);
  });
});

describe("purgeNotices", () => {
  it("forgets after 90 days, but keeps each lender's last: it is the cursor of who is up to date", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    await notifyLenders(env, [notice(a), notice(a), notice(b)]);
    const [, last_of_a, last_of_b] = await written();
    vi.setSystemTime(Date.now() + 90 * 86_400_000 - 1);
    await purgeNotices(env);
    expect(await written()).toHaveLength(3);
    vi.setSystemTime(Date.now() + 2);
    await purgeNotices(env);
    expect(await written()).toEqual([last_of_a, last_of_b]);
  });
});
