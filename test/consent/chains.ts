import { exportJWK, generateKeyPair, type JWK } from "jose";
import {
  type ConsentRecord,
  type ConsentStatus,
  changeContent,
  EMPTY_CHAIN,
  fullEvidence,
  type GrantAct,
  grantContent,
  openRecord,
  type RecordContent,
  sealOf,
  sealRecords,
} from "../../src/consent/record.ts";
import type { NoticeText } from "../../src/consent/verify.ts";
import { sha256Hex } from "../../src/lib/bytes.ts";

export interface TestSigner {
  kid: string;
  key: CryptoKey;
  jwk: JWK;
}

export async function newSigner(kid: string): Promise<TestSigner> {
  const pair = await generateKeyPair("ES256", { extractable: true });
  const jwk = { ...(await exportJWK(pair.publicKey)), kid, alg: "ES256", use: "sig" };
  return { kid, key: pair.privateKey, jwk };
}

const TEXT = "May these lenders see your score?";
export const NOTICE_SHOWN: NoticeText = {
  notice_id: "trade-score",
  notice_version: "1",
  language: "en",
  sha256: sha256Hex(TEXT),
  text: TEXT,
};

export const ACT: GrantAct = {
  retailer_id: "ret_00000000000000aa",
  fiduciary: { name: "AltScore", contact: "privacy@altscore.in", dpo_contact: "dpo@altscore.in" },
  identifier: { hmac: "a".repeat(64), key_id: "phone-1" },
  grant_group: "grp_0000000000000001",
  purposes: ["working_capital_loan", "credit_line"],
  distributor_id: "dist_0000000000000001",
  channel: "whatsapp",
  language: "en",
  notice: { id: "trade-score", version: "1", sha256: NOTICE_SHOWN.sha256 },
  evidence: fullEvidence("wamid.1", "2026-11-22T06:00:00.000Z", {
    notice_wamid: "wamid.0",
    answer_type: "button",
    answer_payload: "allow",
    wa_timestamp: "2026-11-22T05:59:58.000Z",
  }),
  recorded_by: "svc_whatsapp",
  granted_at: "2026-11-22T06:00:00.000Z",
  expires_at: "2027-11-22T06:00:00.000Z",
};

/** Appends to a chain with a right seal, whatever the content says. */
export async function append(
  chain: readonly ConsentRecord[],
  content: RecordContent,
  signer: TestSigner,
): Promise<ConsentRecord[]> {
  const head = chain.at(-1) ?? EMPTY_CHAIN;
  return [...chain, ...(await sealRecords(head, [content], signer)).map(openRecord)];
}

/** The content that gives a granted consent another status at an instant. */
export function changed(grant: ConsentRecord, status: ConsentStatus, at: string): RecordContent {
  const scheduled = status === "EXPIRED";
  return changeContent(grant, {
    status,
    at,
    by: scheduled ? "system" : "svc_whatsapp",
    channel: scheduled ? "schedule" : "whatsapp",
    reason: status === "REVOKED" ? "STOP" : null,
    evidence: scheduled ? null : fullEvidence(`wamid.${status}`, at),
    signed_at: at,
  });
}

/** One retailer's chain: two grants; the first is paused, resumed and revoked, the second expires. */
export async function lifeOf(signer: TestSigner, retailer_id = ACT.retailer_id): Promise<ConsentRecord[]> {
  const act = { ...ACT, retailer_id };
  const last_digits = retailer_id.slice(-2);
  let chain = await append([], grantContent(act, `cns_00000000000001${last_digits}`, "lender_a"), signer);
  chain = await append(chain, grantContent(act, `cns_00000000000002${last_digits}`, "lender_b"), signer);
  const [first, second] = chain as [ConsentRecord, ConsentRecord];
  chain = await append(chain, changed(first, "PAUSED", "2026-12-01T00:00:00.000Z"), signer);
  chain = await append(chain, changed(first, "ACTIVE", "2026-12-02T00:00:00.000Z"), signer);
  chain = await append(chain, changed(first, "REVOKED", "2026-12-03T00:00:00.000Z"), signer);
  return append(chain, changed(second, "EXPIRED", ACT.expires_at), signer);
}

/** A sealed export of records, with the keys that it carries. */
export async function exportOf(
  records: readonly ConsentRecord[],
  signer: TestSigner,
  inside: readonly TestSigner[] = [signer],
) {
  const content = {
    retailer_id: ACT.retailer_id,
    exported_at: "2027-12-01T00:00:00.000Z",
    records,
    keys: { keys: inside.map(({ jwk }) => jwk) },
    notices: [NOTICE_SHOWN],
    verification: { valid: true, problems: [] },
  };
  return { ...content, seal: await sealOf(content, signer) };
}
