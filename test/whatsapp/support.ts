import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { app } from "../../src/app.ts";
import { parseEnv } from "../../src/config.ts";
import { checkConsent } from "../../src/consent/service.ts";
import type { Env } from "../../src/env.ts";
import { toHex, utf8 } from "../../src/lib/bytes.ts";
import { newUuid, nowMs, randomHex } from "../../src/lib/seams.ts";
import { publishNotice } from "../../src/parties/provisioning.ts";
import { e164Index } from "../../src/retailers/blind-index.ts";
import type { MessageContent } from "../../src/whatsapp/content.ts";
import { waNotices, waOutbox } from "../../src/whatsapp/tables.ts";
import { workInbox } from "../../src/whatsapp/work.ts";
import {
  bearerHeaders,
  seedDistributor,
  seedLender,
  seedService,
  type TestService,
} from "../support/auth.ts";

export const WEBHOOK = "https://api.altscore.in/webhooks/whatsapp";
const INVITATIONS = "https://api.altscore.in/v1/consent/invitations";
export const NOTICE = { notice_id: "chat-score", notice_version: "1.0" };

/** The parties of a chat, made once per test file. */
export interface Cast {
  service: TestService;
  distributor_id: string;
  lender_ids: string[];
}

/** A distributor, a service, lenders, and the notice in both languages. */
export async function seedCast(lenders = 1): Promise<Cast> {
  const made = await Promise.all(Array.from({ length: lenders }, () => seedLender()));
  const { distributor_id } = await seedDistributor();
  const service = await seedService("consent:read consent:write");
  await publishNotice(env, { ...NOTICE, language: "en", text: "May we score {{1}} for {{2}} until {{3}}?" });
  await publishNotice(env, { ...NOTICE, language: "hi", text: "क्या हम {{1}} {{2}} {{3}}?" });
  return { service, distributor_id, lender_ids: made.map(({ lender_id }) => lender_id) };
}

/** Ten digits that no other test uses. */
export function newPhone(): string {
  return `9${(BigInt(`0x${randomHex(6)}`) % 1_000_000_000n).toString().padStart(9, "0")}`;
}

export function hashOf(phone: string): string {
  return e164Index(parseEnv(env), `91${phone}`);
}

/** Calls the application and waits for what it does after the answer. */
export async function call(url: string, init: RequestInit, bindings: Env = env): Promise<Response> {
  const ctx = createExecutionContext();
  const response = await app.fetch(new Request(url, init), bindings, ctx);
  await waitOnExecutionContext(ctx);
  return response;
}

export async function postInvitation(
  cast: Cast,
  phone: string,
  changes: Record<string, unknown> = {},
): Promise<Response> {
  const body = {
    distributor_id: cast.distributor_id,
    retailer_phone: phone,
    lender_ids: cast.lender_ids,
    purposes: ["working_capital_loan"],
    ...NOTICE,
    language: "en",
    adult_declared: true,
    ...changes,
  };
  return call(INVITATIONS, {
    method: "POST",
    headers: await bearerHeaders(cast.service),
    body: JSON.stringify(body),
  });
}

/** A notice as the phone got it. */
export interface GotNotice {
  invitation_id: string;
  instance_id: string;
  wamid: string;
}

/** Invites a phone; the notice it got. */
export async function invite(
  cast: Cast,
  phone: string,
  changes: Record<string, unknown> = {},
): Promise<GotNotice> {
  const response = await postInvitation(cast, phone, changes);
  if (!response.ok) throw new Error(`invite: ${response.status} ${await response.text()}`);
  const { invitation_id } = await response.json<{ invitation_id: string }>();
  for (;;) {
    const [notice] = await noticesOf(invitation_id);
    // Of invitations at the same time one run sends for all: it may be another one's.
    if (notice && notice.wamid !== "") return notice;
    await scheduler.wait(20);
  }
}

/** The notices shown for an invitation, oldest first. */
export async function noticesOf(invitation_id: string): Promise<(GotNotice & { language: string })[]> {
  const rows = await drizzle(env.DB)
    .select()
    .from(waNotices)
    .where(eq(waNotices.invitation_id, invitation_id));
  return rows.map((row) => ({ ...row, wamid: row.wamid ?? "" }));
}

export type MetaMessage = Record<string, unknown> & { id: string; timestamp: string };

/** Unix seconds `ago_s` before now, as Meta writes them. */
export function seconds(ago_s = 0): string {
  return String(Math.floor(nowMs() / 1000) - ago_s);
}

interface Common {
  timestamp?: string;
  id?: string;
}

function frame(phone: string, { timestamp = seconds(), id = `wamid.${newUuid()}` }: Common): MetaMessage {
  return { from: `91${phone}`, id, timestamp };
}

/** A typed message; with `reply_to` as an answer to that message. */
export function said(phone: string, body: string, over: Common & { reply_to?: string } = {}): MetaMessage {
  const context = over.reply_to ? { context: { from: "15550000000", id: over.reply_to } } : {};
  return { ...frame(phone, over), type: "text", text: { body }, ...context };
}

/** A press on a button of a notice. */
export function pressed(
  phone: string,
  notice: Pick<GotNotice, "instance_id" | "wamid">,
  answer: "GRANT" | "DENY" | "LANG",
  over: Common = {},
): MetaMessage {
  return {
    ...frame(phone, over),
    type: "button",
    button: { payload: `c1|${notice.instance_id}|${answer}`, text: answer },
    context: { from: "15550000000", id: notice.wamid },
  };
}

/** A webhook body as Meta writes it. */
export function body(value: { messages?: unknown[]; statuses?: unknown[] }): string {
  return JSON.stringify({
    object: "whatsapp_business_account",
    entry: [
      {
        id: "102290129340398",
        changes: [
          {
            field: "messages",
            value: {
              messaging_product: "whatsapp",
              metadata: { display_phone_number: "15550000000", phone_number_id: "106540352242922" },
              contacts: [{ profile: { name: "Shop" }, wa_id: "919876500001" }],
              ...value,
            },
          },
        ],
      },
    ],
  });
}

/** X-Hub-Signature-256 of a body. */
export async function signature(raw: string | Uint8Array, secret = env.WHATSAPP_APP_SECRET): Promise<string> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", utf8(secret), algorithm, false, ["sign"]);
  const bytes = typeof raw === "string" ? utf8(raw) : raw;
  return `sha256=${toHex(await crypto.subtle.sign("HMAC", key, new Uint8Array(bytes)))}`;
}

/** Delivers a raw webhook, signed as Meta signs it, and waits until it is worked off. */
export async function deliverRaw(raw: string, bindings: Env = env): Promise<Response> {
  const headers = { "Content-Type": "application/json", "X-Hub-Signature-256": await signature(raw) };
  return call(WEBHOOK, { method: "POST", headers, body: raw }, bindings);
}

/** The bindings of an isolate that ends with its answer: it stores what it gets and works off nothing. */
export function endingIsolate(): Env {
  const prepare = (query: string) => {
    if (query.startsWith('update "wa_inbox"')) throw new Error("this isolate has ended");
    return env.DB.prepare(query);
  };
  const DB = new Proxy(env.DB, {
    get: (db, name: keyof D1Database) => (name === "prepare" ? prepare : db[name].bind(db)),
  });
  return { ...env, DB };
}

/** Delivers messages in one webhook. */
export async function deliver(...messages: MetaMessage[]): Promise<void> {
  const response = await deliverRaw(body({ messages }));
  if (response.status !== 200) throw new Error(`webhook: ${response.status} ${await response.text()}`);
}

/** Works off what was left for later, as the minutes' runs would. */
export async function workAll(): Promise<void> {
  await env.DB.exec("UPDATE wa_inbox SET next_attempt_ms = 0 WHERE done_at IS NULL");
  await workInbox(env);
}

/** What was sent to a phone, oldest first. */
export async function sentTo(phone: string) {
  const rows = await drizzle(env.DB)
    .select()
    .from(waOutbox)
    .where(eq(waOutbox.phone_hash, hashOf(phone)))
    .orderBy(waOutbox.created_at);
  return rows.map((row) => ({ ...row, content: JSON.parse(row.content) as MessageContent }));
}

/** The kinds of what was sent to a phone after its first notice. */
export async function repliesTo(phone: string): Promise<string[]> {
  return (await sentTo(phone)).slice(1).map((row) => row.kind);
}

/** Whether a lender may see the retailer that a phone names. */
export async function isConsented(phone: string, lender_id: string): Promise<boolean> {
  const { retailersOfPhone } = await import("../../src/retailers/store.ts");
  const [retailer_id] = await retailersOfPhone(env, hashOf(phone));
  if (retailer_id === undefined) return false;
  return (await checkConsent(env, lender_id, retailer_id)).consented;
}
