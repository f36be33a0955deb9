import { env } from "cloudflare:workers";
import type { z } from "@hono/zod-openapi";
import { eq, inArray } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { moveConsentsStatements } from "../../src/consent/lookup.ts";
import { consentRouter } from "../../src/consent/routes.ts";
import { type GrantAnswer, grantBody, toGrantRequest } from "../../src/consent/schemas.ts";
import { recordGrant } from "../../src/consent/service.ts";
import { consents } from "../../src/consent/tables.ts";
import type { Env } from "../../src/env.ts";
import { outbox } from "../../src/events/tables.ts";
import { newId, newUuid, nowIso, randomHex } from "../../src/lib/seams.ts";
import { publishNotice } from "../../src/parties/provisioning.ts";
import { createProvisional } from "../../src/retailers/store.ts";
import { retailers } from "../../src/retailers/tables.ts";
import { appWith, callApp } from "../support/app.ts";
import {
  bearerHeaders,
  seedDistributor,
  seedLender,
  seedService,
  type TestLender,
  type TestService,
} from "../support/auth.ts";

const app = appWith(consentRouter);

export type GrantBody = z.input<typeof grantBody>;

/** The parties of a consent, made once per test file. */
export interface Parties {
  lenders: [TestLender, TestLender, TestLender];
  distributor_id: string;
  service: TestService;
}

export const NOTICE = { notice_id: "trade-score", notice_version: "1" };
export const NOTICE_TEXT_HI = "आपके व्यापार के बिलों से स्कोर बनाने की सहमति";

/** Three lenders, a distributor, a service client and a notice in English and Hindi. */
export async function seedParties(): Promise<Parties> {
  const lenders: Parties["lenders"] = [await seedLender(), await seedLender(), await seedLender()];
  const { distributor_id } = await seedDistributor();
  const service = await seedService();
  await publishNotice(env, { ...NOTICE, language: "en", text: "Consent to a score from your trade bills" });
  await publishNotice(env, { ...NOTICE, language: "hi", text: NOTICE_TEXT_HI });
  return { lenders, distributor_id, service };
}

/** A phone hash nobody has named yet. */
export function newPhoneHash(): string {
  return randomHex(32);
}

/** A retailer known by a phone. */
export function newRetailer(): Promise<string> {
  return createProvisional(env, newPhoneHash());
}

export function newMessageId(): string {
  return `wamid.${newUuid()}`;
}

/** A good grant to the first lender, by a new phone, with the given fields changed; undefined takes a field out. */
export function grantFor(
  parties: { distributor_id: string; lenders?: readonly { lender_id: string }[] },
  changes: Partial<GrantBody> = {},
): GrantBody {
  return {
    ...(changes.retailer_id === undefined ? { retailer_phone_hash: newPhoneHash() } : {}),
    distributor_id: parties.distributor_id,
    lender_scope: (parties.lenders ?? []).slice(0, 1).map(({ lender_id }) => lender_id),
    purpose: "working_capital_loan",
    consent_channel: "whatsapp",
    wa_message_id: newMessageId(),
    language: "hi",
    ...NOTICE,
    adult_declared: true,
    ...changes,
  };
}

/** Grants through the use case; for tests that are about something else. */
export async function granted(
  parties: Parties,
  changes: Partial<GrantBody> = {},
  bindings: Env = env,
): Promise<GrantAnswer> {
  const request = toGrantRequest(grantBody.parse(grantFor(parties, changes)));
  return (await recordGrant(bindings, request, parties.service.client_id)).answer;
}

/** Posts a body to the Consent API as this client. */
export async function post(
  client: TestService | TestLender,
  path: string,
  body: unknown,
  bindings: Env = env,
): Promise<Response> {
  const init = { method: "POST", headers: await bearerHeaders(client), body: JSON.stringify(body) };
  return callApp(app, path, init, bindings);
}

/** Asks the Consent API as this client. */
export async function get(
  client: TestService | TestLender,
  path: string,
  bindings: Env = env,
  headers: Record<string, string> = {},
): Promise<Response> {
  return callApp(app, path, { headers: { ...(await bearerHeaders(client)), ...headers } }, bindings);
}

/** A call without any credential. */
export function anonymous(method: "GET" | "POST", path: string): Promise<Response> {
  return callApp(app, path, { method });
}

/** The error_code of a problem document. */
export async function errorCode(response: Response): Promise<string> {
  return (await response.json<{ error_code: string }>()).error_code;
}

function broken(message: string): never {
  throw new Error(message);
}

/** The bindings with D1 down. */
export function withoutD1(): Env {
  const down = () => broken("D1 is down");
  return { ...env, DB: new Proxy(env.DB, { get: () => down }) };
}

/** The bindings with KV down. */
export function withoutKv(): Env {
  const down = async () => broken("KV is down");
  return { ...env, KV: new Proxy(env.KV, { get: () => down }) };
}

/** The bindings with one lender's gate unreachable. */
export function withoutGateOf(lender_id: string): Env {
  const gates = env.LENDER_GATE;
  const unreachable = gates.idFromName(lender_id);
  return {
    ...env,
    LENDER_GATE: new Proxy(gates, {
      get(target, name) {
        if (name === "idFromName") return (given: string) => target.idFromName(given);
        return (id: DurableObjectId) => (id.equals(unreachable) ? broken("gate is down") : target.get(id));
      },
    }),
  };
}

/** The bindings with D1 whose next batch waits until `before` is done: what comes in between is seen by the batch. */
export function withBefore(before: () => Promise<unknown>): Env {
  let pending: typeof before | undefined = before;
  const batch = async (statements: D1PreparedStatement[]) => {
    const first = pending;
    pending = undefined;
    await first?.();
    return env.DB.batch(statements);
  };
  const get = (db: D1Database, name: keyof D1Database) => (name === "batch" ? batch : db[name].bind(db));
  return { ...env, DB: new Proxy(env.DB, { get: (db, name) => get(db, name as keyof D1Database) }) };
}

/** A retailer with a GSTIN that absorbs a provisional one, consents and all. */
export async function absorb(from: string): Promise<string> {
  const retailer_id = newId("ret");
  const now = nowIso();
  const db = drizzle(env.DB);
  await db.batch([
    db.insert(retailers).values({ retailer_id, provisional: false, created_at: now }),
    db
      .update(retailers)
      .set({ merged_into: retailer_id, merged_at: now })
      .where(eq(retailers.retailer_id, from)),
    ...moveConsentsStatements(db, from, retailer_id),
  ]);
  return retailer_id;
}

/** True if the lender's gate refuses to disclose under this consent; its end is tomorrow if not given (Unix ms). */
export async function gateDenies(
  lender_id: string,
  consent_id: string,
  expires_ms = Date.now() + 86_400_000,
): Promise<boolean> {
  const gate = env.LENDER_GATE.get(env.LENDER_GATE.idFromName(lender_id));
  const admission = await gate.admit({
    route: "score",
    client_id: "client_test",
    jti: newUuid(),
    request_id: newUuid(),
    retailer_id: null,
    purpose: null,
    consent: { consent_id, expires_ms },
    score_id: null,
    outcome: "OK",
    cause: null,
    // Not counted: a test may ask as often as it likes.
    retry: true,
    replay: null,
  });
  if (admission.kind !== "admitted") throw new Error(`gate answered ${admission.kind}`);
  return admission.denied;
}

/** Lets consents have run out a second ago. */
export async function runOut(...consent_ids: string[]): Promise<string> {
  const expires_at = new Date(Date.now() - 1000).toISOString();
  await drizzle(env.DB).update(consents).set({ expires_at }).where(inArray(consents.consent_id, consent_ids));
  return expires_at;
}

/** The events of one retailer in the outbox, oldest first. */
export async function eventsOf(retailer_id: string): Promise<{ type: string; data: object }[]> {
  const rows = await drizzle(env.DB).select().from(outbox);
  return rows.map((row) => JSON.parse(row.envelope)).filter((event) => event.subject === retailer_id);
}
