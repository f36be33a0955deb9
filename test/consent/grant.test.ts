import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import { beforeAll, describe, expect, it } from "vitest";
import { publicJwks } from "../../src/auth/keys.ts";
import { type GrantAnswer, grantBody, toGrantRequest } from "../../src/consent/schemas.ts";
import { checkConsent, consentHistory, recordGrant } from "../../src/consent/service.ts";
import { verifyChains } from "../../src/consent/verify.ts";
import { outbox } from "../../src/events/tables.ts";
import { sha256Hex } from "../../src/lib/bytes.ts";
import { publishNotice, withdrawNotice } from "../../src/parties/provisioning.ts";
import { profilesOf } from "../../src/retailers/store.ts";
import { retailerIdentifiers, retailers } from "../../src/retailers/tables.ts";
import { seedService } from "../support/auth.ts";
import {
  anonymous,
  errorCode,
  type GrantBody,
  grantFor,
  NOTICE,
  NOTICE_TEXT_HI,
  newMessageId,
  newPhoneHash,
  newRetailer,
  type Parties,
  post,
  seedParties,
  withoutD1,
} from "./support.ts";

const PATH = "/v1/consent/grant";
let parties: Parties;

beforeAll(async () => {
  parties = await seedParties();
});

const grant = (changes: Partial<GrantBody> = {}) => post(parties.service, PATH, grantFor(parties, changes));

describe("POST /v1/consent/grant, happy", () => {
  it("takes a grant outside WhatsApp without a message id, each time as a new act", async () => {
    const body = grantFor(parties, { consent_channel: "portal", wa_message_id: undefined });
    const first = await post(parties.service, PATH, body);
    expect(first.status).toBe(201);
    const { consent_id, retailer_id } = await first.json<GrantAnswer>();
    const second = await post(parties.service, PATH, body);
    expect(second.status).toBe(201);
    expect((await second.json<GrantAnswer>()).consent_id).not.toBe(consent_id);
    const { records } = await consentHistory(env, retailer_id);
    expect(records[0]?.evidence.answer_wamid).toBeNull();
  });

  it("takes the retailer_id where both phone and retailer_id are sent", async () => {
    const retailer_id = await newRetailer();
    const response = await grant({ retailer_id, retailer_phone_hash: newPhoneHash() });
    expect(response.status).toBe(201);
    expect(await response.json<GrantAnswer>()).toMatchObject({ retailer_id });
  });

  it("answers 201 with one signed consent per lender, the first one's id and signature in front", async () => {
    const lender_scope = [parties.lenders[1].lender_id, parties.lenders[0].lender_id];
    const response = await grant({
      lender_scope,
      purpose: undefined,
      purposes: ["term_loan", "credit_line"],
    });
    expect(response.status).toBe(201);
    const answer = await response.json<GrantAnswer>();
    expect(Object.keys(answer).sort()).toEqual(
      [
        "consent_id",
        "consents",
        "expires_at",
        "lender_scope",
        "purpose",
        "retailer_id",
        "signature",
        "signed_at",
      ].sort(),
    );
    expect(answer.consents.map((consent) => consent.lender_id)).toEqual(lender_scope);
    expect(answer.lender_scope).toEqual(lender_scope);
    expect(answer.purpose).toBe("term_loan");
    expect(answer).toMatchObject({
      consent_id: answer.consents[0]?.consent_id,
      signature: answer.consents[0]?.signature,
    });
    expect(new Set(answer.consents.map((consent) => consent.consent_id)).size).toBe(2);
  });

  it("appends records that verify with the public JWKS alone", async () => {
    const answer = await (
      await grant({ lender_scope: parties.lenders.map((lender) => lender.lender_id) })
    ).json<GrantAnswer>();
    const { records } = await consentHistory(env, answer.retailer_id);
    expect(records.map((record) => record.seq)).toEqual([1, 2, 3]);
    expect(new Set(records.map((record) => record.grant_group)).size).toBe(1);
    expect(records.map((record) => record.signature)).toEqual(
      answer.consents.map((consent) => consent.signature),
    );
    expect(await verifyChains(records, await publicJwks(env))).toEqual({ valid: true, problems: [] });
  });

  it("keeps the evidence: phone HMAC and its key, notice with hash, message, language, who recorded it", async () => {
    const body = grantFor(parties, { language: "hi-in" });
    const answer = await (await post(parties.service, PATH, body)).json<GrantAnswer>();
    const [record] = (await consentHistory(env, answer.retailer_id)).records;
    expect(record).toMatchObject({
      retailer_identifier_hmac: body.retailer_phone_hash,
      retailer_identifier_key_id: "phone-1",
      notice: { id: NOTICE.notice_id, version: "1", sha256: sha256Hex(NOTICE_TEXT_HI) },
      evidence: { answer_wamid: body.wa_message_id },
      language: "hi-IN",
      channel: "whatsapp",
      source_distributor_ids: [parties.distributor_id],
      recorded_by: parties.service.client_id,
      signed_at: answer.signed_at,
    });
  });

  it("keeps the whole evidence that the channel hands over, and who answers for the data", async () => {
    const wa_message_id = newMessageId();
    const evidence = {
      notice_wamid: newMessageId(),
      answer_type: "button" as const,
      answer_payload: "allow",
      answer_text_sha256: sha256Hex("हाँ"),
      wa_timestamp: "2026-01-02T03:04:05.000Z",
      received_at: "2026-01-02T03:04:06.000Z",
    };
    const response = await grant({ wa_message_id, evidence: { ...evidence, answer_wamid: wa_message_id } });
    const [record] = (await consentHistory(env, (await response.json<GrantAnswer>()).retailer_id)).records;
    expect(record?.evidence).toEqual({ ...evidence, answer_wamid: wa_message_id });
    expect(record?.data_fiduciary).toEqual({
      name: "AltScore",
      contact: "privacy@altscore.in",
      dpo_contact: "dpo@altscore.in",
    });
  });

  it("names the data fiduciary and its DPO as they are configured", async () => {
    const bindings = { ...env, DATA_FIDUCIARY_NAME: "Kosi Data", DPO_CONTACT: "dpo@kosi.example" };
    const request = toGrantRequest(grantBody.parse(grantFor(parties)));
    const { answer } = await recordGrant(bindings, request, parties.service.client_id);
    const [record] = (await consentHistory(env, answer.retailer_id)).records;
    expect(record?.data_fiduciary).toMatchObject({ name: "Kosi Data", dpo_contact: "dpo@kosi.example" });
  });

  it("takes the same message as the same act, though it was received at another time", async () => {
    const body = grantFor(parties, { evidence: { received_at: "2026-01-02T03:04:06.000Z" } });
    expect((await post(parties.service, PATH, body)).status).toBe(201);
    const again = { ...body, evidence: { received_at: "2026-01-02T03:05:00.000Z" } };
    expect((await post(parties.service, PATH, again)).status).toBe(200);
  });

  it("starts when it is recorded, by our clock, if the sender's is less than five minutes off", async () => {
    for (const skew_ms of [-240_000, 240_000]) {
      const response = await grant({ starts_at: new Date(Date.now() + skew_ms).toISOString() });
      expect(response.status).toBe(201);
      const { retailer_id, signed_at } = await response.json<GrantAnswer>();
      const [record] = (await consentHistory(env, retailer_id)).records;
      expect(record?.starts_at).toBe(signed_at);
      expect(await checkConsent(env, parties.lenders[0].lender_id, retailer_id)).toMatchObject({
        consented: true,
      });
    }
  });

  it("gives twelve calendar months when no end is asked for, and the end asked for otherwise", async () => {
    const longest = await (await grant()).json<GrantAnswer>();
    const [from, to] = [new Date(longest.signed_at), new Date(longest.expires_at)];
    expect([to.getUTCFullYear() - from.getUTCFullYear(), to.getUTCMonth()]).toEqual([1, from.getUTCMonth()]);
    const expires_at = new Date(Date.now() + 60_000).toISOString();
    expect(await (await grant({ expires_at })).json<GrantAnswer>()).toMatchObject({ expires_at });
  });

  it("makes a provisional retailer of a new phone, the same one for its next consent, and verifies it", async () => {
    const retailer_phone_hash = newPhoneHash();
    const first = await (await grant({ retailer_phone_hash })).json<GrantAnswer>();
    const again = await (
      await grant({ retailer_phone_hash: retailer_phone_hash.toUpperCase(), purpose: "credit_line" })
    ).json<GrantAnswer>();
    expect(again.retailer_id).toBe(first.retailer_id);
    expect((await profilesOf(env, [first.retailer_id]))[0]?.identity_verified).toBe(true);
  });

  it("takes a retailer by its id, and leaves its phone unverified", async () => {
    const retailer_id = await newRetailer();
    const answer = await (await grant({ retailer_id })).json<GrantAnswer>();
    expect(answer.retailer_id).toBe(retailer_id);
    expect((await profilesOf(env, [retailer_id]))[0]?.identity_verified).toBe(false);
    expect(await checkConsent(env, parties.lenders[0].lender_id, retailer_id)).toMatchObject({
      consented: true,
    });
  });

  it("answers a repeated message with 200 and the first answer, whatever the order of its lists", async () => {
    const [a, b] = parties.lenders;
    const body = grantFor(parties, { lender_scope: [a.lender_id, b.lender_id] });
    const first = await (await post(parties.service, PATH, body)).json<GrantAnswer>();
    const repeat = await post(parties.service, PATH, { ...body, lender_scope: [b.lender_id, a.lender_id] });
    expect(repeat.status).toBe(200);
    expect(await repeat.json()).toEqual(first);
    expect((await consentHistory(env, first.retailer_id)).records).toHaveLength(2);
  });

  it("writes consent.granted to the outbox in the same transaction, with ids only", async () => {
    const body = grantFor(parties);
    const answer = await (await post(parties.service, PATH, body)).json<GrantAnswer>();
    const events = (await drizzle(env.DB).select().from(outbox)).map((row) => row.envelope);
    const mine = events.filter((envelope) => envelope.includes(answer.retailer_id));
    expect(mine.map((envelope) => JSON.parse(envelope))).toMatchObject([
      {
        type: "consent.granted",
        data: {
          retailer_id: answer.retailer_id,
          consent_ids: [answer.consent_id],
          lender_ids: [parties.lenders[0].lender_id],
        },
      },
    ]);
    expect(mine[0]).not.toContain(body.retailer_phone_hash);
  });
});

describe("POST /v1/consent/grant, error", () => {
  const refused: [string, number, string, () => Partial<GrantBody> | Record<string, unknown>][] = [
    ["an unknown purpose", 400, "INVALID_REQUEST", () => ({ purpose: "marketing" })],
    ["no purpose", 400, "INVALID_REQUEST", () => ({ purpose: undefined })],
    [
      "a purpose that is not the first of purposes",
      400,
      "INVALID_REQUEST",
      () => ({ purposes: ["term_loan"] }),
    ],
    ["no lender", 400, "INVALID_REQUEST", () => ({ lender_scope: [] })],
    [
      "more than 20 lenders",
      400,
      "INVALID_REQUEST",
      () => ({ lender_scope: Array.from({ length: 21 }, (_, index) => `lender_n${index}`) }),
    ],
    ["an unknown channel", 400, "INVALID_REQUEST", () => ({ consent_channel: "fax" })],
    ["no message id on WhatsApp", 400, "INVALID_REQUEST", () => ({ wa_message_id: undefined })],
    ["a language that is no BCP 47 tag", 400, "INVALID_REQUEST", () => ({ language: "hindi please" })],
    ["a phone that is no hash", 400, "INVALID_REQUEST", () => ({ retailer_phone_hash: "9810000000" })],
    ["neither phone nor retailer", 400, "INVALID_REQUEST", () => ({ retailer_phone_hash: undefined })],
    ["a malformed retailer", 400, "INVALID_RETAILER_ID", () => ({ retailer_id: "ret_x" })],
    [
      "an end in the past",
      400,
      "INVALID_REQUEST",
      () => ({ expires_at: new Date(Date.now() - 1).toISOString() }),
    ],
    [
      "an end beyond twelve months",
      400,
      "INVALID_REQUEST",
      () => ({ expires_at: new Date(Date.now() + 367 * 86_400_000).toISOString() }),
    ],
    [
      "a start in the future",
      400,
      "INVALID_REQUEST",
      () => ({ starts_at: new Date(Date.now() + 301_000).toISOString() }),
    ],
    [
      "a start in the past",
      400,
      "INVALID_REQUEST",
      () => ({ starts_at: new Date(Date.now() - 301_000).toISOString() }),
    ],
    [
      "an answer from the future",
      400,
      "INVALID_REQUEST",
      () => ({ evidence: { wa_timestamp: new Date(Date.now() + 301_000).toISOString() } }),
    ],
    [
      "evidence of another message",
      400,
      "INVALID_REQUEST",
      () => ({ evidence: { answer_wamid: newMessageId() } }),
    ],
    [
      "an answer that is no hash",
      400,
      "INVALID_REQUEST",
      () => ({ evidence: { answer_text_sha256: "yes" } }),
    ],
    ["an end without Z", 400, "INVALID_REQUEST", () => ({ expires_at: "2027-01-01T00:00:00+05:30" })],
    ["adult_declared that is no boolean", 400, "INVALID_REQUEST", () => ({ adult_declared: "yes" })],
    ["adult_declared missing", 422, "ADULT_REQUIRED", () => ({ adult_declared: undefined })],
    ["adult_declared false", 422, "ADULT_REQUIRED", () => ({ adult_declared: false })],
    ["a notice that is no valid Unicode", 400, "INVALID_REQUEST", () => ({ notice_id: "\ud800" })],
    ["no notice", 422, "NOTICE_UNKNOWN", () => ({ notice_id: undefined })],
    ["an unknown version of the notice", 422, "NOTICE_UNKNOWN", () => ({ notice_version: "99" })],
    ["a language the notice is not given in", 422, "NOTICE_UNKNOWN", () => ({ language: "ta" })],
    ["an unknown lender", 422, "UNKNOWN_PARTY", () => ({ lender_scope: ["lender_nobody"] })],
    ["an unknown distributor", 422, "UNKNOWN_PARTY", () => ({ distributor_id: "dist_ffffffffffffffff" })],
    ["an unknown retailer", 404, "RETAILER_NOT_FOUND", () => ({ retailer_id: "ret_ffffffffffffffff" })],
  ];

  it.each(refused)("refuses %s", async (_what, status, code, changes) => {
    const response = await grant(changes() as Partial<GrantBody>);
    expect([response.status, await errorCode(response)]).toEqual([status, code]);
  });

  it("refuses a withdrawn notice", async () => {
    const withdrawn = { notice_id: "old-notice", notice_version: "1" };
    await publishNotice(env, { ...withdrawn, language: "hi", text: "पुराना" });
    expect((await grant(withdrawn)).status).toBe(201);
    await withdrawNotice(env, withdrawn);
    expect(await errorCode(await grant(withdrawn))).toBe("NOTICE_UNKNOWN");
  });

  it("refuses a message that served for another content, but names what is wrong with that content first", async () => {
    const body = grantFor(parties);
    expect((await post(parties.service, PATH, body)).status).toBe(201);
    const other = await post(parties.service, PATH, { ...body, purpose: "term_loan" });
    expect([other.status, await errorCode(other)]).toEqual([409, "EVIDENCE_REUSED"]);
    const minor = await post(parties.service, PATH, { ...body, adult_declared: false });
    expect(await errorCode(minor)).toBe("ADULT_REQUIRED");
  });

  it("refuses a phone of several retailers and asks for the retailer_id", async () => {
    const phone_hash = newPhoneHash();
    const db = drizzle(env.DB);
    const created_at = new Date().toISOString();
    for (const retailer_id of ["ret_00000000000000c1", "ret_00000000000000c2"]) {
      await db.insert(retailers).values({ retailer_id, provisional: false, created_at });
      await db
        .insert(retailerIdentifiers)
        .values({ kind: "phone", blind_index: phone_hash, retailer_id, key_id: "phone-1", created_at });
    }
    const response = await grant({ retailer_phone_hash: phone_hash });
    expect([response.status, await errorCode(response)]).toEqual([409, "AMBIGUOUS_RETAILER"]);
  });

  it("leaves nothing behind when it refuses", async () => {
    const retailer_id = await newRetailer();
    const wa_message_id = newMessageId();
    const of_two = {
      retailer_id,
      wa_message_id,
      lender_scope: [parties.lenders[0].lender_id, "lender_nobody"],
    };
    const response = await grant(of_two);
    expect([response.status, await errorCode(response)]).toEqual([422, "UNKNOWN_PARTY"]);
    expect((await consentHistory(env, retailer_id)).records).toEqual([]);
    expect(await checkConsent(env, parties.lenders[0].lender_id, retailer_id)).toEqual({ consented: false });
    // The message has not been used up either.
    expect((await grant({ ...of_two, lender_scope: [parties.lenders[0].lender_id] })).status).toBe(201);
  });

  it("answers 503 and records nothing while D1 is down; the same message succeeds afterwards", async () => {
    const body = grantFor(parties);
    const down = await post(parties.service, PATH, body, withoutD1());
    expect([down.status, down.headers.get("Retry-After")]).toEqual([503, "30"]);
    expect((await post(parties.service, PATH, body)).status).toBe(201);
  });
});

describe("POST /v1/consent/grant, security", () => {
  it("is closed without a token", async () => {
    const response = await anonymous("POST", PATH);
    expect([response.status, await errorCode(response)]).toEqual([401, "TOKEN_MISSING"]);
  });

  it("is closed to lenders, and to services that may only read", async () => {
    const reader = await seedService("consent:read");
    for (const client of [parties.lenders[0], reader]) {
      const response = await post(client, PATH, grantFor(parties));
      expect([response.status, await errorCode(response)]).toEqual([403, "SCOPE_INSUFFICIENT"]);
    }
  });

  it("checks the scope before it reads the body", async () => {
    expect((await post(parties.lenders[0], PATH, { nonsense: true })).status).toBe(403);
  });

  it("keeps records append-only: D1 itself refuses to change or remove one", async () => {
    const { retailer_id } = await (await grant()).json<GrantAnswer>();
    const change = env.DB.prepare("UPDATE consent_records SET canonical = '{}' WHERE retailer_id = ?");
    await expect(change.bind(retailer_id).run()).rejects.toThrow("append-only");
    const removal = env.DB.prepare("DELETE FROM consent_records WHERE retailer_id = ?");
    await expect(removal.bind(retailer_id).run()).rejects.toThrow("append-only");
    const replacement = env.DB.prepare(
      "INSERT OR REPLACE INTO consent_records SELECT retailer_id, seq, consent_id, '{}', record_hash, signature, key_id, created_at FROM consent_records WHERE retailer_id = ?",
    );
    await expect(replacement.bind(retailer_id).run()).rejects.toThrow("UNIQUE constraint failed");
  });
});
