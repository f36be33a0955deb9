import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { nowIso, nowMs } from "../../src/lib/seams.ts";
import { withdrawNotice } from "../../src/parties/notices.ts";
import { publishNotice } from "../../src/parties/provisioning.ts";
import { createProvisional, retailersOfPhone } from "../../src/retailers/store.ts";
import { bearerHeaders, seedLender, seedService } from "../support/auth.ts";
import {
  type Cast,
  call,
  deliver,
  hashOf,
  invite,
  newPhone,
  postInvitation,
  pressed,
  said,
  seconds,
  seedCast,
  sentTo,
} from "./support.ts";

const URL = "https://api.altscore.in/v1/consent/invitations";

let cast: Cast;
beforeAll(async () => {
  cast = await seedCast(2);
});

async function codeOf(response: Response): Promise<[number, string]> {
  return [response.status, (await response.json<{ error_code: string }>()).error_code];
}

/** A second retailer for a phone that names one already. */
async function secondRetailer(phone: string): Promise<string> {
  const retailer_id = await createProvisional(env, hashOf(newPhone()));
  await env.DB.prepare("INSERT INTO retailer_identifiers VALUES ('phone', ?, ?, 'phone-1', ?)")
    .bind(hashOf(phone), retailer_id, nowIso())
    .run();
  return retailer_id;
}

describe("POST /v1/consent/invitations, happy", () => {
  it("answers 202 with the invitation and until when it can be answered", async () => {
    const response = await postInvitation(cast, newPhone());
    expect(response.status).toBe(202);
    const answer = await response.json<{ invitation_id: string; answer_by: string; expires_at: string }>();
    expect(answer.invitation_id).toMatch(/^inv_[0-9a-f]{16}$/);
    expect(Date.parse(answer.answer_by) - nowMs()).toBeGreaterThan(6.9 * 86_400_000);
    expect(Date.parse(answer.expires_at) - nowMs()).toBeGreaterThan(364 * 86_400_000);
  });

  it("is the same invitation while it is open, and sends nothing again", async () => {
    const phone = newPhone();
    const first = await (await postInvitation(cast, phone)).json();
    const again = await postInvitation(cast, phone);
    expect([again.status, await again.json()]).toEqual([200, first]);
    expect(await sentTo(phone)).toHaveLength(1);
  });

  it("is a new one with other terms, or once the old one was answered or stopped", async () => {
    const phone = newPhone();
    const first = await invite(cast, phone);
    const [one] = cast.lender_ids;
    expect((await invite(cast, phone, { lender_ids: [one] })).invitation_id).not.toBe(first.invitation_id);
    await deliver(pressed(phone, first, "DENY"));
    const second = await invite(cast, phone);
    expect(second.invitation_id).not.toBe(first.invitation_id);
    await deliver(said(phone, "STOP", { timestamp: seconds() }));
    expect((await postInvitation(cast, phone)).status).toBe(202);
  });

  it("lets the retailer be named where the phone belongs to several", async () => {
    const phone = newPhone();
    await createProvisional(env, hashOf(phone));
    const retailer_id = await secondRetailer(phone);
    const notice = await invite(cast, phone, { retailer_id });
    await deliver(pressed(phone, notice, "GRANT"));
    const { results } = await env.DB.prepare(
      "SELECT DISTINCT retailer_id FROM consents WHERE retailer_id IN (?, ?)",
    )
      .bind(...(await retailersOfPhone(env, hashOf(phone))))
      .all();
    expect(results).toEqual([{ retailer_id }]);
  });

  it("ends the consent when the notice said", async () => {
    const phone = newPhone();
    const expires_at = new Date(nowMs() + 30 * 86_400_000).toISOString();
    const notice = await invite(cast, phone, { expires_at });
    await deliver(pressed(phone, notice, "GRANT"));
    const [retailer_id] = await retailersOfPhone(env, hashOf(phone));
    const row = await env.DB.prepare("SELECT expires_at FROM consents WHERE retailer_id = ?")
      .bind(retailer_id)
      .first();
    expect(row).toEqual({ expires_at });
  });
});

describe("POST /v1/consent/invitations, error", () => {
  it.each([
    ["no phone", { retailer_phone: undefined }, 400, "INVALID_REQUEST"],
    ["a phone with its country", { retailer_phone: "+919876500001" }, 400, "INVALID_REQUEST"],
    ["no lender", { lender_ids: [] }, 400, "INVALID_REQUEST"],
    ["another purpose", { purposes: ["marketing"] }, 400, "INVALID_REQUEST"],
    ["another language", { language: "ta" }, 400, "INVALID_REQUEST"],
    ["a malformed retailer", { retailer_id: "x" }, 400, "INVALID_RETAILER_ID"],
    ["an end in the past", { expires_at: "2020-01-01T00:00:00Z" }, 400, "INVALID_REQUEST"],
    ["an end beyond 12 months", { expires_at: "2099-01-01T00:00:00Z" }, 400, "INVALID_REQUEST"],
    ["nobody who declares an adult", { adult_declared: undefined }, 422, "ADULT_REQUIRED"],
    ["an unknown notice", { notice_version: "9" }, 422, "NOTICE_UNKNOWN"],
    ["an unknown distributor", { distributor_id: "dist_0000000000000000" }, 422, "UNKNOWN_PARTY"],
    [
      "a retailer that the phone does not name",
      { retailer_id: "ret_0000000000000000" },
      404,
      "RETAILER_NOT_FOUND",
    ],
  ])("refuses %s, and sends nothing", async (_what, changes, status, code) => {
    const phone = newPhone();
    const response = await postInvitation(cast, phone, changes);
    expect(await codeOf(response)).toEqual([status, code]);
    expect(await sentTo(phone)).toEqual([]);
  });

  it("refuses two lenders of which one is unknown", async () => {
    const lender_ids = [(await seedLender()).lender_id, "lender_nobody"];
    expect(await codeOf(await postInvitation(cast, newPhone(), { lender_ids }))).toEqual([
      422,
      "UNKNOWN_PARTY",
    ]);
  });

  it("refuses a phone of several retailers", async () => {
    const phone = newPhone();
    await createProvisional(env, hashOf(phone));
    await secondRetailer(phone);
    expect(await codeOf(await postInvitation(cast, phone))).toEqual([409, "AMBIGUOUS_RETAILER"]);
  });

  it("refuses a notice in one language only: the retailer could not switch", async () => {
    await publishNotice(env, {
      notice_id: "english-only",
      notice_version: "1",
      language: "en",
      text: "May we?",
    });
    const response = await postInvitation(cast, newPhone(), {
      notice_id: "english-only",
      notice_version: "1",
    });
    expect(await codeOf(response)).toEqual([422, "NOTICE_UNKNOWN"]);
  });

  it("a notice withdrawn before the answer leads to no consent", async () => {
    const old = { notice_id: "soon-withdrawn", notice_version: "1" };
    for (const language of ["en", "hi"])
      await publishNotice(env, { ...old, language, text: `May we? ${language}` });
    const phone = newPhone();
    const notice = await invite(cast, phone, old);
    await withdrawNotice(env, old);
    await deliver(pressed(phone, notice, "GRANT"));
    expect((await sentTo(phone)).at(-1)?.kind).toBe("not_recorded");
  });
});

describe("POST /v1/consent/invitations, security", () => {
  it("is closed without a token, to lenders, and to services that may not write consents", async () => {
    expect((await call(URL, { method: "POST", body: "{}" })).status).toBe(401);
    for (const client of [await seedLender(), await seedService("consent:read")]) {
      const response = await call(URL, { method: "POST", headers: await bearerHeaders(client), body: "{}" });
      expect(await codeOf(response)).toEqual([403, "SCOPE_INSUFFICIENT"]);
    }
  });

  it("never says the number back", async () => {
    const phone = newPhone();
    const good = await (await postInvitation(cast, phone)).text();
    const bad = await (await postInvitation(cast, `${phone}0`)).text();
    expect(good + bad).not.toContain(phone);
  });
});
