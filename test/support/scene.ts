import { env } from "cloudflare:workers";
import { parseEnv } from "../../src/config.ts";
import { dayToIso, istDay } from "../../src/lib/days.ts";
import { newUuid, nowMs } from "../../src/lib/seams.ts";
import { publishNotice } from "../../src/parties/provisioning.ts";
import { scoreRetailers } from "../../src/pipeline/score-retailer.ts";
import { gstinIndex } from "../../src/retailers/blind-index.ts";
import { retailerByGstin } from "../../src/retailers/store.ts";
import { madeUpGstin } from "../../src/synthetic/gstin.ts";
import {
  bearerHeaders,
  seedDistributor,
  seedLender,
  seedService,
  signedIngest,
  type TestDistributor,
  type TestLender,
  type TestService,
} from "./auth.ts";
import { worker } from "./worker.ts";

const url = (path: string) => `https://api.altscore.in${path}`;

/** How a shop of a scene buys and pays. */
export interface Habits {
  months: number;
  invoices_per_month: number;
  amount_inr: number;
  /** Days after the due date at which each bill is paid, taken in turn. */
  delays_days: number[];
}

export const REGULAR: Habits = {
  months: 24,
  invoices_per_month: 6,
  amount_inr: 12_000,
  delays_days: [0, 0, 1, 0, 4],
};

/** The ingestion body of a shop with these habits, ending yesterday; ids are stable for one GSTIN. */
export function ledgerBody(distributor_id: string, gstin: string, habits: Habits = REGULAR) {
  const yesterday = istDay(nowMs()) - 1;
  const invoices = [];
  const payments = [];
  const step_days = 30 / habits.invoices_per_month;
  const count = habits.months * habits.invoices_per_month;
  for (let i = 0; i < count; i++) {
    const invoice_day = Math.round(yesterday - (count - 1 - i) * step_days);
    const due_day = invoice_day + 14;
    const paid_day = due_day + (habits.delays_days[i % habits.delays_days.length] ?? 0);
    const invoice_id = `${gstin}-${i}`;
    const amount_inr = habits.amount_inr + (i % 7) * 100;
    invoices.push({
      invoice_id,
      retailer_gst: gstin,
      invoice_date: dayToIso(invoice_day),
      due_date: dayToIso(due_day),
      amount_inr,
    });
    if (paid_day <= yesterday) {
      payments.push({
        payment_id: `P-${invoice_id}`,
        invoice_id,
        paid_date: dayToIso(paid_day),
        amount_paid_inr: amount_inr,
        payment_method: "UPI",
      });
    }
  }
  const sync_to = new Date(nowMs()).toISOString();
  return { distributor_id, sync_from: `${dayToIso(yesterday - 30)}T00:00:00Z`, sync_to, invoices, payments };
}

/** Posts a batch with all three factors. */
export async function ingest(distributor: TestDistributor, body: unknown): Promise<Response> {
  return worker.fetch(url("/v1/ingest/batch"), await signedIngest(distributor, body));
}

/** Posts a consent grant of one retailer to lenders; throws unless it is created. */
export async function grant(
  service: TestService,
  over: {
    retailer_id?: string;
    retailer_phone_hash?: string;
    distributor_id: string;
    lender_scope: string[];
    purposes?: string[];
    expires_at?: string;
  },
): Promise<{
  consent_id: string;
  retailer_id: string;
  consents: { lender_id: string; consent_id: string }[];
}> {
  const response = await worker.fetch(url("/v1/consent/grant"), {
    method: "POST",
    headers: await bearerHeaders(service),
    body: JSON.stringify({
      purposes: ["working_capital_loan", "term_loan"],
      consent_channel: "whatsapp",
      wa_message_id: `wamid.${newUuid()}`,
      language: "en",
      ...(await notice()),
      adult_declared: true,
      ...over,
    }),
  });
  if (response.status !== 201) throw new Error(`grant: ${response.status} ${await response.text()}`);
  return response.json();
}

/** Posts a revocation; the answer is left to the caller. */
export async function revoke(service: TestService, body: Record<string, unknown>): Promise<Response> {
  return worker.fetch(url("/v1/consent/revoke"), {
    method: "POST",
    headers: await bearerHeaders(service),
    body: JSON.stringify({ reason: "no longer wanted", ...body }),
  });
}

async function notice() {
  const published = { notice_id: "scene", notice_version: "1", language: "en", text: "May we score you?" };
  await publishNotice(env, published);
  return { notice_id: published.notice_id, notice_version: published.notice_version };
}

export interface Scene {
  lender: TestLender;
  service: TestService;
  distributor: TestDistributor;
  gstin: string;
  retailer_id: string;
  consent_id: string;
}

/** The retailer a batch of this GSTIN made. */
export async function retailerOf(gstin: string): Promise<string> {
  const retailer_id = await retailerByGstin(env, gstinIndex(parseEnv(env), gstin));
  if (!retailer_id) throw new Error("the batch made no retailer");
  return retailer_id;
}

/** A shop whose ledger was ingested, that consented to one lender and was scored: the whole path, stores and all. */
export async function seedScene(
  habits: Habits = REGULAR,
  limits?: Parameters<typeof seedLender>[0],
): Promise<Scene> {
  const lender = await seedLender(limits);
  const service = await seedService();
  const distributor = await seedDistributor();
  const gstin = madeUpGstin(newUuid());
  const response = await ingest(distributor, ledgerBody(distributor.distributor_id, gstin, habits));
  if (response.status !== 202) throw new Error(`ingest: ${response.status} ${await response.text()}`);
  const retailer_id = await retailerOf(gstin);
  const { consent_id } = await grant(service, {
    retailer_id,
    distributor_id: distributor.distributor_id,
    lender_scope: [lender.lender_id],
  });
  await scoreRetailers(env, [retailer_id]);
  return { lender, service, distributor, gstin, retailer_id, consent_id };
}

/** POST /v1/score as a lender. */
export async function askScore(
  lender: TestLender,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return worker.fetch(url("/v1/score"), {
    method: "POST",
    headers: { ...(await bearerHeaders(lender)), ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

/** A GET of the Score API as a lender. */
export async function askAs(lender: TestLender, path: string): Promise<Response> {
  return worker.fetch(url(path), { headers: await bearerHeaders(lender) });
}

/** The error_code of a problem document. */
export async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { error_code: string }).error_code;
}
