import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { type BearerApi, openBearerApi } from "../../../scripts/demo/api.ts";
import { createHttpClient, type HttpClient } from "../../../scripts/lib/http-client.ts";
import { dayToIso, istDay } from "../../../src/lib/days.ts";
import { madeUpGstin } from "../../../src/synthetic/gstin.ts";
import type { LocalJson } from "./server.ts";

/** A batch of `invoices` invoices and as many payments, spread over `retailers` made-up retailers. */
export function newBatch(
  distributor_id: string,
  name: string,
  invoices: number,
  retailers: number,
): { uuid: string; body: string } {
  const today = istDay(Date.now());
  const numbers = Array.from({ length: invoices }, (_, i) => i);
  const day = (i: number): number => today - 200 + (i % 180);
  return {
    uuid: randomUUID(),
    body: JSON.stringify({
      distributor_id,
      sync_from: `${dayToIso(today - 200)}T00:00:00Z`,
      sync_to: `${dayToIso(today)}T00:00:00Z`,
      invoices: numbers.map((i) => ({
        invoice_id: `${name}-I${i}`,
        retailer_gst: madeUpGstin(`e2e ${i % retailers}`),
        retailer_phone: phoneOf(i % retailers),
        invoice_date: dayToIso(day(i)),
        due_date: dayToIso(day(i) + 14),
        amount_inr: 1000 + i + 0.25,
      })),
      payments: numbers.map((i) => ({
        payment_id: `${name}-P${i}`,
        invoice_id: `${name}-I${i}`,
        paid_date: dayToIso(day(i) + 10 + (i % 9)),
        amount_paid_inr: 1000 + i + 0.25,
        payment_method: "UPI",
      })),
    }),
  };
}

/** The made-up phone of the n-th retailer of `newBatch`. */
export function phoneOf(retailer: number): string {
  return `70000${String(retailer).padStart(5, "0")}`;
}

/** A client of the TLS listener that presents no certificate, as lenders and services do. */
export function tlsClient(local: LocalJson): HttpClient {
  return createHttpClient(local.mtls_url, { ca: readFileSync(local.ca_cert, "utf8") });
}

/** A session of one of local.json's lenders. */
export function asLender(local: LocalJson, index: number): Promise<BearerApi> {
  const lender = local.lenders[index]!;
  return openBearerApi(tlsClient(local), lender, lender.lender_id);
}

/** A session of the service client that may write consents. */
export function asConsentService(local: LocalJson): Promise<BearerApi> {
  const service = local.services.find(({ scope }) => scope.includes("consent:write"))!;
  return openBearerApi(tlsClient(local), service, service.client_id);
}
