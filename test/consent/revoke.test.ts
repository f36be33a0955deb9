import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { beforeAll, describe, expect, it } from "vitest";
import { publicJwks } from "../../src/auth/keys.ts";
import { findConsent, forgetConsent } from "../../src/consent/lookup.ts";
import type { RevokeAnswer } from "../../src/consent/schemas.ts";
import { checkConsent, consentHistory, enforceConsents } from "../../src/consent/service.ts";
import { consents } from "../../src/consent/tables.ts";
import { verifyChains } from "../../src/consent/verify.ts";
import { outbox } from "../../src/events/tables.ts";
import { seedService } from "../support/auth.ts";
import {
  anonymous,
  errorCode,
  gateDenies,
  granted,
  newMessageId,
  newRetailer,
  type Parties,
  post,
  seedParties,
  withoutD1,
  withoutGateOf,
  withoutKv,
} from "./support.ts";

const PATH = "/v1/consent/revoke";
let parties: Parties;
let a: string;
let b: string;

beforeAll(async () => {
  parties = await seedParties();
  a = parties.lenders[0].lender_id;
  b = parties.lenders[1].lender_id;
});

const revoke = (body: Record<string, unknown>) => post(parties.service, PATH, body);

async function revoked(body: Record<string, unknown>): Promise<RevokeAnswer> {
  const response = await revoke(body);
  expect(response.status).toBe(200);
  return response.json<RevokeAnswer>();
}

describe("POST /v1/consent/revoke, happy", () => {
  it("by consent_id ends that consent: answer, projection, gate and a signed record", async () => {
    const { consent_id, retailer_id } = await granted(parties);
    const body = { consent_id, reason: "STOP", wa_message_id: newMessageId() };
    const answer = await revoked(body);
    expect(answer).toEqual({
      consent_id,
      revoked: [consent_id],
      status: "revoked",
      revoked_at: answer.revoked_at,
      processing_halt_by: answer.revoked_at,
    });
    expect(Math.abs(Date.now() - Date.parse(answer.revoked_at))).toBeLessThan(10_000);
    expect(await checkConsent(env, a, retailer_id)).toEqual({ consented: false });
    expect(await gateDenies(a, consent_id)).toBe(true);

    const { records } = await consentHistory(env, retailer_id);
    expect(records.map((record) => record.status)).toEqual(["ACTIVE", "REVOKED"]);
    expect(records[1]).toMatchObject({
      seq: 2,
      grant_record: { seq: 1, record_hash: records[0]?.record_hash },
      revoked_at: answer.revoked_at,
      revoked_by: parties.service.client_id,
      revoke_reason: "STOP",
      revoke_evidence: { answer_wamid: body.wa_message_id },
    });
    expect((await verifyChains(records, await publicJwks(env))).valid).toBe(true);
  });

  it("leaves the other lenders of the same act alone", async () => {
    const { consents: made, retailer_id } = await granted(parties, { lender_scope: [a, b] });
    await revoked({ consent_id: made[0]?.consent_id });
    expect(await checkConsent(env, a, retailer_id)).toEqual({ consented: false });
    expect(await checkConsent(env, b, retailer_id)).toMatchObject({ consented: true });
    expect(await gateDenies(b, made[1]?.consent_id ?? "")).toBe(false);
  });

  it("by retailer_id ends every consent of every lender, with one lender_id only that lender's", async () => {
    const retailer_id = await newRetailer();
    const first = await granted(parties, { retailer_id, lender_scope: [a, b] });
    const second = await granted(parties, { retailer_id, lender_scope: [a], purpose: "term_loan" });
    const of_b = await revoked({ retailer_id, lender_id: b });
    expect(of_b.revoked).toEqual([first.consents[1]?.consent_id]);
    const rest = await revoked({ retailer_id });
    expect(rest.revoked).toEqual([first.consent_id, second.consent_id]);
    expect(rest.consent_id).toBe(first.consent_id);
    expect(await gateDenies(a, second.consent_id)).toBe(true);
    const { records } = await consentHistory(env, retailer_id);
    expect(records.map((record) => record.seq)).toEqual([1, 2, 3, 4, 5, 6]);
    expect((await verifyChains(records, await publicJwks(env))).valid).toBe(true);
  });

  it("again gives the same answer and appends nothing, by consent, by retailer and by message", async () => {
    const { consent_id, retailer_id } = await granted(parties);
    const wa_message_id = newMessageId();
    const first = await revoked({ retailer_id, wa_message_id });
    for (const body of [{ consent_id }, { retailer_id }, { retailer_id, wa_message_id }]) {
      expect(await revoked(body)).toEqual(first);
    }
    expect((await consentHistory(env, retailer_id)).records).toHaveLength(2);
  });

  it("again does not touch a consent given in between", async () => {
    const retailer_id = await newRetailer();
    const old = await granted(parties, { retailer_id });
    const wa_message_id = newMessageId();
    await revoked({ retailer_id, wa_message_id });
    const renewed = await granted(parties, { retailer_id });
    expect((await revoked({ retailer_id, wa_message_id })).revoked).toEqual([old.consent_id]);
    expect((await revoked({ consent_id: old.consent_id })).revoked).toEqual([old.consent_id]);
    expect(await checkConsent(env, a, retailer_id)).toMatchObject({ consent_id: renewed.consent_id });
    expect(await gateDenies(a, renewed.consent_id)).toBe(false);
  });

  it("writes consent.revoked to the outbox, once per act", async () => {
    const { consent_id, retailer_id } = await granted(parties);
    await revoked({ consent_id });
    await revoked({ consent_id });
    const events = (await drizzle(env.DB).select().from(outbox)).map((row) => JSON.parse(row.envelope));
    expect(
      events.filter((event) => event.type === "consent.revoked" && event.subject === retailer_id),
    ).toMatchObject([{ data: { retailer_id, consent_ids: [consent_id], lender_ids: [a] } }]);
  });

  it("of a consent that ran out is recorded all the same", async () => {
    const { consent_id } = await granted(parties);
    const expires_at = new Date(Date.now() - 1000).toISOString();
    await drizzle(env.DB).update(consents).set({ expires_at }).where(eq(consents.consent_id, consent_id));
    expect((await revoked({ consent_id })).revoked).toEqual([consent_id]);
  });
});

describe("POST /v1/consent/revoke, error", () => {
  it.each([
    ["nothing named", {}, 400, "INVALID_REQUEST"],
    ["a lender alone", { lender_id: "lender_x" }, 400, "INVALID_REQUEST"],
    ["a malformed consent", { consent_id: "cns_x" }, 400, "INVALID_REQUEST"],
    ["a malformed retailer", { retailer_id: "x" }, 400, "INVALID_RETAILER_ID"],
    [
      "an over-long reason",
      { consent_id: "cns_0000000000000000", reason: "x".repeat(501) },
      400,
      "INVALID_REQUEST",
    ],
    [
      "half a surrogate pair",
      { consent_id: "cns_0000000000000000", reason: "\ud800" },
      400,
      "INVALID_REQUEST",
    ],
    ["an unknown consent", { consent_id: "cns_ffffffffffffffff" }, 404, "CONSENT_NOT_FOUND"],
    ["an unknown retailer", { retailer_id: "ret_ffffffffffffffff" }, 404, "CONSENT_NOT_FOUND"],
  ])("refuses %s", async (_what, body, status, code) => {
    const response = await revoke(body);
    expect([response.status, await errorCode(response)]).toEqual([status, code]);
  });

  it("answers 404 for a retailer without any consent, or none of that lender", async () => {
    expect(await errorCode(await revoke({ retailer_id: await newRetailer() }))).toBe("CONSENT_NOT_FOUND");
    const { retailer_id } = await granted(parties, { lender_scope: [a] });
    expect(await errorCode(await revoke({ retailer_id, lender_id: b }))).toBe("CONSENT_NOT_FOUND");
  });

  it("refuses a message that served for another act, a grant's included", async () => {
    const wa_message_id = newMessageId();
    const { consent_id } = await granted(parties, { wa_message_id });
    expect(await errorCode(await revoke({ consent_id, wa_message_id }))).toBe("EVIDENCE_REUSED");
    const other = await granted(parties);
    const used = newMessageId();
    await revoked({ consent_id: other.consent_id, wa_message_id: used });
    const response = await revoke({ consent_id, wa_message_id: used });
    expect([response.status, await errorCode(response)]).toEqual([409, "EVIDENCE_REUSED"]);
  });

  it("answers 503 while a gate cannot be reached, and a repeat completes the denial", async () => {
    const { consents: made, retailer_id } = await granted(parties, { lender_scope: [a, b] });
    const at_b = made[1]?.consent_id ?? "";
    const down = await post(parties.service, PATH, { retailer_id }, withoutGateOf(b));
    expect([down.status, down.headers.get("Retry-After")]).toEqual([503, "30"]);
    expect(await gateDenies(b, at_b)).toBe(false);
    const answer = await revoked({ retailer_id });
    expect(answer.revoked).toHaveLength(2);
    expect(await gateDenies(b, at_b)).toBe(true);
    expect((await consentHistory(env, retailer_id)).records).toHaveLength(4);
  });

  it("answers 503 while a gate cannot be reached, and the event's consumer completes the denial", async () => {
    const { consent_id } = await granted(parties);
    const down = await post(parties.service, PATH, { consent_id }, withoutGateOf(a));
    expect(down.status).toBe(503);
    await enforceConsents(env, { consent_ids: [consent_id] });
    await enforceConsents(env, { consent_ids: [consent_id] });
    expect(await gateDenies(a, consent_id)).toBe(true);
  });

  it("answers 503 while D1 is down, and revokes nothing", async () => {
    const { consent_id, retailer_id } = await granted(parties);
    expect((await post(parties.service, PATH, { consent_id }, withoutD1())).status).toBe(503);
    expect(await checkConsent(env, a, retailer_id)).toMatchObject({ consented: true });
  });

  it("does not need KV: the gate refuses whatever a cache still holds", async () => {
    const { consent_id, retailer_id } = await granted(parties);
    expect(await findConsent(env, a, retailer_id)).toMatchObject({ consent_id });
    expect((await post(parties.service, PATH, { consent_id }, withoutKv())).status).toBe(200);
    // The copy in KV has outlived the revocation: the candidate is stale, the gate is not.
    expect(await findConsent(env, a, retailer_id)).toMatchObject({ consent_id });
    expect(await gateDenies(a, consent_id)).toBe(true);
    await forgetConsent(env, a, retailer_id);
  });
});

describe("POST /v1/consent/revoke, security", () => {
  it("is closed without a token, to lenders, and to services that may only read", async () => {
    expect((await anonymous("POST", PATH)).status).toBe(401);
    const { consent_id, retailer_id } = await granted(parties);
    for (const client of [parties.lenders[0], await seedService("consent:read")]) {
      const response = await post(client, PATH, { consent_id });
      expect([response.status, await errorCode(response)]).toEqual([403, "SCOPE_INSUFFICIENT"]);
    }
    expect(await checkConsent(env, a, retailer_id)).toMatchObject({ consented: true });
  });

  it("denies nothing that is not revoked, whatever an event says", async () => {
    const { consent_id } = await granted(parties);
    await enforceConsents(env, { consent_ids: [consent_id, "cns_ffffffffffffffff"] });
    expect(await gateDenies(a, consent_id)).toBe(false);
  });
});

describe("many revocations at once", () => {
  it("of one consent converge to one record and one answer", async () => {
    const { consent_id, retailer_id } = await granted(parties);
    const bodies = Array.from({ length: 12 }, (_, index) =>
      index % 2 === 0 ? { consent_id } : { retailer_id, wa_message_id: newMessageId() },
    );
    const answers = await Promise.all(bodies.map((body) => revoked(body)));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect((await consentHistory(env, retailer_id)).records).toHaveLength(2);
  });

  it("beside grants keep one whole chain, and only later grants stay active", async () => {
    const retailer_id = await newRetailer();
    await granted(parties, { retailer_id });
    await Promise.all([
      ...Array.from({ length: 5 }, () => granted(parties, { retailer_id, lender_scope: [b] })),
      ...Array.from({ length: 5 }, () => revoked({ retailer_id, lender_id: a })),
    ]);
    const { records } = await consentHistory(env, retailer_id);
    expect(records).toHaveLength(7);
    expect((await verifyChains(records, await publicJwks(env))).valid).toBe(true);
    expect(await checkConsent(env, b, retailer_id)).toMatchObject({ consented: true });
    expect(await checkConsent(env, a, retailer_id)).toEqual({ consented: false });
  });
});
