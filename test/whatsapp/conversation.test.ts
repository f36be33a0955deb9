import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { consentHistory } from "../../src/consent/service.ts";
import { sha256Hex } from "../../src/lib/bytes.ts";
import { retailersOfPhone } from "../../src/retailers/store.ts";
import {
  type Cast,
  deliver,
  hashOf,
  invite,
  isConsented,
  newPhone,
  noticesOf,
  pressed,
  repliesTo,
  said,
  seconds,
  seedCast,
  sentTo,
} from "./support.ts";

let cast: Cast;
let lender: string;
beforeAll(async () => {
  cast = await seedCast(2);
  lender = cast.lender_ids[0] as string;
});

async function recordsOf(phone: string) {
  const [retailer_id] = await retailersOfPhone(env, hashOf(phone));
  return (await consentHistory(env, retailer_id as string)).records;
}

describe("a chat that consents", () => {
  it("shows the notice with three buttons, takes Allow, says until when, and takes STOP", async () => {
    const phone = newPhone();
    const notice = await invite(cast, phone, { language: "hi" });
    const [shown] = await sentTo(phone);
    expect(shown).toMatchObject({
      kind: "notice",
      language: "hi",
      state: "sent",
      sealed_phone: null,
      content: {
        type: "template",
        name: "chat_score_1_0",
        parameters: ["Test distributor", "Test lender, Test lender", expect.any(String)],
      },
    });
    expect(shown?.content).toMatchObject({
      payloads: ["GRANT", "DENY", "LANG"].map((answer) => `c1|${notice.instance_id}|${answer}`),
    });

    const allow = pressed(phone, notice, "GRANT", { timestamp: seconds(60) });
    await deliver(allow);
    for (const lender_id of cast.lender_ids) expect(await isConsented(phone, lender_id)).toBe(true);
    const records = await recordsOf(phone);
    expect(records).toHaveLength(2);
    expect(records[0]).toMatchObject({
      channel: "whatsapp",
      language: "hi",
      retailer_identifier_hmac: hashOf(phone),
      notice: { id: "chat-score", version: "1.0" },
      evidence: {
        notice_wamid: notice.wamid,
        answer_wamid: allow.id,
        answer_type: "button",
        answer_payload: `c1|${notice.instance_id}|GRANT`,
        wa_timestamp: new Date(Number(allow.timestamp) * 1000).toISOString(),
        received_at: expect.any(String),
      },
    });

    await deliver(said(phone, "stop", { timestamp: seconds(30) }));
    for (const lender_id of cast.lender_ids) expect(await isConsented(phone, lender_id)).toBe(false);
    expect((await recordsOf(phone)).at(-1)).toMatchObject({
      status: "REVOKED",
      revoke_channel: "whatsapp",
      revoke_evidence: { answer_type: "text", answer_text_sha256: sha256Hex("stop") },
    });
    expect(await repliesTo(phone)).toEqual(["granted", "stopped"]);
    expect((await sentTo(phone)).every((row) => row.state === "sent" && row.sealed_phone === null)).toBe(
      true,
    );
  });

  it.each(["हाँ", "हां", "HAAN", "YES", "ALLOW", " YES \n", "हाँ".normalize("NFD")])(
    "takes the typed word %j",
    async (word) => {
      const phone = newPhone();
      await invite(cast, phone);
      await deliver(said(phone, word));
      expect(await isConsented(phone, lender)).toBe(true);
    },
  );

  it("takes a typed word that answers the notice", async () => {
    const phone = newPhone();
    const { wamid } = await invite(cast, phone);
    await deliver(said(phone, "YES", { reply_to: wamid }));
    expect(await isConsented(phone, lender)).toBe(true);
  });

  it("shows the notice in the other language, once, and records the language that was answered", async () => {
    const phone = newPhone();
    const first = await invite(cast, phone);
    await deliver(pressed(phone, first, "LANG"), pressed(phone, first, "LANG"));
    const [, second] = await noticesOf(first.invitation_id);
    expect(second).toMatchObject({ language: "hi", wamid: expect.stringMatching(/^wamid\./) });
    expect((await sentTo(phone)).filter((row) => row.kind === "notice")).toHaveLength(2);
    await deliver(pressed(phone, second!, "GRANT"));
    expect((await recordsOf(phone))[0]).toMatchObject({ language: "hi" });
    const thanks = (await sentTo(phone)).find((row) => row.kind === "granted");
    expect(thanks).toMatchObject({ language: "hi", content: { text: expect.stringContaining("धन्यवाद") } });
  });

  it("grants once, however often Allow is pressed", async () => {
    const phone = newPhone();
    const notice = await invite(cast, phone);
    await deliver(pressed(phone, notice, "GRANT"), pressed(phone, notice, "GRANT"));
    await deliver(pressed(phone, notice, "GRANT"));
    expect(await recordsOf(phone)).toHaveLength(2);
    expect(await repliesTo(phone)).toEqual(["granted"]);
  });
});

describe("what is not a consent", () => {
  it.each(["OK", "👍", "yes", "YES!", "हाँ जी", "ALLOW IT", "1", "", "haan"])(
    "%j is asked about",
    async (text) => {
      const phone = newPhone();
      await invite(cast, phone);
      await deliver(said(phone, text));
      expect(await isConsented(phone, lender)).toBe(false);
      expect(await repliesTo(phone)).toEqual(["ask_again"]);
    },
  );

  it("is asked about twice at most, and silence is no consent", async () => {
    const phone = newPhone();
    await invite(cast, phone);
    for (const text of ["OK", "hm", "what?", "OK"]) await deliver(said(phone, text));
    expect(await repliesTo(phone)).toEqual(["ask_again", "ask_again"]);
    expect(await isConsented(phone, lender)).toBe(false);
  });

  it.each(["image", "sticker", "audio", "reaction", "location"])("a %s is asked about", async (type) => {
    const phone = newPhone();
    await invite(cast, phone);
    const { text: _text, ...rest } = said(phone, "");
    await deliver({ ...rest, type, [type]: { id: "1" } });
    expect(await repliesTo(phone)).toEqual(["ask_again"]);
  });

  it.each(["system", "unsupported", "hologram"])(
    "a message of type %s is stored and not answered",
    async (type) => {
      const phone = newPhone();
      await invite(cast, phone);
      const { text: _text, ...rest } = said(phone, "");
      await deliver({ ...rest, type, errors: [{ code: 131051 }] });
      expect(await repliesTo(phone)).toEqual([]);
    },
  );

  it("Allow counts only under the very message that showed the notice, to the very phone", async () => {
    const [phone, other] = [newPhone(), newPhone()];
    const [notice, foreign] = [await invite(cast, phone), await invite(cast, other)];
    await deliver(
      pressed(phone, { ...notice, wamid: "wamid.other" }, "GRANT"),
      pressed(phone, { ...notice, wamid: foreign.wamid }, "GRANT"),
      pressed(phone, foreign, "GRANT"),
      pressed(phone, { ...notice, instance_id: "0".repeat(32) }, "GRANT"),
    );
    const { context: _context, ...bare } = pressed(phone, notice, "GRANT");
    await deliver(bare as never);
    expect(await isConsented(phone, lender)).toBe(false);
    expect(await isConsented(other, lender)).toBe(false);
    expect(new Set(await repliesTo(phone))).toEqual(new Set(["notice_unknown"]));
  });

  it("a typed yes does not count while two invitations are open; the buttons do", async () => {
    const phone = newPhone();
    const [one, another] = cast.lender_ids as [string, string];
    await invite(cast, phone, { lender_ids: [one] });
    const second = await invite(cast, phone, { lender_ids: [another] });
    await deliver(said(phone, "YES"));
    expect(await isConsented(phone, another)).toBe(false);
    expect((await repliesTo(phone)).at(-1)).toBe("use_button");
    await deliver(pressed(phone, second, "GRANT"));
    expect([await isConsented(phone, one), await isConsented(phone, another)]).toEqual([false, true]);
  });

  it("an Allow after the invitation has run out", async () => {
    const phone = newPhone();
    const notice = await invite(cast, phone);
    await env.DB.prepare("UPDATE wa_invitations SET answer_by_s = 1000 WHERE invitation_id = ?")
      .bind(notice.invitation_id)
      .run();
    await deliver(pressed(phone, notice, "GRANT"));
    expect(await isConsented(phone, lender)).toBe(false);
    expect(await repliesTo(phone)).toEqual(["notice_expired"]);
  });
});

describe("a refusal", () => {
  it("is recorded, audited and confirmed", async () => {
    const phone = newPhone();
    const notice = await invite(cast, phone);
    await deliver(pressed(phone, notice, "DENY", { timestamp: seconds(10) }));
    expect(await isConsented(phone, lender)).toBe(false);
    expect(await repliesTo(phone)).toEqual(["refused"]);
    const row = await env.DB.prepare("SELECT denied_s FROM wa_invitations WHERE invitation_id = ?")
      .bind(notice.invitation_id)
      .first<{ denied_s: number }>();
    expect(row?.denied_s).toBeGreaterThan(0);
  });

  it("after an Allow takes the permission back", async () => {
    const phone = newPhone();
    const notice = await invite(cast, phone);
    await deliver(pressed(phone, notice, "GRANT", { timestamp: seconds(60) }));
    await deliver(pressed(phone, notice, "DENY", { timestamp: seconds(50) }));
    expect(await isConsented(phone, lender)).toBe(false);
    expect(await repliesTo(phone)).toEqual(["granted", "stopped"]);
  });

  it("can be thought over: a later Allow counts", async () => {
    const phone = newPhone();
    const notice = await invite(cast, phone);
    await deliver(pressed(phone, notice, "DENY", { timestamp: seconds(60) }));
    await deliver(pressed(phone, notice, "GRANT", { timestamp: seconds(50) }));
    expect(await isConsented(phone, lender)).toBe(true);
  });
});

describe("STOP", () => {
  it.each(["STOP", "stop", "Stop.", " NAHI! ", "nahi", "नहीं", "नहीं!", "बंद", "बंद.", "नहीं".normalize("NFD")])(
    "written %j takes every permission back, with one confirmation",
    async (word) => {
      const phone = newPhone();
      const notice = await invite(cast, phone);
      await deliver(pressed(phone, notice, "GRANT", { timestamp: seconds(60) }));
      await deliver(said(phone, word, { timestamp: seconds(50) }));
      expect(await isConsented(phone, lender)).toBe(false);
      expect(await repliesTo(phone)).toEqual(["granted", "stopped"]);
    },
  );

  it.each(["STOP!!", "don't stop", "बंद करो मत", "STOPP"])("is not %j", async (text) => {
    const phone = newPhone();
    const notice = await invite(cast, phone);
    await deliver(pressed(phone, notice, "GRANT", { timestamp: seconds(60) }));
    await deliver(said(phone, text, { timestamp: seconds(50) }));
    expect(await isConsented(phone, lender)).toBe(true);
    expect((await repliesTo(phone)).at(-1)).toBe("menu");
  });

  it("from a phone that nobody knows is confirmed too", async () => {
    const phone = newPhone();
    await deliver(said(phone, "STOP"));
    expect((await sentTo(phone)).map((row) => row.kind)).toEqual(["stopped"]);
  });
});
