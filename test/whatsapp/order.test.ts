import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { consentHistory } from "../../src/consent/service.ts";
import type { Env } from "../../src/env.ts";
import { nowIso, nowMs } from "../../src/lib/seams.ts";
import { retailersOfPhone } from "../../src/retailers/store.ts";
import { storeMessages } from "../../src/whatsapp/inbox.ts";
import { readDelivery } from "../../src/whatsapp/webhook.ts";
import { workInbox } from "../../src/whatsapp/work.ts";
import { seedLender } from "../support/auth.ts";
import {
  body,
  type Cast,
  deliver,
  hashOf,
  invite,
  isConsented,
  type MetaMessage,
  newPhone,
  pressed,
  repliesTo,
  said,
  seconds,
  seedCast,
  workAll,
} from "./support.ts";

let cast: Cast;
let lender: string;
beforeAll(async () => {
  cast = await seedCast();
  lender = cast.lender_ids[0] as string;
});

/** Lets a phone name the retailer that another phone names already. */
async function linkPhone(phone: string, to: string): Promise<void> {
  const [retailer_id] = await retailersOfPhone(env, hashOf(to));
  await env.DB.prepare("INSERT INTO retailer_identifiers VALUES ('phone', ?, ?, 'phone-1', ?)")
    .bind(hashOf(phone), retailer_id, nowIso())
    .run();
}

/** Stores messages as a webhook does, and leaves the work to the test. */
const store = (...messages: MetaMessage[]) =>
  storeMessages(env, readDelivery(JSON.parse(body({ messages }))).messages);

describe("messages out of order", () => {
  it("an Allow older than a STOP does not revive anything", async () => {
    const phone = newPhone();
    const notice = await invite(cast, phone);
    await deliver(said(phone, "STOP", { timestamp: seconds(50) }));
    await deliver(pressed(phone, notice, "GRANT", { timestamp: seconds(60) }));
    expect(await isConsented(phone, lender)).toBe(false);
    expect(await repliesTo(phone)).toEqual(["stopped", "too_late"]);
  });

  it("of Allow and STOP in the same second STOP wins, whichever comes first", async () => {
    for (const stop_first of [true, false]) {
      const phone = newPhone();
      const notice = await invite(cast, phone);
      const stop = said(phone, "STOP", { timestamp: seconds(50) });
      const allow = pressed(phone, notice, "GRANT", { timestamp: seconds(50) });
      for (const message of stop_first ? [stop, allow] : [allow, stop]) await deliver(message);
      expect(await isConsented(phone, lender)).toBe(false);
    }
  });

  it("a STOP days late ends what was allowed before it, and not what was allowed after", async () => {
    const phone = newPhone();
    const old = await invite(cast, phone);
    await deliver(pressed(phone, old, "GRANT", { timestamp: seconds(5 * 86_400) }));
    await deliver(said(phone, "STOP", { timestamp: seconds(4 * 86_400) }));
    expect(await isConsented(phone, lender)).toBe(false);

    const renewed = await invite(cast, phone);
    await deliver(pressed(phone, renewed, "GRANT", { timestamp: seconds(2 * 86_400) }));
    await deliver(said(phone, "STOP", { timestamp: seconds(3 * 86_400) }));
    expect(await isConsented(phone, lender)).toBe(true);
  });

  it("an Allow is single-use: pressed again after a STOP it is no new permission, in any order", async () => {
    const phone = newPhone();
    const notice = await invite(cast, phone);
    const first = pressed(phone, notice, "GRANT", { timestamp: seconds(60) });
    const stop = said(phone, "STOP", { timestamp: seconds(50) });
    const again = pressed(phone, notice, "GRANT", { timestamp: seconds(40) });
    await deliver(again);
    await deliver(stop);
    expect(await isConsented(phone, lender)).toBe(true);
    // Only now it is known that the permission was given, and taken back, before.
    await deliver(first);
    expect(await isConsented(phone, lender)).toBe(false);
  });

  it("a refusal after a STOP came first is a refusal all the same", async () => {
    const phone = newPhone();
    const notice = await invite(cast, phone);
    await deliver(pressed(phone, notice, "DENY", { timestamp: seconds(40) }));
    await deliver(pressed(phone, notice, "GRANT", { timestamp: seconds(60) }));
    expect(await isConsented(phone, lender)).toBe(false);
  });
});

describe("clocks that differ", () => {
  it("a time in the future counts as now: a STOP from it does not block what comes after", async () => {
    const phone = newPhone();
    const notice = await invite(cast, phone);
    await deliver(said(phone, "STOP", { timestamp: seconds(-10 * 365 * 86_400) }));
    const now_ms = nowMs();
    while (Math.floor(nowMs() / 1000) === Math.floor(now_ms / 1000)) await scheduler.wait(50);
    await deliver(pressed(phone, notice, "GRANT", { timestamp: seconds(-86_400) }));
    expect(await isConsented(phone, lender)).toBe(true);
  });

  it.each(["", "soon", "-5", "1e9", "99999999999999"])(
    "a STOP with the time %j still counts",
    async (timestamp) => {
      const phone = newPhone();
      const notice = await invite(cast, phone);
      await deliver(pressed(phone, notice, "GRANT", { timestamp: seconds(60) }));
      await deliver(said(phone, "STOP", { timestamp }));
      expect(await isConsented(phone, lender)).toBe(false);
    },
  );
});

describe("a grant while a revocation is in flight", () => {
  it("ends without consent, whoever is first: 40 races in one retailer each", async () => {
    const phones = Array.from({ length: 40 }, () => newPhone());
    for (const phone of phones) {
      const notice = await invite(cast, phone);
      await store(pressed(phone, notice, "GRANT", { timestamp: seconds(60) }));
      // Claimed by one run while the STOP is stored and claimed by another.
      const granting = workInbox(env);
      await store(said(phone, "STOP", { timestamp: seconds(50) }));
      await Promise.all([granting, workInbox(env)]);
      const stopped_first = (await repliesTo(phone)).includes("stopped");
      if (stopped_first) expect(await isConsented(phone, lender)).toBe(false);
    }
    await workAll();
    for (const phone of phones) {
      expect(await isConsented(phone, lender)).toBe(false);
      expect(await repliesTo(phone)).toContain("stopped");
    }
  });

  it("that was overtaken by a STOP is written not at all", async () => {
    const phone = newPhone();
    // Two lenders: so the grant's transaction is the only batch of more than six statements.
    const lender_ids = [lender, (await seedLender()).lender_id];
    const notice = await invite(cast, phone, { lender_ids });
    // The STOP is worked off between the moment the grant was found to stand and its transaction.
    let overtaken = false;
    const batch = async (statements: D1PreparedStatement[]) => {
      const writes_grant = statements.length > 6;
      if (writes_grant && !overtaken) {
        overtaken = true;
        await deliver(said(phone, "STOP", { timestamp: seconds(50) }));
      }
      return env.DB.batch(statements);
    };
    const DB = new Proxy(env.DB, {
      get: (db, name: keyof D1Database) => (name === "batch" ? batch : db[name].bind(db)),
    });
    await store(pressed(phone, notice, "GRANT", { timestamp: seconds(60) }));
    await workInbox({ ...env, DB } as Env);
    expect(overtaken).toBe(true);
    expect(await repliesTo(phone)).toEqual(["stopped"]);
    await workAll();
    expect(await repliesTo(phone)).toEqual(["stopped", "too_late"]);
    const [retailer_id] = await retailersOfPhone(env, hashOf(phone));
    expect((await consentHistory(env, retailer_id as string)).records).toEqual([]);
  });
});

describe("a retailer with two phones", () => {
  it("stops by either, also what the other allows from before", async () => {
    const [first, second] = [newPhone(), newPhone()];
    const notice = await invite(cast, first);
    await deliver(pressed(first, notice, "GRANT", { timestamp: seconds(60) }));
    await linkPhone(second, first);
    await deliver(said(second, "बंद", { timestamp: seconds(50) }));
    expect(await isConsented(first, lender)).toBe(false);

    const renewed = await invite(cast, first);
    await deliver(pressed(first, renewed, "GRANT", { timestamp: seconds(55) }));
    expect(await isConsented(first, lender)).toBe(false);
  });
});

describe("a phone of several retailers", () => {
  /** Two retailers of their own phones, with consents, and a third phone that names both. */
  async function shared() {
    const [first, second, both] = [newPhone(), newPhone(), newPhone()];
    for (const phone of [first, second]) {
      const notice = await invite(cast, phone);
      await deliver(pressed(phone, notice, "GRANT", { timestamp: seconds(60) }));
      await linkPhone(both, phone);
    }
    return { first, second, both };
  }

  it("is told plainly that a request cannot be placed", async () => {
    const { both } = await shared();
    for (const text of ["RIGHTS", "DELETE", "EXPORT", "HELP the score is wrong"])
      await deliver(said(both, text));
    const { results } = await env.DB.prepare("SELECT kind FROM wa_outbox WHERE phone_hash = ?")
      .bind(hashOf(both))
      .all();
    expect(results).toEqual(Array.from({ length: 4 }, () => ({ kind: "several_shops" })));
  });

  it("stops for all of them: to take back never needs a question", async () => {
    const { first, second, both } = await shared();
    await deliver(said(both, "STOP", { timestamp: seconds(10) }));
    expect([await isConsented(first, lender), await isConsented(second, lender)]).toEqual([false, false]);
  });
});

describe("a grant to two lenders", () => {
  it("of which one is unknown by then is refused whole, with nothing half-written", async () => {
    const phone = newPhone();
    const gone = (await seedLender()).lender_id;
    const notice = await invite(cast, phone, { lender_ids: [lender, gone] });
    await env.DB.prepare("DELETE FROM lenders WHERE lender_id = ?").bind(gone).run();
    await deliver(pressed(phone, notice, "GRANT"));
    expect(await repliesTo(phone)).toEqual(["not_recorded"]);
    expect(await retailersOfPhone(env, hashOf(phone))).toEqual([]);
    const { results } = await env.DB.prepare("SELECT 1 FROM wa_grants WHERE invitation_id = ?")
      .bind(notice.invitation_id)
      .all();
    expect(results).toEqual([]);
  });
});
