import type { z } from "@hono/zod-openapi";
import { requireService } from "../auth/bearer.ts";
import { relaySoon } from "../events/outbox.ts";
import type { AppContext } from "../http/context.ts";
import { mount, newRouter } from "../http/routing.ts";
import { errorAnswers } from "../http/schemas.ts";
import { jsonBody, queryParameters } from "../http/validation.ts";
import {
  changeBody,
  checkAnswer,
  checkQuery,
  exportAnswer,
  grantAnswer,
  grantBody,
  historyAnswer,
  noticesAnswer,
  pauseAnswer,
  resumeAnswer,
  retailerQuery,
  revokeAnswer,
  toGrantRequest,
} from "./schemas.ts";
import {
  checkConsent,
  consentHistory,
  exportAsJws,
  exportConsents,
  listNotices,
  recordGrant,
  recordPause,
  recordResume,
  recordRevocation,
} from "./service.ts";

/** The Consent API (api.md §4): for service clients, never for lenders. */
export const consentRouter = newRouter();

const WRITE = "consent:write";
const READ = "consent:read";
const security = [{ bearer: [] }];

const answers = (schema: z.ZodType, description: string) => ({
  description,
  content: { "application/json": { schema } },
});

const JOSE = "application/jose";

/** True if the caller names the JOSE form; whoever names none gets JSON. */
function acceptsJose(c: AppContext): boolean {
  const ranges = (c.req.header("accept") ?? "").split(",");
  return ranges.some((range) => range.split(";")[0]?.trim().toLowerCase() === JOSE);
}

/** Sends the act's event after the answer; the cron sends what this does not. */
function relayLater(c: AppContext): void {
  c.executionCtx.waitUntil(relaySoon(c.env));
}

mount(
  consentRouter,
  {
    method: "post",
    path: "/v1/consent/grant",
    tags: ["Consent"],
    summary: "Record a retailer's consent, one signed record per lender",
    security,
    request: { body: { required: true, content: { "application/json": { schema: grantBody } } } },
    responses: {
      200: answers(grantAnswer, "Recorded before: the same wa_message_id with the same content"),
      201: answers(grantAnswer, "Recorded"),
      ...errorAnswers(400, 401, 403, 404, 409, 413, 415, 422, 503),
    },
  },
  async (c) => {
    const principal = await requireService(c, WRITE);
    const request = toGrantRequest(await jsonBody(c, grantBody));
    const { repeated, answer } = await recordGrant(c.env, request, principal.client_id);
    relayLater(c);
    return c.json(answer, repeated ? 200 : 201);
  },
);

mount(
  consentRouter,
  {
    method: "post",
    path: "/v1/consent/revoke",
    tags: ["Consent"],
    summary: "Revoke consents; effective everywhere when the answer is sent",
    security,
    request: { body: { required: true, content: { "application/json": { schema: changeBody } } } },
    responses: {
      200: answers(revokeAnswer, "Revoked, now or before"),
      ...errorAnswers(400, 401, 403, 404, 409, 413, 415, 503),
    },
  },
  async (c) => {
    const principal = await requireService(c, WRITE);
    const request = await jsonBody(c, changeBody);
    const answer = await recordRevocation(c.env, request, principal.client_id);
    relayLater(c);
    return c.json(answer);
  },
);

mount(
  consentRouter,
  {
    method: "post",
    path: "/v1/consent/pause",
    tags: ["Consent"],
    summary: "Pause consents: nothing is disclosed until they are resumed; effective when the answer is sent",
    security,
    request: { body: { required: true, content: { "application/json": { schema: changeBody } } } },
    responses: {
      200: answers(pauseAnswer, "Paused, now or before"),
      ...errorAnswers(400, 401, 403, 404, 409, 413, 415, 503),
    },
  },
  async (c) => {
    const principal = await requireService(c, WRITE);
    const request = await jsonBody(c, changeBody);
    const answer = await recordPause(c.env, request, principal.client_id);
    relayLater(c);
    return c.json(answer);
  },
);

mount(
  consentRouter,
  {
    method: "post",
    path: "/v1/consent/resume",
    tags: ["Consent"],
    summary: "Lift the pause of consents",
    security,
    request: { body: { required: true, content: { "application/json": { schema: changeBody } } } },
    responses: {
      200: answers(resumeAnswer, "Active, now or before"),
      ...errorAnswers(400, 401, 403, 404, 409, 413, 415, 503),
    },
  },
  async (c) => {
    const principal = await requireService(c, WRITE);
    const request = await jsonBody(c, changeBody);
    const answer = await recordResume(c.env, request, principal.client_id);
    relayLater(c);
    return c.json(answer);
  },
);

mount(
  consentRouter,
  {
    method: "get",
    path: "/v1/consent/check",
    tags: ["Consent"],
    summary: "Whether a lender may see a retailer now",
    security,
    request: { query: checkQuery },
    responses: {
      200: answers(checkAnswer, "The state of the consent"),
      ...errorAnswers(400, 401, 403, 503),
    },
  },
  async (c) => {
    await requireService(c, READ);
    const { lender_id, retailer_id } = queryParameters(c, checkQuery);
    return c.json(await checkConsent(c.env, lender_id, retailer_id));
  },
);

mount(
  consentRouter,
  {
    method: "get",
    path: "/v1/consent/history",
    tags: ["Consent"],
    summary: "The signed records of a retailer, oldest first",
    security,
    request: { query: retailerQuery },
    responses: {
      200: answers(historyAnswer, "The records"),
      ...errorAnswers(400, 401, 403, 404, 503),
    },
  },
  async (c) => {
    await requireService(c, READ);
    return c.json(await consentHistory(c.env, queryParameters(c, retailerQuery).retailer_id));
  },
);

mount(
  consentRouter,
  {
    method: "get",
    path: "/v1/consent/export",
    tags: ["Consent"],
    summary: "The signed records of a retailer with the keys to verify them",
    security,
    request: { query: retailerQuery },
    responses: {
      200: {
        description: "The export; as a compact JWS to who accepts application/jose",
        content: { "application/json": { schema: exportAnswer }, [JOSE]: { schema: { type: "string" } } },
      },
      ...errorAnswers(400, 401, 403, 404, 503),
    },
  },
  async (c) => {
    await requireService(c, READ);
    const exported = await exportConsents(c.env, queryParameters(c, retailerQuery).retailer_id);
    c.header("Vary", "Accept", { append: true });
    if (!acceptsJose(c)) return c.json(exported);
    return c.body(await exportAsJws(c.env, exported), 200, { "Content-Type": JOSE });
  },
);

mount(
  consentRouter,
  {
    method: "get",
    path: "/v1/consent/notices",
    tags: ["Consent"],
    summary: "The notices in force",
    security,
    responses: { 200: answers(noticesAnswer, "The notices"), ...errorAnswers(400, 401, 403, 503) },
  },
  async (c) => {
    await requireService(c, READ);
    return c.json({ data: await listNotices(c.env) });
  },
);
