import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import { beforeAll, describe, expect, it } from "vitest";
import { newUuid } from "../../src/lib/seams.ts";
import { retailersOfPhone } from "../../src/retailers/store.ts";
import { phonesNamed } from "../../src/whatsapp/heard.ts";
import { type OutboundText, outboundStatements, queueMessages } from "../../src/whatsapp/outbound.ts";
import { purgeWaiting, sendDue } from "../../src/whatsapp/outbox.ts";
import { type MessageSender, RecordingSender, type SendOutcome } from "../../src/whatsapp/sender.ts";
import {
  body,
  type Cast,
  deliver,
  deliverRaw,
  hashOf,
  invite,
  newPhone,
  postInvitation,
  pressed,
  said,
  seedCast,
  sentTo,
} from "./support.ts";

let cast: Cast;
beforeAll(async () => {
  cast = await seedCast();
});

/** A sender that gives these outcomes in turn, then accepts. */
function sendingWith(...outcomes: SendOutcome[]): MessageSender & { calls: number } {
  const accepted = new RecordingSender();
  return {
    calls: 0,
    async send(message) {
      return outcomes[this.calls++] ?? accepted.send(message);
    },
  };
}

/** Puts a phone's last message back into the outbox as if it had just been written. */
async function unsend(phone: string): Promise<void> {
  const [last] = (await sentTo(phone)).slice(-1);
  const { knownPhone } = await import("../../src/whatsapp/outbox.ts");
  const { sealed_phone } = await knownPhone(env, hashOf(phone), `91${phone}`);
  await env.DB.prepare(
    "UPDATE wa_outbox SET state = 'pending', sealed_phone = ?, wamid = NULL, attempts = 0, next_attempt_ms = 0 WHERE message_id = ?",
  )
    .bind(sealed_phone, last?.message_id)
    .run();
  await env.DB.prepare("UPDATE wa_notices SET wamid = NULL WHERE instance_id = ?")
    .bind(last?.instance_id)
    .run();
}

const makeDue = () => env.DB.exec("UPDATE wa_outbox SET next_attempt_ms = 0 WHERE state = 'pending'");
const lastOf = async (phone: string) => (await sentTo(phone)).at(-1)!;

describe("a message in the outbox", () => {
  it("that is refused for the moment is tried again later, with growing pauses and the error's code", async () => {
    const phone = newPhone();
    await invite(cast, phone);
    await unsend(phone);
    const busy = { kind: "retry", code: 130429, after_s: null } as const;
    const sender = sendingWith(busy, busy);
    await sendDue(env, sender);
    const first = await lastOf(phone);
    expect(first).toMatchObject({
      state: "pending",
      attempts: 1,
      error_code: 130429,
      sealed_phone: expect.any(String),
    });
    expect(await sendDue(env, sender)).toBe(0);
    expect(sender.calls).toBe(1);

    await makeDue();
    const before_ms = Date.now();
    await sendDue(env, sender);
    const second = await lastOf(phone);
    expect(second.next_attempt_ms - before_ms).toBeGreaterThan(9_000);
    await makeDue();
    await sendDue(env, sender);
    expect(await lastOf(phone)).toMatchObject({ state: "sent", error_code: null, sealed_phone: null });
  });

  it("waits as long as Meta says", async () => {
    const phone = newPhone();
    await invite(cast, phone);
    await unsend(phone);
    await sendDue(env, sendingWith({ kind: "retry", code: 80007, after_s: 900 }));
    expect((await lastOf(phone)).next_attempt_ms).toBeGreaterThan(Date.now() + 890_000);
  });

  it("that is refused for good has failed, and its number is gone", async () => {
    const phone = newPhone();
    await invite(cast, phone);
    await unsend(phone);
    await sendDue(env, sendingWith({ kind: "refused", code: 131026 }));
    expect(await lastOf(phone)).toMatchObject({ state: "failed", error_code: 131026, sealed_phone: null });
  });

  it("that does not open does not hold up the others", async () => {
    const [broken, good] = [newPhone(), newPhone()];
    for (const phone of [broken, good]) await invite(cast, phone);
    for (const phone of [broken, good]) await unsend(phone);
    await env.DB.prepare("UPDATE wa_outbox SET sealed_phone = 'v1.x.y' WHERE phone_hash = ?")
      .bind(hashOf(broken))
      .run();
    await sendDue(env);
    expect([(await lastOf(broken)).state, (await lastOf(good)).state]).toEqual(["pending", "sent"]);
  });

  it("is sent once by runs in parallel", async () => {
    const phone = newPhone();
    await invite(cast, phone);
    await unsend(phone);
    const senders = Array.from({ length: 4 }, () => new RecordingSender());
    await Promise.all(senders.map((sender) => sendDue(env, sender)));
    expect(senders.flatMap((sender) => sender.sent)).toMatchObject([{ to: `91${phone}` }]);
  });

  it("holds the number sealed until then, and never in clear", async () => {
    const phone = newPhone();
    await invite(cast, phone);
    await unsend(phone);
    for (const table of ["wa_outbox", "wa_inbox", "wa_conversations", "wa_invitations", "wa_notices"]) {
      const { results } = await env.DB.prepare(`SELECT * FROM ${table}`).all();
      expect(JSON.stringify(results)).not.toContain(phone);
    }
    await sendDue(env);
  });
});

describe("statuses", () => {
  const status = (id: string, name: string, more = {}) => ({
    id,
    status: name,
    timestamp: "1790000000",
    recipient_id: "919876500001",
    ...more,
  });

  it("move delivery forward only, in whatever order they come", async () => {
    const phone = newPhone();
    const { wamid } = await invite(cast, phone);
    for (const statuses of [[status(wamid, "read")], [status(wamid, "sent"), status(wamid, "delivered")]]) {
      expect((await deliverRaw(body({ statuses }))).status).toBe(200);
    }
    expect((await lastOf(phone)).delivery).toBe(3);
  });

  it("keep the code of a failure", async () => {
    const phone = newPhone();
    const { wamid } = await invite(cast, phone);
    await deliverRaw(body({ statuses: [status(wamid, "failed", { errors: [{ code: 131049 }] })] }));
    expect((await lastOf(phone)).error_code).toBe(131049);
  });

  it("tell of a message whose sending was never noted: it is not sent again, and its notice can be answered", async () => {
    const phone = newPhone();
    const notice = await invite(cast, phone);
    await unsend(phone);
    const { message_id } = await lastOf(phone);
    await deliverRaw(
      body({ statuses: [status("wamid.lost", "sent", { biz_opaque_callback_data: message_id })] }),
    );
    expect(await lastOf(phone)).toMatchObject({ state: "sent", wamid: "wamid.lost", sealed_phone: null });
    await deliver(pressed(phone, { ...notice, wamid: "wamid.lost" }, "GRANT"));
    expect((await lastOf(phone)).kind).toBe("granted");
  });

  it("of messages that are not ours change nothing", async () => {
    expect((await deliverRaw(body({ statuses: [status("wamid.foreign", "read")] }))).status).toBe(200);
  });
});

describe("a text of another module", () => {
  const textTo = (retailer_id: string): OutboundText => ({
    retailer_id,
    kind: "grievance.resolved",
    language: "hi",
    text: "आपकी शिकायत\nका समाधान हो गया है।",
    dedupe_key: newUuid(),
  });

  /** A retailer whose phone has consented. */
  async function consented(): Promise<{ phone: string; retailer_id: string }> {
    const phone = newPhone();
    const notice = await invite(cast, phone);
    await deliver(pressed(phone, notice, "GRANT"));
    const [retailer_id] = await retailersOfPhone(env, hashOf(phone));
    return { phone, retailer_id: retailer_id as string };
  }

  it("waits without a number until the phone is heard, and goes out once", async () => {
    const { phone, retailer_id } = await consented();
    const text = textTo(retailer_id);
    await queueMessages(env, [text, text]);
    const db = drizzle(env.DB);
    const [statement] = outboundStatements(db, [text]);
    await statement;
    expect(await lastOf(phone)).toMatchObject({ state: "waiting", sealed_phone: null, kind: text.kind });
    await deliver(said(phone, "OK"));
    const sent = (await sentTo(phone)).filter((row) => row.kind === text.kind);
    expect(sent).toMatchObject([{ state: "sent", content: { type: "text", text: text.text } }]);
  });

  it("goes out when a distributor's batch names the number", async () => {
    const { phone, retailer_id } = await consented();
    await queueMessages(env, [textTo(retailer_id)]);
    await phonesNamed(env, [{ retailer_phone: newPhone() }, { retailer_phone: 5 }, null, "x", {}]);
    expect((await lastOf(phone)).state).toBe("waiting");
    await phonesNamed(env, [{ retailer_phone: ` ${phone} ` }, { retailer_phone: phone }]);
    expect(await lastOf(phone)).toMatchObject({ state: "sent", sealed_phone: null });
  });

  it("is sent as a template once the 24 hours are over", async () => {
    const { phone, retailer_id } = await consented();
    await queueMessages(env, [textTo(retailer_id)]);
    await unsend(phone);
    await env.DB.prepare("UPDATE wa_conversations SET heard_s = heard_s - 86400 WHERE phone_hash = ?")
      .bind(hashOf(phone))
      .run();
    const sender = new RecordingSender();
    await sendDue(env, sender);
    expect(sender.sent).toMatchObject([
      {
        to: `91${phone}`,
        content: {
          type: "template",
          name: "altscore_update",
          parameters: ["आपकी शिकायत का समाधान हो गया है।"],
        },
      },
    ]);
  });

  it("to a retailer without a phone, or to nobody, is silently nothing", async () => {
    await queueMessages(env, [textTo("ret_0000000000000000")]);
    await queueMessages(env, []);
    const { results } = await env.DB.prepare(
      "SELECT 1 FROM wa_outbox WHERE retailer_id = 'ret_0000000000000000'",
    ).all();
    expect(results).toEqual([]);
  });

  it("is dropped after 60 days of waiting", async () => {
    const { phone, retailer_id } = await consented();
    await queueMessages(env, [textTo(retailer_id)]);
    await purgeWaiting(env);
    expect((await lastOf(phone)).state).toBe("waiting");
    await env.DB.exec("UPDATE wa_outbox SET created_at = '2020-01-01T00:00:00.000Z' WHERE state = 'waiting'");
    await purgeWaiting(env);
    expect((await lastOf(phone)).kind).toBe("granted");
  });
});

describe("the requests of a chat", () => {
  /** The rights requests and grievances of a phone's retailer. */
  async function openedBy(phone: string) {
    const [retailer_id] = await retailersOfPhone(env, hashOf(phone));
    const { results } = await env.DB.prepare(
      "SELECT kind, request_id AS id FROM rights_requests WHERE retailer_id = ?1 UNION ALL SELECT 'grievance', grievance_id FROM grievances WHERE retailer_id = ?1",
    )
      .bind(retailer_id)
      .all<{ kind: string; id: string }>();
    return results;
  }

  it.each([
    ["CORRECT", "correction"],
    ["Correct bill 12 was paid in May", "correction"],
    ["DELETE", "erasure"],
    ["EXPORT.", "export"],
    ["HELP मेरा स्कोर ग़लत है", "grievance"],
  ])("%j opens one of the kind %s, and says its reference", async (text, kind) => {
    const phone = newPhone();
    await invite(cast, phone);
    const message = said(phone, text);
    await deliver(message, message);
    const opened = await openedBy(phone);
    expect(opened).toMatchObject([{ kind }]);
    const reply = await lastOf(phone);
    expect(reply.kind).toBe(kind);
    expect(JSON.stringify(reply.content)).toContain(opened[0]?.id);
  });

  it.each(["RIGHTS", "rights", "Rights."])(
    "%j is answered with what is held and what can be asked for",
    async (text) => {
      const phone = newPhone();
      await invite(cast, phone);
      await deliver(said(phone, text));
      const reply = JSON.stringify((await lastOf(phone)).content);
      expect(reply).toMatch(/What we hold about you.*EXPORT.*CORRECT.*DELETE.*STOP.*HELP/);
    },
  );

  it("HELP alone is answered with how to complain", async () => {
    const phone = newPhone();
    await invite(cast, phone);
    await deliver(said(phone, "HELP"));
    expect((await lastOf(phone)).kind).toBe("help");
    expect(await openedBy(phone)).toEqual([]);
  });

  it("a sixth complaint in a day is put off in plain words", async () => {
    const phone = newPhone();
    await invite(cast, phone);
    for (let i = 0; i < 6; i++) await deliver(said(phone, `HELP complaint ${"x".repeat(i)}`));
    expect((await lastOf(phone)).kind).toBe("grievance_limit");
    expect(await openedBy(phone)).toHaveLength(5);
  });

  it("by a phone that nobody knows cannot be placed", async () => {
    const phone = newPhone();
    await deliver(said(phone, "EXPORT"));
    expect((await sentTo(phone)).map((row) => row.kind)).toEqual(["shop_unknown"]);
    expect(await retailersOfPhone(env, hashOf(phone))).toEqual([]);
  });

  it("do not need a consent: who was invited has them", async () => {
    const phone = newPhone();
    await postInvitation(cast, phone);
    await deliver(said(phone, "DELETE"));
    expect((await lastOf(phone)).kind).toBe("erasure");
  });
});
