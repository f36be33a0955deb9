import fc from "fast-check";
import { exportJWK, generateKeyPair, type JWK } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type ConsentRecord,
  EMPTY_CHAIN,
  type GrantAct,
  grantContent,
  openRecord,
  revocationContent,
  sealRecords,
  verifyChains,
} from "../../src/consent/record.ts";
import { latestExpiryMs } from "../../src/consent/terms.ts";
import { sha256Hex } from "../../src/lib/bytes.ts";
import { canonicalJson } from "../../src/lib/jcs.ts";

const act: GrantAct = {
  retailer_id: "ret_00000000000000aa",
  identifier: { hmac: "a".repeat(64), key_id: "phone-1" },
  grant_group: "grp_0000000000000001",
  purposes: ["working_capital_loan", "credit_line"],
  distributor_id: "dist_0000000000000001",
  channel: "whatsapp",
  language: "hi",
  notice: { id: "trade-score", version: "1", sha256: "b".repeat(64) },
  wa_message_id: "wamid.1",
  recorded_by: "svc_whatsapp",
  granted_at: "2026-11-22T06:00:00.000Z",
  expires_at: "2027-11-22T06:00:00.000Z",
};

let signer: { kid: string; key: CryptoKey };
let jwks: { keys: JWK[] };

beforeAll(async () => {
  const pair = await generateKeyPair("ES256", { extractable: true });
  signer = { kid: "key-1", key: pair.privateKey };
  jwks = { keys: [{ ...(await exportJWK(pair.publicKey)), kid: "key-1" }] };
});

/** A chain of two grants and the revocation of the first. */
async function chain(): Promise<ConsentRecord[]> {
  const grants = await sealRecords(
    EMPTY_CHAIN,
    [
      grantContent(act, "cns_000000000000000a", "lender_a"),
      grantContent(act, "cns_000000000000000b", "lender_b"),
    ],
    signer,
  );
  const [first, second] = grants.map(openRecord) as [ConsentRecord, ConsentRecord];
  const end = revocationContent(first, {
    revoked_at: "2026-12-01T00:00:00.000Z",
    revoked_by: "svc_whatsapp",
    reason: "STOP",
    wa_message_id: "wamid.2",
  });
  const revocations = await sealRecords({ seq: 2, record_hash: second.record_hash }, [end], signer);
  return [first, second, ...revocations.map(openRecord)];
}

describe("a signed record", () => {
  it("states who may see what, for which purposes, until when, and what shows it", async () => {
    const [grant] = await chain();
    expect(grant).toMatchObject({
      version: 1,
      consent_id: "cns_000000000000000a",
      retailer_id: act.retailer_id,
      retailer_identifier_hmac: "a".repeat(64),
      retailer_identifier_key_id: "phone-1",
      adult_declared: true,
      lender_id: "lender_a",
      purposes: ["working_capital_loan", "credit_line"],
      data_categories: ["invoices", "payments", "returns"],
      operations: ["score", "disclose"],
      source_distributor_ids: ["dist_0000000000000001"],
      notice: { id: "trade-score", version: "1", sha256: "b".repeat(64) },
      evidence: { answer_wamid: "wamid.1", received_at: act.granted_at },
      status: "ACTIVE",
      seq: 1,
      prev_hash: "0".repeat(64),
    });
    expect(grant?.data_fiduciary.dpo_contact).toContain("@");
    expect(grant?.purpose_texts).toHaveLength(2);
  });

  it("has the SHA-256 of its RFC 8785 form as record_hash, and r||s in hex as signature", async () => {
    for (const { record_hash, signature, key_id, ...content } of await chain()) {
      expect(sha256Hex(canonicalJson(content))).toBe(record_hash);
      expect(signature).toMatch(/^[0-9a-f]{128}$/);
      expect(key_id).toBe("key-1");
    }
  });

  it("that revokes points at the grant and repeats its terms", async () => {
    const [grant, , end] = await chain();
    expect(end).toMatchObject({
      consent_id: grant?.consent_id,
      status: "REVOKED",
      grant_record: { seq: 1, record_hash: grant?.record_hash },
      purposes: grant?.purposes,
      notice: grant?.notice,
      evidence: grant?.evidence,
      revoked_at: "2026-12-01T00:00:00.000Z",
      revoked_by: "svc_whatsapp",
      revoke_channel: "whatsapp",
      revoke_reason: "STOP",
      revoke_evidence: { answer_wamid: "wamid.2" },
    });
  });
});

describe("verifying an export offline", () => {
  it("finds nothing wrong with a whole chain, in whatever order it is given", async () => {
    const records = await chain();
    expect(await verifyChains(records, jwks)).toEqual({ valid: true, problems: [] });
    expect(await verifyChains([...records].reverse(), jwks)).toEqual({ valid: true, problems: [] });
  });

  it("verifies the chains of several retailers each by itself", async () => {
    const other = await sealRecords(
      EMPTY_CHAIN,
      [grantContent({ ...act, retailer_id: "ret_00000000000000bb" }, "cns_000000000000000c", "lender_a")],
      signer,
    );
    const records = [...other.map(openRecord), ...(await chain())];
    expect(await verifyChains(records, jwks)).toEqual({ valid: true, problems: [] });
  });

  it("sees any changed, added or removed field of any record", async () => {
    const records = await chain();
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: records.length - 1 }),
        fc.constantFrom(...Object.keys(records[0] as ConsentRecord)),
        fc.oneof(fc.constant(undefined), fc.string(), fc.integer(), fc.boolean()),
        async (index, field, value) => {
          const tampered = structuredClone(records) as unknown as Record<string, unknown>[];
          const record = tampered[index] as Record<string, unknown>;
          if (record[field] === value) return;
          if (value === undefined) delete record[field];
          else record[field] = value;
          expect((await verifyChains(tampered, jwks)).valid).toBe(false);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("sees a change even if the hashes after it are made to fit", async () => {
    const records = await chain();
    let prev_hash = "0".repeat(64);
    const forged = records.map(({ record_hash: _, signature, key_id, ...content }, index) => {
      const changed = { ...content, prev_hash, ...(index === 0 ? { lender_id: "lender_c" } : {}) };
      prev_hash = sha256Hex(canonicalJson(changed));
      return { ...changed, record_hash: prev_hash, signature, key_id };
    });
    const { valid, problems } = await verifyChains(forged, jwks);
    expect(valid).toBe(false);
    expect(problems.every((problem) => problem.includes("signature"))).toBe(true);
  });

  it("sees a record that is missing at the start or in the middle, or is there twice", async () => {
    const [a, b, c] = (await chain()) as [ConsentRecord, ConsentRecord, ConsentRecord];
    for (const records of [
      [b, c],
      [a, c],
      [a, b, b, c],
    ]) {
      expect((await verifyChains(records, jwks)).valid).toBe(false);
    }
  });

  it("trusts no key but the given ones", async () => {
    const records = await chain();
    const other = await generateKeyPair("ES256", { extractable: true });
    const wrong = { keys: [{ ...(await exportJWK(other.publicKey)), kid: "key-1" }] };
    expect((await verifyChains(records, wrong)).valid).toBe(false);
    expect((await verifyChains(records, { keys: [] })).valid).toBe(false);
    expect((await verifyChains(records, { keys: [{ kty: "oct", k: "AAAA", kid: "key-1" }] })).valid).toBe(
      false,
    );
  });
});

describe("the longest life of a consent", () => {
  const latest = (from: string) => new Date(latestExpiryMs(Date.parse(from))).toISOString();

  it("is twelve calendar months, to the millisecond", () => {
    expect(latest("2026-11-22T06:07:08.009Z")).toBe("2027-11-22T06:07:08.009Z");
    expect(latest("2027-03-01T00:00:00.000Z")).toBe("2028-03-01T00:00:00.000Z");
  });

  it("ends on 28 February for a consent of 29 February", () => {
    expect(latest("2028-02-29T23:59:59.999Z")).toBe("2029-02-28T23:59:59.999Z");
  });
});
