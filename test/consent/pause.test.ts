import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { publicJwks } from "../../src/auth/keys.ts";
import { findConsent, retailersWithConsent } from "../../src/consent/lookup.ts";
import type { PauseAnswer, ResumeAnswer } from "../../src/consent/schemas.ts";
import { checkConsent, consentHistory, enforceConsents, exportConsents } from "../../src/consent/service.ts";
import { verifyExport } from "../../src/consent/verify.ts";
import { seedService } from "../support/auth.ts";
import {
  absorb,
  anonymous,
  errorCode,
  eventsOf,
  gateDenies,
  granted,
  newMessageId,
  newRetailer,
  type Parties,
  post,
  runOut,
  seedParties,
  withoutD1,
  withoutGateOf,
  withoutKv,
} from "./support.ts";

const PAUSE = "/v1/consent/pause";
const RESUME = "/v1/consent/resume";
let parties: Parties;
let a: string;
let b: string;

beforeAll(async () => {
  parties = await seedParties();
  a = parties.lenders[0].lender_id;
  b = parties.lenders[1].lender_id;
});

const send = (path: string, body: Record<string, unknown>, bindings = env) =>
  post(parties.service, path, body, bindings);

async function done<T>(path: string, body: Record<string, unknown>): Promise<T> {
  const response = await send(path, body);
  expect(response.status).toBe(200);
  return response.json<T>();
}
const paused = (body: Record<string, unknown>) => done<PauseAnswer>(PAUSE, body);
const resumed = (body: Record<string, unknown>) => done<ResumeAnswer>(RESUME, body);

const statuses = async (retailer_id: string) =>
  (await consentHistory(env, retailer_id)).records.map((record) => record.status);

describe("POST /v1/consent/pause and /resume, happy", () => {
  it("a pause refuses everything from its answer on; a resumption gives it back under the same consent", async () => {
    const { consent_id, retailer_id, expires_at } = await granted(parties);
    const answer = await paused({ consent_id, reason: "holiday", wa_message_id: newMessageId() });
    expect(answer).toEqual({
      consent_id,
      paused: [consent_id],
      status: "paused",
      paused_at: answer.paused_at,
      processing_halt_by: answer.paused_at,
    });
    expect(await gateDenies(a, consent_id)).toBe(true);
    expect(await findConsent(env, a, retailer_id)).toBeNull();
    expect(await retailersWithConsent(env, [retailer_id])).toEqual(new Set());
    expect(await checkConsent(env, a, retailer_id)).toEqual({
      consented: false,
      status: "paused",
      consent_id,
      purposes: ["working_capital_loan"],
      expires_at,
    });

    const lifted = await resumed({ consent_id });
    expect(lifted).toEqual({
      consent_id,
      resumed: [consent_id],
      status: "active",
      resumed_at: lifted.resumed_at,
    });
    expect(await gateDenies(a, consent_id)).toBe(false);
    expect(await checkConsent(env, a, retailer_id)).toMatchObject({
      consented: true,
      consent_id,
      expires_at,
    });
  });

  it("both are signed records in the chain, with who, why and what shows it; the export verifies", async () => {
    const { consent_id, retailer_id } = await granted(parties);
    const wa_message_id = newMessageId();
    const evidence = { answer_type: "text", answer_text_sha256: "c".repeat(64) };
    const { paused_at } = await paused({ consent_id, reason: "holiday", wa_message_id, evidence });
    await resumed({ consent_id });
    await done("/v1/consent/revoke", { consent_id });
    const exported = await exportConsents(env, retailer_id);
    expect(exported.records.map(({ status }) => status)).toEqual(["ACTIVE", "PAUSED", "ACTIVE", "REVOKED"]);
    expect(exported.records[1]).toMatchObject({
      grant_record: { seq: 1, record_hash: exported.records[0]?.record_hash },
      change: {
        at: paused_at,
        by: parties.service.client_id,
        channel: "whatsapp",
        reason: "holiday",
        evidence: { answer_wamid: wa_message_id, ...evidence, received_at: paused_at },
      },
      revoked_at: null,
    });
    expect(exported.records[2]?.change).toMatchObject({ channel: "api", reason: null });
    expect(await verifyExport(exported, await publicJwks(env))).toEqual({ valid: true, problems: [] });
  });

  it("by retailer_id name all its consents, by lender_id one lender's, also of a retailer that was absorbed", async () => {
    const { retailer_id, consents } = await granted(parties, { lender_scope: [a, b] });
    const [of_a, of_b] = consents.map((consent) => consent.consent_id);
    expect((await paused({ retailer_id, lender_id: b })).paused).toEqual([of_b]);
    expect(await checkConsent(env, a, retailer_id)).toMatchObject({ consented: true });
    const into = await absorb(retailer_id);
    expect((await paused({ retailer_id: into })).paused).toEqual([of_a]);
    expect(await checkConsent(env, a, retailer_id)).toMatchObject({ status: "paused" });
    expect((await resumed({ retailer_id })).resumed).toEqual([of_a, of_b]);
  });

  it("again give the same answer and append nothing, by consent and by message", async () => {
    const { consent_id, retailer_id } = await granted(parties);
    const wa_message_id = newMessageId();
    const first = await paused({ consent_id, wa_message_id });
    for (const body of [{ consent_id }, { retailer_id }, { consent_id, wa_message_id }]) {
      expect(await paused(body)).toEqual(first);
    }
    const lifted = await resumed({ consent_id });
    expect(await resumed({ retailer_id })).toEqual(lifted);
    expect(await statuses(retailer_id)).toEqual(["ACTIVE", "PAUSED", "ACTIVE"]);
  });

  it("a message that paused before does not pause again what was resumed since", async () => {
    const { consent_id } = await granted(parties);
    const wa_message_id = newMessageId();
    const first = await paused({ consent_id, wa_message_id });
    await resumed({ consent_id });
    expect(await paused({ consent_id, wa_message_id })).toEqual(first);
    expect(await gateDenies(a, consent_id)).toBe(false);
  });

  it("a resumption of what was never paused says since when it is active", async () => {
    const { consent_id, retailer_id, signed_at } = await granted(parties);
    expect(await resumed({ consent_id })).toMatchObject({ resumed: [consent_id], resumed_at: signed_at });
    expect(await statuses(retailer_id)).toEqual(["ACTIVE"]);
  });

  it("a pause does not keep from revoking", async () => {
    const { consent_id, retailer_id } = await granted(parties);
    await paused({ consent_id });
    await done("/v1/consent/revoke", { consent_id });
    expect(await statuses(retailer_id)).toEqual(["ACTIVE", "PAUSED", "REVOKED"]);
    const response = await send(RESUME, { consent_id });
    expect([response.status, await errorCode(response)]).toEqual([409, "CONSENT_ENDED"]);
    expect(await gateDenies(a, consent_id)).toBe(true);
  });

  it("write their events, once per act", async () => {
    const { consent_id, retailer_id } = await granted(parties);
    await paused({ consent_id });
    await paused({ consent_id });
    await resumed({ consent_id });
    const data = { retailer_id, consent_ids: [consent_id], lender_ids: [a] };
    expect((await eventsOf(retailer_id)).map((event) => [event.type, event.data])).toEqual([
      ["consent.granted", data],
      ["consent.paused", data],
      ["consent.resumed", data],
    ]);
  });
});

describe("whatever comes late", () => {
  const denial = (consent_id: string, record_seq: number, lifted: boolean) => ({
    consent_id,
    until_ms: Date.now() + 86_400_000,
    record_seq,
    lifted,
  });
  const gate = () => env.LENDER_GATE.get(env.LENDER_GATE.idFromName(a));

  it("a delayed pause does not undo a later resumption, nor a delayed resumption a later pause", async () => {
    const { consent_id } = await granted(parties);
    await paused({ consent_id });
    await resumed({ consent_id });
    await gate().deny([denial(consent_id, 2, false)]);
    expect(await gateDenies(a, consent_id)).toBe(false);
    await paused({ consent_id });
    await gate().deny([denial(consent_id, 3, true)]);
    expect(await gateDenies(a, consent_id)).toBe(true);
  });

  it("the event of a pause, handled after the resumption, changes nothing", async () => {
    const { consent_id } = await granted(parties);
    await paused({ consent_id });
    await resumed({ consent_id });
    await enforceConsents(env, { consent_ids: [consent_id] });
    expect(await gateDenies(a, consent_id)).toBe(false);
  });

  it("a cache that still holds the consent does not undo a pause", async () => {
    const { consent_id, retailer_id } = await granted(parties);
    expect(await findConsent(env, a, retailer_id)).toMatchObject({ consent_id });
    expect((await send(PAUSE, { consent_id }, withoutKv())).status).toBe(200);
    expect(await findConsent(env, a, retailer_id)).toMatchObject({ consent_id });
    expect(await gateDenies(a, consent_id)).toBe(true);
  });
});

describe("POST /v1/consent/pause and /resume, error", () => {
  it.each([PAUSE, RESUME])(
    "%s refuses what names no consent, an unknown one, or one that ended",
    async (path) => {
      expect(await errorCode(await send(path, {}))).toBe("INVALID_REQUEST");
      expect(await errorCode(await send(path, { consent_id: "cns_ffffffffffffffff" }))).toBe(
        "CONSENT_NOT_FOUND",
      );
      expect(await errorCode(await send(path, { retailer_id: await newRetailer() }))).toBe(
        "CONSENT_NOT_FOUND",
      );
      const { consent_id } = await granted(parties);
      await runOut(consent_id);
      const response = await send(path, { consent_id });
      expect([response.status, await errorCode(response)]).toEqual([409, "CONSENT_ENDED"]);
    },
  );

  it("refuse a message that served for another act", async () => {
    const wa_message_id = newMessageId();
    const { consent_id } = await granted(parties, { wa_message_id });
    for (const path of [PAUSE, RESUME]) {
      expect(await errorCode(await send(path, { consent_id, wa_message_id }))).toBe("EVIDENCE_REUSED");
    }
  });

  it("answer 503 while a gate cannot be reached; a repeat, or the event's consumer, completes the act", async () => {
    const { consent_id } = await granted(parties);
    expect((await send(PAUSE, { consent_id }, withoutGateOf(a))).status).toBe(503);
    expect(await gateDenies(a, consent_id)).toBe(false);
    await paused({ consent_id });
    expect(await gateDenies(a, consent_id)).toBe(true);
    expect((await send(RESUME, { consent_id }, withoutGateOf(a))).status).toBe(503);
    await enforceConsents(env, { consent_ids: [consent_id] });
    expect(await gateDenies(a, consent_id)).toBe(false);
  });

  it("answer 503 while D1 is down, and change nothing", async () => {
    const { consent_id, retailer_id } = await granted(parties);
    expect((await send(PAUSE, { consent_id }, withoutD1())).status).toBe(503);
    expect(await statuses(retailer_id)).toEqual(["ACTIVE"]);
  });
});

describe("POST /v1/consent/pause and /resume, security", () => {
  it.each([PAUSE, RESUME])(
    "%s is closed without a token, to lenders, and to services that may only read",
    async (path) => {
      expect((await anonymous("POST", path)).status).toBe(401);
      const { consent_id } = await granted(parties);
      for (const client of [parties.lenders[0], await seedService("consent:read")]) {
        const response = await post(client, path, { consent_id });
        expect([response.status, await errorCode(response)]).toEqual([403, "SCOPE_INSUFFICIENT"]);
      }
    },
  );
});
