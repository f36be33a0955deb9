import { beforeAll, describe, expect, it } from "vitest";
import type { ConsentRecord } from "../../src/consent/record.ts";
import { latestExpiryMs } from "../../src/consent/terms.ts";
import { sha256Hex } from "../../src/lib/bytes.ts";
import { canonicalJson } from "../../src/lib/jcs.ts";
import { ACT, lifeOf, newSigner, type TestSigner } from "./chains.ts";

let signer: TestSigner;
let life: ConsentRecord[];

beforeAll(async () => {
  signer = await newSigner("key-1");
  life = await lifeOf(signer);
});

describe("a signed record", () => {
  it("states who may see what, for which purposes, until when, and what shows it", () => {
    const [grant] = life;
    expect(grant).toMatchObject({
      version: 2,
      consent_id: "cns_00000000000001aa",
      retailer_id: ACT.retailer_id,
      retailer_identifier_hmac: "a".repeat(64),
      retailer_identifier_key_id: "phone-1",
      adult_declared: true,
      lender_id: "lender_a",
      purposes: ["working_capital_loan", "credit_line"],
      data_categories: ["invoices", "payments", "returns"],
      operations: ["score", "disclose"],
      source_distributor_ids: ["dist_0000000000000001"],
      notice: ACT.notice,
      evidence: ACT.evidence,
      frequency: expect.stringContaining("request"),
      data_life: expect.stringContaining("7 years"),
      change: null,
      status: "ACTIVE",
      seq: 1,
      prev_hash: "0".repeat(64),
    });
    expect(grant?.data_fiduciary.dpo_contact).toContain("@");
    expect(grant?.purpose_texts).toHaveLength(2);
  });

  it("has the SHA-256 of its RFC 8785 form as record_hash, and r||s in hex as signature", async () => {
    for (const { record_hash, signature, key_id, ...content } of life) {
      expect(sha256Hex(canonicalJson(content))).toBe(record_hash);
      expect(signature).toMatch(/^[0-9a-f]{128}$/);
      expect(key_id).toBe("key-1");
    }
  });

  it.each([
    ["PAUSED", 2],
    ["ACTIVE", 3],
    ["EXPIRED", 5],
  ])(
    "that makes a consent %s points at the grant, repeats its terms, and says who and when",
    (status, at) => {
      const record = life[at] as ConsentRecord;
      const grant = life.find(({ consent_id }) => consent_id === record.consent_id) as ConsentRecord;
      expect(record).toMatchObject({
        status,
        grant_record: { seq: grant.seq, record_hash: grant.record_hash },
        purposes: grant.purposes,
        notice: grant.notice,
        evidence: grant.evidence,
        change: { at: expect.any(String), by: expect.any(String), channel: expect.any(String) },
        revoked_at: null,
        revoke_evidence: null,
      });
    },
  );

  it("that revokes says so in the members the law's record names", () => {
    const [grant, , , , end] = life;
    expect(end).toMatchObject({
      consent_id: grant?.consent_id,
      status: "REVOKED",
      grant_record: { seq: 1, record_hash: grant?.record_hash },
      change: null,
      revoked_at: "2026-12-03T00:00:00.000Z",
      revoked_by: "svc_whatsapp",
      revoke_channel: "whatsapp",
      revoke_reason: "STOP",
      revoke_evidence: { answer_wamid: "wamid.REVOKED" },
    });
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
