import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { compactVerify, createLocalJWKSet, type JWK } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { forgetKeys, publicJwks, rotateKeys } from "../../src/auth/keys.ts";
import { signingKeys } from "../../src/auth/tables.ts";
import type { ConsentRecord } from "../../src/consent/record.ts";
import { verifyExport } from "../../src/consent/verify.ts";
import { sha256Hex } from "../../src/lib/bytes.ts";
import { publishNotice, withdrawNotice } from "../../src/parties/provisioning.ts";
import { seedService } from "../support/auth.ts";
import {
  absorb,
  anonymous,
  errorCode,
  get,
  granted,
  NOTICE,
  NOTICE_TEXT_HI,
  newRetailer,
  type Parties,
  post,
  seedParties,
  withoutD1,
} from "./support.ts";

interface Exported {
  retailer_id: string;
  exported_at: string;
  records: ConsentRecord[];
  keys: { keys: JWK[] };
  notices: object[];
  seal: object;
  verification: { valid: boolean; problems: string[] };
}

let parties: Parties;
let lender_id: string;

beforeAll(async () => {
  parties = await seedParties();
  lender_id = parties.lenders[0].lender_id;
});

async function read<T>(path: string): Promise<T> {
  const response = await get(parties.service, path);
  expect(response.status).toBe(200);
  return response.json<T>();
}

const history = (retailer_id: string) =>
  read<{ retailer_id: string; records: ConsentRecord[] }>(`/v1/consent/history?retailer_id=${retailer_id}`);
const exported = (retailer_id: string) => read<Exported>(`/v1/consent/export?retailer_id=${retailer_id}`);
const check = (retailer_id: string, of = lender_id) =>
  read(`/v1/consent/check?retailer_id=${retailer_id}&lender_id=${of}`);

describe("GET /v1/consent/check, happy", () => {
  it("tells consent, purposes and end of an active consent", async () => {
    const { consent_id, retailer_id, expires_at } = await granted(parties, {
      purpose: undefined,
      purposes: ["credit_line", "term_loan"],
    });
    expect(await check(retailer_id)).toEqual({
      consented: true,
      consent_id,
      purposes: ["credit_line", "term_loan"],
      expires_at,
    });
  });

  it("says no, and no more, of another lender, an unknown lender and an unknown retailer", async () => {
    const { retailer_id } = await granted(parties);
    expect(await check(retailer_id, parties.lenders[1].lender_id)).toEqual({ consented: false });
    expect(await check(retailer_id, "lender_nobody")).toEqual({ consented: false });
    expect(await check("ret_ffffffffffffffff")).toEqual({ consented: false });
  });
});

describe("GET /v1/consent/history and /export, happy", () => {
  it("give the chain oldest first, grants and revocations", async () => {
    const { consent_id, retailer_id } = await granted(parties);
    await post(parties.service, "/v1/consent/revoke", { consent_id });
    const { records, ...rest } = await history(retailer_id);
    expect(rest).toEqual({ retailer_id });
    expect(records.map(({ seq, status }) => [seq, status])).toEqual([
      [1, "ACTIVE"],
      [2, "REVOKED"],
    ]);
  });

  it("is an empty history for a retailer that never consented", async () => {
    const retailer_id = await newRetailer();
    expect(await history(retailer_id)).toEqual({ retailer_id, records: [] });
  });

  it("the export verifies offline with nothing but what it carries", async () => {
    const { retailer_id } = await granted(parties, {
      lender_scope: parties.lenders.map((lender) => lender.lender_id),
    });
    const artefact = await exported(retailer_id);
    expect(Object.keys(artefact).sort()).toEqual([
      "exported_at",
      "keys",
      "notices",
      "records",
      "retailer_id",
      "seal",
      "verification",
    ]);
    expect(artefact.verification).toEqual({ valid: true, problems: [] });
    expect(await verifyExport(artefact, await publicJwks(env))).toEqual({ valid: true, problems: [] });
    expect(artefact.notices).toMatchObject([{ ...NOTICE, language: "hi", text: NOTICE_TEXT_HI }]);
    expect(JSON.stringify(artefact.keys)).not.toContain('"d"');
  });

  it("the export still verifies when the key of a record has left the JWKS", async () => {
    const { retailer_id } = await granted(parties);
    const [{ key_id } = { key_id: "" }] = (await history(retailer_id)).records;
    await rotateKeys(env);
    await drizzle(env.DB).update(signingKeys).set({ status: "retired" }).where(eq(signingKeys.kid, key_id));
    await granted(parties, { retailer_id });
    const artefact = await exported(retailer_id);
    expect(new Set(artefact.records.map((record) => record.key_id)).size).toBe(2);
    expect(artefact.keys.keys).toHaveLength(2);
    expect(artefact.verification).toEqual({ valid: true, problems: [] });
    forgetKeys();
    const jwks = await publicJwks(env);
    expect(jwks.keys.some(({ kid }) => kid === key_id)).toBe(false);
    expect(await verifyExport(artefact, jwks)).toEqual({ valid: true, problems: [] });
  });

  it("the export is a compact JWS to whoever accepts application/jose, with the same content", async () => {
    const { retailer_id } = await granted(parties);
    const path = `/v1/consent/export?retailer_id=${retailer_id}`;
    const response = await get(parties.service, path, env, { accept: "application/jose;q=0.9, */*;q=0.1" });
    expect([response.status, response.headers.get("Content-Type")]).toEqual([200, "application/jose"]);
    const jwks = createLocalJWKSet(await publicJwks(env));
    const { payload, protectedHeader } = await compactVerify(await response.bytes(), jwks);
    expect(protectedHeader).toMatchObject({ alg: "ES256", typ: "altscore-consents" });
    const inside = JSON.parse(new TextDecoder().decode(payload)) as Exported;
    expect(await verifyExport(inside, await publicJwks(env))).toEqual({ valid: true, problems: [] });
    const { exported_at: _a, seal: _b, ...same } = inside;
    expect(await exported(retailer_id)).toMatchObject(same);
  });

  it("the export says what is wrong with a chain that was tampered with in the store", async () => {
    const { retailer_id } = await granted(parties);
    const [record] = (await history(retailer_id)).records;
    // The triggers refuse a change, so the forger adds a record of his own.
    await env.DB.prepare(
      "INSERT INTO consent_records SELECT retailer_id, 2, consent_id, canonical, record_hash, signature, key_id, created_at FROM consent_records WHERE retailer_id = ?",
    )
      .bind(retailer_id)
      .run();
    const { verification } = await exported(retailer_id);
    expect(verification.valid).toBe(false);
    expect(verification.problems.join()).toContain(record?.retailer_id);
  });
});

describe("a retailer that was absorbed by another", () => {
  it("brings its consent along; both ids mean the one retailer, each chain verifies by itself", async () => {
    const { consent_id, retailer_id: from } = await granted(parties);
    const into = await absorb(from);
    await granted(parties, {
      retailer_id: from,
      purpose: "term_loan",
      lender_scope: [parties.lenders[1].lender_id],
    });
    for (const retailer_id of [from, into]) {
      expect(await check(retailer_id)).toMatchObject({ consented: true, consent_id });
      const artefact = await exported(retailer_id);
      expect(artefact.retailer_id).toBe(into);
      expect(artefact.records.map((record) => [record.retailer_id, record.seq])).toEqual([
        [from, 1],
        [into, 1],
      ]);
      expect(artefact.verification).toEqual({ valid: true, problems: [] });
    }
  });

  it("is revoked by either id, in the chain that holds the grant", async () => {
    const { consent_id, retailer_id: from } = await granted(parties);
    const into = await absorb(from);
    const later = await granted(parties, { retailer_id: into });
    const response = await post(parties.service, "/v1/consent/revoke", { retailer_id: from });
    expect(await response.json()).toMatchObject({ revoked: [consent_id, later.consent_id] });
    expect(await check(into)).toEqual({ consented: false });
    const { records, verification } = await exported(into);
    expect(records.map((record) => [record.retailer_id, record.status])).toEqual([
      [from, "ACTIVE"],
      [from, "REVOKED"],
      [into, "ACTIVE"],
      [into, "REVOKED"],
    ]);
    expect(verification.valid).toBe(true);
  });
});

describe("GET /v1/consent/notices, happy", () => {
  it("lists the notices in force with their hash, and no withdrawn one", async () => {
    await publishNotice(env, { notice_id: "gone", notice_version: "1", language: "en", text: "gone" });
    await withdrawNotice(env, { notice_id: "gone", notice_version: "1" });
    const { data } = await read<{ data: Record<string, string>[] }>("/v1/consent/notices");
    expect(data.map((notice) => [notice.notice_id, notice.language])).toEqual([
      [NOTICE.notice_id, "en"],
      [NOTICE.notice_id, "hi"],
    ]);
    for (const notice of data) {
      expect(Object.keys(notice).sort()).toEqual([
        "language",
        "notice_id",
        "notice_version",
        "sha256",
        "text",
      ]);
      expect(notice.sha256).toBe(sha256Hex(notice.text ?? ""));
    }
  });
});

describe("reading consents, error", () => {
  it.each([
    ["/v1/consent/check?lender_id=lender_x", 400, "INVALID_RETAILER_ID"],
    ["/v1/consent/check?retailer_id=ret_0123456789abcdef", 400, "INVALID_REQUEST"],
    ["/v1/consent/check?retailer_id=ret_0123456789abcdef&lender_id=x", 400, "INVALID_REQUEST"],
    ["/v1/consent/history", 400, "INVALID_RETAILER_ID"],
    ["/v1/consent/export?retailer_id=x", 400, "INVALID_RETAILER_ID"],
    ["/v1/consent/history?retailer_id=ret_ffffffffffffffff", 404, "CONSENT_NOT_FOUND"],
    ["/v1/consent/export?retailer_id=ret_ffffffffffffffff", 404, "CONSENT_NOT_FOUND"],
  ])("%s is %i %s", async (path, status, code) => {
    const response = await get(parties.service, path);
    expect([response.status, await errorCode(response)]).toEqual([status, code]);
  });

  it("answers 503 while D1 is down, also of a consent that the caches know", async () => {
    const { retailer_id } = await granted(parties);
    await check(retailer_id);
    for (const path of [
      `/v1/consent/check?retailer_id=${retailer_id}&lender_id=${lender_id}`,
      `/v1/consent/history?retailer_id=${retailer_id}`,
      `/v1/consent/export?retailer_id=${retailer_id}`,
      "/v1/consent/notices",
    ]) {
      expect((await get(parties.service, path, withoutD1())).status).toBe(503);
    }
  });
});

describe("reading consents, security", () => {
  it.each(["check", "history", "export", "notices"])("/v1/consent/%s needs consent:read", async (route) => {
    const path = `/v1/consent/${route}?retailer_id=ret_0123456789abcdef&lender_id=${lender_id}`;
    expect((await anonymous("GET", path)).status).toBe(401);
    for (const client of [parties.lenders[0], await seedService("consent:write")]) {
      const response = await get(client, path);
      expect([response.status, await errorCode(response)]).toEqual([403, "SCOPE_INSUFFICIENT"]);
    }
  });
});
