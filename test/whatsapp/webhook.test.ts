import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { parseEnv } from "../../src/config.ts";
import type { Env } from "../../src/env.ts";
import { utf8 } from "../../src/lib/bytes.ts";
import { waInbox } from "../../src/whatsapp/tables.ts";
import { readDelivery } from "../../src/whatsapp/webhook.ts";
import {
  body,
  type Cast,
  call,
  deliver,
  deliverRaw,
  endingIsolate,
  hashOf,
  invite,
  isConsented,
  newPhone,
  pressed,
  repliesTo,
  said,
  seconds,
  seedCast,
  sentTo,
  signature,
  WEBHOOK,
  workAll,
} from "./support.ts";

let cast: Cast;
let lender: string;
beforeAll(async () => {
  cast = await seedCast();
  lender = cast.lender_ids[0] as string;
});

const handshake = (query: Record<string, string>) => call(`${WEBHOOK}?${new URLSearchParams(query)}`, {});

/** Posts a body with these signature headers. */
const post = (raw: string | Uint8Array, headers: Record<string, string>) =>
  call(WEBHOOK, { method: "POST", body: typeof raw === "string" ? raw : new Uint8Array(raw), headers });

const stored = (phone: string) =>
  drizzle(env.DB)
    .select()
    .from(waInbox)
    .where(eq(waInbox.phone_hash, hashOf(phone)));

describe("GET /webhooks/whatsapp", () => {
  const good = {
    "hub.mode": "subscribe",
    "hub.challenge": "1158201444",
    "hub.verify_token": env.WHATSAPP_VERIFY_TOKEN,
  };

  it("answers the challenge as plain text", async () => {
    const response = await handshake(good);
    expect([response.status, await response.text()]).toEqual([200, "1158201444"]);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain/);
  });

  it.each([
    ["another token", { ...good, "hub.verify_token": "wrong" }],
    ["an empty token", { ...good, "hub.verify_token": "" }],
    ["another mode", { ...good, "hub.mode": "unsubscribe" }],
    ["nothing", {}],
  ])("is 403 with %s", async (_what, query) => {
    const response = await handshake(query);
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ error_code: "VERIFY_TOKEN_INVALID" });
  });
});

describe("POST /webhooks/whatsapp, signature", () => {
  const raw = body({ messages: [said("9876500001", "hello")] });

  it("is over the raw bytes: not over what they mean", async () => {
    const sent = raw.replace("hello", "\\u0068ello").replaceAll('":', '" :');
    expect((await deliverRaw(sent)).status).toBe(200);
    expect((await post(sent, { "X-Hub-Signature-256": await signature(raw) })).status).toBe(401);
  });

  it("may be written in capitals", async () => {
    const given = (await signature(raw)).replace(/[0-9a-f]{64}/, (hex) => hex.toUpperCase());
    expect((await post(raw, { "X-Hub-Signature-256": given })).status).toBe(200);
  });

  it.each([
    ["none", async () => ({})],
    ["an empty one", async () => ({ "X-Hub-Signature-256": "" })],
    ["one by another secret", async () => ({ "X-Hub-Signature-256": await signature(raw, "0".repeat(64)) })],
    ["one without its prefix", async () => ({ "X-Hub-Signature-256": (await signature(raw)).slice(7) })],
    ["the older SHA-1 header", async () => ({ "X-Hub-Signature": await signature(raw) })],
    ["one that is cut off", async () => ({ "X-Hub-Signature-256": (await signature(raw)).slice(0, -2) })],
  ])("is refused if there is %s, and nothing is stored", async (_what, headers) => {
    const phone = newPhone();
    const forged = body({ messages: [said(phone, "STOP")] });
    expect((await post(forged, { ...(await headers()) } as Record<string, string>)).status).toBe(401);
    expect(await stored(phone)).toEqual([]);
  });

  it("does not fit a body that was cut off, or changed in any byte", async () => {
    const header = { "X-Hub-Signature-256": await signature(raw) };
    const bytes = utf8(raw);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const altered = new Uint8Array(bytes);
        altered[at] = (altered[at] as number) ^ change;
        expect((await post(altered, header)).status).toBe(401);
        expect((await post(bytes.slice(0, at), header)).status).toBe(401);
      }),
      { numRuns: 20 },
    );
  });
});

describe("POST /webhooks/whatsapp, size", () => {
  it("declares itself too large: 413 without a byte read", async () => {
    const response = await post("x".repeat(10 * 1024 * 1024), {
      "X-Hub-Signature-256": `sha256=${"0".repeat(64)}`,
    });
    expect(response.status).toBe(413);
  });

  it("10 MB that come without a length are read up to the limit only", async () => {
    let pulled = 0;
    const chunk = new Uint8Array(64 * 1024);
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled += chunk.byteLength;
        if (pulled > 10 * 1024 * 1024) controller.close();
        else controller.enqueue(chunk);
      },
    });
    const response = await call(WEBHOOK, {
      method: "POST",
      body: stream,
      headers: { "X-Hub-Signature-256": `sha256=${"0".repeat(64)}` },
    });
    expect(response.status).toBe(413);
    expect(pulled).toBeLessThan(3 * 1024 * 1024);
  });
});

describe("POST /webhooks/whatsapp, shapes", () => {
  it.each([
    ["no JSON", "hello"],
    ["nothing", ""],
    ["null", "null"],
    ["a list", "[]"],
    ["another object", JSON.stringify({ object: "page", entry: [] })],
    ["no entries", JSON.stringify({ object: "whatsapp_business_account" })],
    [
      "entries of no known form",
      JSON.stringify({ object: "whatsapp_business_account", entry: [1, null, {}] }),
    ],
    [
      "another field",
      JSON.stringify({
        object: "whatsapp_business_account",
        entry: [{ changes: [{ field: "message_template_status_update", value: { event: "APPROVED" } }] }],
      }),
    ],
    [
      "messages of no known form",
      body({ messages: [1, {}, { id: "x" }, { from: "1", id: "", timestamp: 5 }] }),
    ],
    ["statuses of no known form", body({ statuses: [{}, { id: "x", status: "played" }] })],
    ["invalid UTF-8 read as text", "\ufffd"],
    ["deep nesting", `${"[".repeat(50_000)}${"]".repeat(50_000)}`],
  ])("of %s is answered 200", async (_what, raw) => {
    expect((await deliverRaw(raw)).status).toBe(200);
  });

  it("never throws, whatever JSON it is", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        readDelivery(value);
        readDelivery({
          object: "whatsapp_business_account",
          entry: [{ changes: [{ field: "messages", value }] }],
        });
        readDelivery(JSON.parse(body({ messages: [value], statuses: [value] })));
      }),
    );
  });

  it("of unknown items does not hide the known ones beside them", async () => {
    const phone = newPhone();
    const raw = body({ messages: [{ hologram: true }, said(phone, "STOP"), null] });
    expect((await deliverRaw(raw)).status).toBe(200);
    expect((await sentTo(phone)).map((row) => row.kind)).toEqual(["stopped"]);
  });

  it("for another of the business's numbers is left alone", () => {
    const raw = JSON.parse(body({ messages: [said("9876500001", "STOP")] }));
    expect(readDelivery(raw, "106540352242922").messages).toHaveLength(1);
    expect(readDelivery(raw, "999").messages).toHaveLength(0);
  });
});

describe("a delivery", () => {
  it("that comes again, alone or in another body, changes and says nothing", async () => {
    const phone = newPhone();
    const notice = await invite(cast, phone);
    const allow = pressed(phone, notice, "GRANT", { timestamp: seconds(60) });
    const help = said(phone, "RIGHTS", { timestamp: seconds(50) });
    for (const messages of [[allow, allow, help], [help, allow], [allow]]) await deliver(...messages);
    expect((await repliesTo(phone)).sort()).toEqual(["granted", "rights"]);
    expect(await stored(phone)).toHaveLength(2);
  });

  it("replayed long after its id was forgotten does not revive or end anything", async () => {
    const phone = newPhone();
    const notice = await invite(cast, phone);
    const allow = pressed(phone, notice, "GRANT", { timestamp: seconds(60) });
    const stop = said(phone, "STOP", { timestamp: seconds(50) });
    await deliver(allow, stop);
    await env.DB.exec("DELETE FROM wa_inbox");
    await deliver(allow);
    expect(await isConsented(phone, lender)).toBe(false);

    const renewed = await invite(cast, phone);
    await deliver(pressed(phone, renewed, "GRANT", { timestamp: seconds() }));
    await env.DB.exec("DELETE FROM wa_inbox");
    await deliver(stop);
    expect(await isConsented(phone, lender)).toBe(true);
  });

  it("keeps neither number nor words once it is worked off", async () => {
    const phone = newPhone();
    await deliver(said(phone, "something private"));
    expect(await stored(phone)).toMatchObject([{ sealed: null, done_at: expect.any(String) }]);
  });

  it("whose isolate dies after the answer is worked off by the next minute's run", async () => {
    const phone = newPhone();
    const notice = await invite(cast, phone);
    const raw = body({ messages: [pressed(phone, notice, "GRANT")] });
    expect((await deliverRaw(raw, endingIsolate())).status).toBe(200);
    expect(await isConsented(phone, lender)).toBe(false);
    const [row] = await stored(phone);
    expect(row?.sealed).not.toContain(phone);
    await workAll();
    expect(await isConsented(phone, lender)).toBe(true);
  });

  it("is not answered 200 while it cannot be stored, so that Meta brings it again", async () => {
    const raw = body({ messages: [said(newPhone(), "STOP")] });
    const DB = new Proxy(env.DB, {
      get: () => () => {
        throw new Error("D1 is down");
      },
    });
    const response = await deliverRaw(raw, { ...env, DB } as Env);
    expect(response.status).toBe(503);
  });
});

describe("the settings", () => {
  it.each([
    ["WHATSAPP_APP_SECRET", undefined],
    ["WHATSAPP_APP_SECRET", "0".repeat(64)],
    ["WHATSAPP_APP_SECRET", "secret"],
    ["WHATSAPP_VERIFY_TOKEN", undefined],
    ["WHATSAPP_VERIFY_TOKEN", "token"],
    ["WHATSAPP_PHONE_NUMBER_ID", "+91 98765"],
  ])("are refused at start with %s %j", (name, value) => {
    expect(() => parseEnv({ ...env, [name]: value })).toThrow(new RegExp(`${name}: `));
  });

  it("need the Cloud API's account in production", () => {
    expect(() => parseEnv({ ...env, ENVIRONMENT: "production" })).toThrow(/WHATSAPP_ACCESS_TOKEN: is needed/);
    expect(() => parseEnv({ ...env, WHATSAPP_PHONE_NUMBER_ID: "106540352242922" })).toThrow(/is needed with/);
  });
});
