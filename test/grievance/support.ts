import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { exportStream } from "../../src/audit/export.ts";
import type { AuditEntry } from "../../src/audit/types.ts";
import type { Env } from "../../src/env.ts";
import { outbox } from "../../src/events/tables.ts";
import type { EventEnvelope, EventType } from "../../src/events/types.ts";
import { grievanceRouter } from "../../src/grievance/routes.ts";
import type { FiledAnswer, GrievanceAnswer } from "../../src/grievance/schemas.ts";
import { lenderNotices } from "../../src/notifications/tables.ts";
import { handleEvent } from "../../src/pipeline/consumers.ts";
import { createProvisional } from "../../src/retailers/store.ts";
import { rightsRouter } from "../../src/rights/routes.ts";
import { waOutbox } from "../../src/whatsapp/tables.ts";
import { newPhoneHash } from "../consent/support.ts";
import { appWith } from "../support/app.ts";
import { bearerHeaders, seedService, type TestLender, type TestService } from "../support/auth.ts";

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

const app = appWith(grievanceRouter, rightsRouter);

/** The bindings of the test run with an event queue that leads nowhere: a test handles the outbox when it wants to. */
export const quiet: Env = {
  ...env,
  EVENTS: { sendBatch: async () => undefined } as unknown as Env["EVENTS"],
};

/** Calls the application as this client and waits for what it does after the answer. */
export async function call(
  client: TestLender | TestService,
  method: string,
  path: string,
  body?: unknown,
  over: { bindings?: Env; headers?: Record<string, string> } = {},
): Promise<Response> {
  const headers = { ...(await bearerHeaders(client)), ...over.headers };
  const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  const ctx = createExecutionContext();
  const response = await app.fetch(new Request(`https://api.test${path}`, init), over.bindings ?? quiet, ctx);
  await waitOnExecutionContext(ctx);
  return response;
}

/** Status and JSON of an answer. */
export async function answered<T = Record<string, unknown>>(
  response: Promise<Response>,
): Promise<[status: number, body: T]> {
  const settled = await response;
  return [settled.status, (await settled.json()) as T];
}

/** Status and error_code of an answer. */
export async function refused(response: Promise<Response>): Promise<[status: number, error_code: string]> {
  const [status, { error_code }] = await answered<{ error_code: string }>(response);
  return [status, error_code];
}

export const workers = () => seedService("grievance:work");
export const filers = () => seedService("grievance:write");

/** A retailer known by a phone, so that texts to it stand in the outbox. */
export function newRetailer(): Promise<string> {
  return createProvisional(env, newPhoneHash());
}

export const complaint = (retailer_id: string, over: object = {}) => ({
  retailer_id,
  grievance_type: "incorrect_data",
  description: "मेरा भुगतान दर्ज नहीं है",
  ...over,
});

/** Files a grievance; throws unless it is filed. */
export async function filed(
  client: TestLender | TestService,
  retailer_id: string,
  over: object = {},
): Promise<FiledAnswer> {
  const [status, body] = await answered<FiledAnswer>(
    call(client, "POST", "/v1/grievances", complaint(retailer_id, over)),
  );
  if (status !== 201) throw new Error(`not filed: ${status} ${JSON.stringify(body)}`);
  return body;
}

/** Takes a step as a service that works grievances. */
export function take(worker: TestService, grievance_id: string, step: string, over: object = {}) {
  return call(worker, "POST", `/v1/grievances/${grievance_id}/${step}`, {
    note: `note of ${step}`,
    ...(step === "resolve" ? { outcome: "explained" } : {}),
    ...over,
  });
}

/** The grievance as this client sees it now. */
export async function seen(client: TestLender | TestService, grievance_id: string): Promise<GrievanceAnswer> {
  const [status, body] = await answered<GrievanceAnswer>(
    call(client, "GET", `/v1/grievances/${grievance_id}`),
  );
  if (status !== 200) throw new Error(`not seen: ${status}`);
  return body;
}

/**
 * Keeps a copy of every event from now on: other tests' queue work may relay and handle an event before a test
 * looks at the outbox. For `beforeAll`.
 */
export async function keepEvents(): Promise<void> {
  await env.DB.batch([
    env.DB.prepare("CREATE TABLE IF NOT EXISTS kept_events (envelope TEXT NOT NULL)"),
    env.DB.prepare(
      `CREATE TRIGGER IF NOT EXISTS keep_events AFTER INSERT ON outbox
       BEGIN INSERT INTO kept_events VALUES (NEW.envelope); END`,
    ),
  ]);
}

/** The events of a type whose data name this id, in the order of writing. */
export async function eventsOf<T extends EventType>(type: T, id: string): Promise<EventEnvelope<T>[]> {
  const { results } = await env.DB.prepare("SELECT envelope FROM kept_events ORDER BY rowid").all<{
    envelope: string;
  }>();
  return results
    .map((row) => JSON.parse(row.envelope) as EventEnvelope<T>)
    .filter((event) => event.type === type && JSON.stringify(event.data).includes(id));
}

/** True if the event still waits to be handled. */
export async function isWaiting({ id }: EventEnvelope): Promise<boolean> {
  const rows = await drizzle(env.DB).select().from(outbox).where(eq(outbox.event_id, id));
  return rows.length > 0;
}

/** The audit entries on their way about a subject, `type outcome` in the order of writing. */
export async function auditsOf(id: string): Promise<string[]> {
  const events = await eventsOf("audit_event", id);
  return events.map(({ data }) => `${data.type} ${data.outcome}`);
}

/** The entries about a subject in the audit log itself, in its order. */
export async function auditLogOf(subject: string): Promise<AuditEntry[]> {
  const streams = Array.from("0123456789abcdef", (digit) => exportStream(env, `events:${digit}`, 0));
  const lines = (await Promise.all(streams)).flatMap((page) => page.lines);
  return lines.map((line) => JSON.parse(line) as AuditEntry).filter((entry) => entry.subject === subject);
}

/** The texts to a retailer's WhatsApp. */
export async function textsTo(
  retailer_id: string,
): Promise<{ kind: string; language: string; text: string }[]> {
  const rows = await drizzle(env.DB).select().from(waOutbox).where(eq(waOutbox.retailer_id, retailer_id));
  return rows.map(({ kind, language, content }) => ({ kind, language, text: JSON.parse(content).text }));
}

/** What a lender was told about grievances and corrections. */
export async function noticesTo(lender_id: string): Promise<Record<string, unknown>[]> {
  const rows = await drizzle(env.DB)
    .select()
    .from(lenderNotices)
    .where(eq(lenderNotices.lender_id, lender_id))
    .orderBy(lenderNotices.seq);
  return rows.filter((row) => row.type === "grievance.updated").map((row) => JSON.parse(row.data));
}

/** Handles an event with a scoring queue that keeps what it is sent; returns the retailers on it. */
export async function scoredAfter(event: EventEnvelope): Promise<string[]> {
  const sent: string[] = [];
  const SCORING = {
    sendBatch: async (messages: { body: { retailer_ids: string[] } }[]) => {
      for (const { body } of messages) sent.push(...body.retailer_ids);
    },
  };
  await handleEvent({ ...quiet, SCORING } as unknown as Env, event);
  return sent;
}

/** The bindings with D1 whose next batch fails, as if it were down for a moment. */
export function withFailingBatch(): Env {
  let failures = 1;
  const batch = async (statements: D1PreparedStatement[]) => {
    if (failures-- > 0) throw new Error("D1 is down");
    return env.DB.batch(statements);
  };
  const get = (db: D1Database, name: keyof D1Database) => (name === "batch" ? batch : db[name].bind(db));
  return { ...quiet, DB: new Proxy(env.DB, { get: (db, name) => get(db, name as keyof D1Database) }) };
}
