import { randomUUID } from "node:crypto";
import { dayToIso, istDay } from "../../src/lib/days.ts";
import { shownPath } from "../lib/paths.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { GrantedConsent } from "./consents.ts";
import type { Parties } from "./parties.ts";

const JSON_TYPE = "-H 'Content-Type: application/json'";

/**
 * Commands to paste into a POSIX shell in this folder, in order: token, score in English and Hindi, history,
 * lookup, a batch over mTLS, and a revocation after which the score is refused.
 */
export function curlCommands(
  runtime: Runtime,
  parties: Parties,
  { retailer_id, consents }: GrantedConsent,
  gstin: string,
): string {
  const lender = Object.values(parties.lenders)[0]!;
  const service = Object.values(parties.services)[0]!;
  const distributor = Object.values(parties.distributors)[0]!;
  const consent = consents.find(({ lender_id }) => lender_id === lender.lender_id)!;
  const asLender = `-H "Authorization: Bearer $LENDER" -H 'X-Client-ID: ${lender.lender_id}'`;
  const asService = `-H "Authorization: Bearer $SERVICE" -H 'X-Client-ID: ${service.client_id}'`;
  const question = JSON.stringify({ retailer_id, purpose: "working_capital_loan" });

  const token = (name: string, client: { client_id: string; client_secret: string }): string =>
    `${name}=$(ask $API/v1/auth/token ${JSON_TYPE} -d '${JSON.stringify({ client_id: client.client_id, client_secret: client.client_secret })}' | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')`;
  const score = `ask $API/v1/score ${asLender} ${JSON_TYPE}`;

  return [
    "# Next steps, to be pasted into a shell in this folder:",
    `API=${runtime.mtls_url}`,
    `ask() { curl -sS --cacert ${shownPath(runtime.ca_cert)} -w '\\n' "$@"; }`,
    "",
    "# 1. A lender's token (one hour), its score in English and in Hindi",
    token("LENDER", { client_id: lender.client_id, client_secret: lender.client_secret }),
    `${score} -d '${question}'`,
    `${score} -H 'Accept-Language: hi' -d '${question}'`,
    "",
    "# 2. The score's history, and the retailer's id from its GSTIN",
    `ask "$API/v1/score/${retailer_id}/history?months=6" ${asLender}`,
    `ask $API/v1/retailers/lookup ${asLender} ${JSON_TYPE} -d '{"gst":"${gstin}"}'`,
    "",
    "# 3. One more invoice from its distributor, over mTLS, signed; sent again it is answered 409",
    `BODY='${batchBody(distributor.distributor_id, gstin)}'`,
    `SIGNATURE=$(printf %s "$BODY" | openssl dgst -sha256 -hmac ${distributor.signing_secret} -r | cut -d' ' -f1)`,
    `ask --cert ${shownPath(distributor.cert)} --key ${shownPath(distributor.key)} $API/v1/ingest/batch -H 'X-API-Key: ${distributor.api_key}' -H 'X-ERP-Type: ${distributor.erp_type}' -H 'X-Batch-ID: ${randomUUID()}' -H "X-Payload-Signature: $SIGNATURE" ${JSON_TYPE} -d "$BODY"`,
    "",
    "# 4. The shop takes its consent back: the very next question is refused with 403",
    token("SERVICE", service),
    `ask $API/v1/consent/revoke ${asService} ${JSON_TYPE} -d '${JSON.stringify({ consent_id: consent.consent_id, reason: "changed my mind", wa_message_id: `wamid.${randomUUID()}` })}'`,
    `${score} -d '${question}'`,
    "",
  ].join("\n");
}

function batchBody(distributor_id: string, gstin: string): string {
  const today = istDay(Date.now());
  return JSON.stringify({
    distributor_id,
    sync_from: `${dayToIso(today - 1)}T00:00:00Z`,
    sync_to: new Date().toISOString(),
    invoices: [
      {
        invoice_id: `CURL-${dayToIso(today)}`,
        retailer_gst: gstin,
        invoice_date: dayToIso(today - 1),
        due_date: dayToIso(today + 13),
        amount_inr: 2450.5,
      },
    ],
    payments: [],
  });
}
