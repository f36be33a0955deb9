import { env } from "cloudflare:workers";
import { createHmac } from "node:crypto";
import { drizzle } from "drizzle-orm/d1";
import { vi } from "vitest";
import type { Env } from "../../src/env.ts";
import { newId } from "../../src/lib/seams.ts";
import { type LenderNotice, notifyLenders } from "../../src/notifications/notify.ts";
import { deliver } from "../../src/webhooks/deliver.ts";
import { relayDeliveries } from "../../src/webhooks/deliveries.ts";
import { RETRY_DELAYS_S } from "../../src/webhooks/retry.ts";
import { webhookRouter } from "../../src/webhooks/routes.ts";
import type { DeliveriesAnswer, WebhookAnswer, WebhookWithSecret } from "../../src/webhooks/schemas.ts";
import { webhookAttempts, webhookDeliveries, webhooks } from "../../src/webhooks/tables.ts";
import type { DeliveryMessage } from "../../src/webhooks/types.ts";
import { appWith, callApp } from "../support/app.ts";
import { bearerHeaders, seedLender, type TestLender, type TestService } from "../support/auth.ts";

export const PUBLIC_V4 = "93.184.215.14";
export const PUBLIC_V6 = "2600:1406:3a00:21::173e:2e65";
export const HOST = "hooks.lender.co.in";
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const URL_A = `https://${HOST}/altscore`;

/** One POST that a receiver got. */
export interface Received {
  url: string;
  redirect: string;
  id: string;
  timestamp_s: number;
  signatures: string[];
  body: string;
}

/** The internet of a test, behind `fetch`: name servers and receivers. */
export interface FakeNetwork {
  dns: Map<string, string[]>;
  /** The code that name servers answer with; 0 is no error. */
  dns_status: number;
  received: Received[];
  /** What a receiver does with a request; 204 unless set. */
  answer: (request: Request) => Response | Promise<Response>;
}

/** Puts a fake network behind `fetch`, with one receiver's name known; undone by `vi.restoreAllMocks()`. */
export function fakeNetwork(): FakeNetwork {
  const network: FakeNetwork = {
    dns: new Map([[HOST, [PUBLIC_V4, PUBLIC_V6]]]),
    dns_status: 0,
    received: [],
    answer: () => new Response(null, { status: 204 }),
  };
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = new Request(input as RequestInfo, init as RequestInit);
    const url = new URL(request.url);
    if (url.pathname === "/dns-query") return dnsAnswer(network, url);
    const { headers } = request;
    network.received.push({
      url: request.url,
      redirect: request.redirect,
      id: headers.get("webhook-id") ?? "",
      timestamp_s: Number(headers.get("webhook-timestamp")),
      signatures: (headers.get("webhook-signature") ?? "").split(" "),
      body: await request.clone().text(),
    });
    return network.answer(request);
  });
  return network;
}

function dnsAnswer(network: FakeNetwork, url: URL): Response {
  const name = url.searchParams.get("name") ?? "";
  const type = url.searchParams.get("type") === "A" ? 1 : 28;
  const addresses = network.dns.get(name) ?? [];
  const records = addresses
    .filter((address) => address.includes(":") === (type === 28))
    .map((data) => ({ name, type, TTL: 60, data }));
  const alias = { name, type: 5, TTL: 60, data: "edge.lender.co.in." };
  if (addresses.length === 0) return Response.json({ Status: network.dns_status || 3 });
  return Response.json({ Status: network.dns_status, Answer: [alias, ...records] });
}

/** True if one of the message's signatures was made with this secret, by an implementation of its own. */
export function isSignedWith(secret: string, message: Received): boolean {
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const content = `${message.id}.${message.timestamp_s}.${message.body}`;
  return message.signatures.includes(`v1,${createHmac("sha256", key).update(content).digest("base64")}`);
}

/** A queue that only remembers: a test decides what is delivered, when and how often. */
export interface HeldQueue {
  bindings: Env;
  messages: DeliveryMessage[];
  delays_s: (number | undefined)[];
}

export function heldQueue(): HeldQueue {
  const messages: DeliveryMessage[] = [];
  const delays_s: (number | undefined)[] = [];
  const send = async (body: DeliveryMessage, options?: { delaySeconds?: number }) => {
    messages.push(body);
    delays_s.push(options?.delaySeconds);
  };
  const sendBatch = async (batch: { body: DeliveryMessage }[]) => {
    for (const { body } of batch) await send(body);
  };
  const bindings = { ...env, WEBHOOKS: { send, sendBatch } as unknown as Queue<DeliveryMessage> };
  return { bindings, messages, delays_s };
}

/** Relays what is due and makes the attempts, as the cron and the queue's consumer would. */
export async function pump({ bindings, messages }: HeldQueue): Promise<void> {
  await relayDeliveries(bindings);
  for (const message of messages.splice(0)) await deliver(bindings, message);
}

const app = appWith(webhookRouter);

/** A call of the webhook API. */
export async function call(
  client: TestLender | TestService,
  method: "GET" | "POST" | "DELETE",
  path: string,
  body?: unknown,
  bindings: Env = env,
): Promise<Response> {
  const headers = await bearerHeaders(client);
  return callApp(app, path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) }, bindings);
}

/** The answer's JSON; throws unless it has this status. */
export async function answered<T>(response: Response, status = 200): Promise<T> {
  if (response.status !== status) throw new Error(`${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}

/** A lender's registered webhook, over a fake network and a held queue. */
export interface Scene {
  network: FakeNetwork;
  queue: HeldQueue;
  lender: TestLender;
  webhook: WebhookWithSecret;
}

export async function seedWebhook(url = URL_A): Promise<Scene> {
  const network = fakeNetwork();
  const queue = heldQueue();
  const lender = await seedLender();
  const webhook = await answered<WebhookWithSecret>(await call(lender, "POST", "/v1/webhooks", { url }), 201);
  return { network, queue, lender, webhook };
}

/** Posts one of the actions of a scene's webhook, e.g. `resume`. */
export function act({ lender, webhook, queue }: Scene, action: string): Promise<Response> {
  return call(lender, "POST", `/v1/webhooks/${webhook.webhook_id}/${action}`, undefined, queue.bindings);
}

/** Removes every webhook and delivery, so that what one test left waiting does not come due in the next. */
export async function forgetWebhooks(): Promise<void> {
  const db = drizzle(env.DB);
  await db.batch([db.delete(webhooks), db.delete(webhookDeliveries), db.delete(webhookAttempts)]);
}

/** Writes a notice to the lender of a scene; returns its retailer. */
export async function notify({ lender, queue }: Pick<Scene, "lender" | "queue">): Promise<string> {
  const notice: LenderNotice = {
    lender_id: lender.lender_id,
    type: "consent.revoked",
    retailer_id: newId("ret"),
    data: { consent_id: newId("cns") },
  };
  await notifyLenders(queue.bindings, [notice]);
  return notice.retailer_id;
}

/** The webhook as its lender sees it. */
export async function webhookNow({ lender, webhook }: Scene): Promise<WebhookAnswer> {
  const { data } = await answered<{ data: WebhookAnswer[] }>(await call(lender, "GET", "/v1/webhooks"));
  const found = data.find((row) => row.webhook_id === webhook.webhook_id);
  if (!found) throw new Error("the webhook is gone");
  return found;
}

/** The webhook's delivery log, newest first. */
export async function deliveriesOf({ lender, webhook }: Scene): Promise<DeliveriesAnswer["data"]> {
  const path = `/v1/webhooks/${webhook.webhook_id}/deliveries`;
  return (await answered<DeliveriesAnswer>(await call(lender, "GET", path))).data;
}

/** Stops the clock, so that `later` alone moves it. */
export function stopClock(): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
}

/** Moves the clock on and sends what is due then. */
export async function later(scene: Scene, ms: number): Promise<void> {
  vi.setSystemTime(Date.now() + ms);
  await pump(scene.queue);
}

/** Fails through the whole back-off but for the jitter, from the first attempt to the last. */
export async function useUpAttempts(scene: Scene): Promise<void> {
  await pump(scene.queue);
  for (const delay_s of RETRY_DELAYS_S) await later(scene, delay_s * 1100 + 1000);
}

/** A receiver's answer without a body. */
export const status = (code: number, headers: Record<string, string> = {}) =>
  new Response(null, { status: code, headers });
