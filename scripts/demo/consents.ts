import { createHash, createHmac } from "node:crypto";
import { mapLimited } from "../lib/concurrency.ts";
import { type BearerApi, unexpected } from "./api.ts";
import { NOTICES } from "./notices.ts";

const CONCURRENCY = 4;

/** What a retailer agreed to, as the WhatsApp handler would report it. */
export interface ConsentRequest {
  /** 10 digits. */
  phone: string;
  distributor_id: string;
  lender_ids: string[];
}

/** A recorded consent. */
export interface GrantedConsent {
  retailer_id: string;
  consents: { lender_id: string; consent_id: string }[];
}

/** The hash by which the API names a retailer's phone: HMAC-SHA256 under the pepper's bytes of 91 and the digits. */
export function phoneHash(pepper_hex: string, phone: string): string {
  return createHmac("sha256", Buffer.from(pepper_hex, "hex")).update(`91${phone}`).digest("hex");
}

/**
 * Records consents for working-capital loans, a few at a time; the answers stand in the requests' order. A
 * repeat with the same requests gives the same records, because the message ids follow from the phone hashes.
 */
export async function grantConsents(
  service: BearerApi,
  pepper_hex: string,
  requests: ConsentRequest[],
  onGrant: (done: number) => void,
): Promise<GrantedConsent[]> {
  let done = 0;
  return await mapLimited(requests, CONCURRENCY, async ({ phone, distributor_id, lender_ids }) => {
    const retailer_phone_hash = phoneHash(pepper_hex, phone);
    const evidence = createHash("sha256").update(`${retailer_phone_hash} ${distributor_id}`).digest("hex");
    const answer = await service.send("POST", "/v1/consent/grant", {
      retailer_phone_hash,
      distributor_id,
      lender_scope: lender_ids,
      purpose: "working_capital_loan",
      consent_channel: "whatsapp",
      wa_message_id: `wamid.${evidence.slice(0, 32)}`,
      language: "hi",
      notice_id: NOTICES[0]!.notice_id,
      notice_version: NOTICES[0]!.notice_version,
      adult_declared: true,
    });
    if (answer.status !== 201 && answer.status !== 200) throw unexpected("POST /v1/consent/grant", answer);
    onGrant(++done);
    return answer.body as GrantedConsent;
  });
}
