import type { z } from "@hono/zod-openapi";
import { requireLender } from "../auth/bearer.ts";
import type { AppContext } from "../http/context.ts";
import { AppError } from "../http/errors.ts";
import { mount, newRouter } from "../http/routing.ts";
import { errorAnswers } from "../http/schemas.ts";
import { jsonBody, queryParameters } from "../http/validation.ts";
import { relayDeliveriesSoon } from "./deliveries.ts";
import {
  deliveriesAnswer,
  deliveriesQuery,
  deliveryId,
  registerBody,
  testAnswer,
  webhookAnswer,
  webhookId,
  webhooksAnswer,
  webhookWithSecret,
} from "./schemas.ts";
import {
  listDeliveries,
  listWebhooks,
  pauseWebhook,
  registerWebhook,
  removeWebhook,
  replayDelivery,
  resumeWebhook,
  rotateSecret,
  testWebhook,
} from "./service.ts";
import type { OwnWebhook } from "./store.ts";

/** Where a lender says to which of its servers notices are posted (docs/webhooks.md). */
export const webhookRouter = newRouter();

const SCOPE = "webhook:write";
const common = { tags: ["Webhooks"], security: [{ bearer: [] }] };

const answers = (schema: z.ZodType, description: string) => ({
  description,
  content: { "application/json": { schema } },
});

/** The webhook that the path names, of the calling lender; a malformed id is as unknown as any other. */
async function ownWebhook(c: AppContext): Promise<OwnWebhook> {
  const { subject } = await requireLender(c, SCOPE);
  const webhook_id = webhookId.safeParse(c.req.param("webhook_id"));
  if (!webhook_id.success) throw new AppError("NOT_FOUND");
  return { lender_id: subject, webhook_id: webhook_id.data };
}

function relayLater(c: AppContext): void {
  c.executionCtx.waitUntil(relayDeliveriesSoon(c.env));
}

mount(
  webhookRouter,
  {
    ...common,
    method: "post",
    path: "/v1/webhooks",
    summary: "Register a webhook; its secret is shown once",
    request: { body: { required: true, content: { "application/json": { schema: registerBody } } } },
    responses: {
      201: answers(webhookWithSecret, "Registered"),
      ...errorAnswers(400, 401, 403, 409, 413, 415, 422, 429, 503),
    },
  },
  async (c) => {
    const { subject } = await requireLender(c, SCOPE);
    const { url } = await jsonBody(c, registerBody);
    return c.json(await registerWebhook(c.env, subject, url), 201);
  },
);

mount(
  webhookRouter,
  {
    ...common,
    method: "get",
    path: "/v1/webhooks",
    summary: "The lender's webhooks, oldest first",
    responses: { 200: answers(webhooksAnswer, "The webhooks"), ...errorAnswers(400, 401, 403, 503) },
  },
  async (c) => {
    const { subject } = await requireLender(c, SCOPE);
    return c.json({ data: await listWebhooks(c.env, subject) });
  },
);

mount(
  webhookRouter,
  {
    ...common,
    method: "delete",
    path: "/v1/webhooks/{webhook_id}",
    summary: "Delete a webhook and its log",
    responses: { 204: { description: "Deleted" }, ...errorAnswers(400, 401, 403, 404, 503) },
  },
  async (c) => {
    await removeWebhook(c.env, await ownWebhook(c));
    return c.body(null, 204);
  },
);

mount(
  webhookRouter,
  {
    ...common,
    method: "post",
    path: "/v1/webhooks/{webhook_id}/rotate-secret",
    summary: "A new secret; for 24 hours the one before signs as well",
    responses: {
      200: answers(webhookWithSecret, "The webhook with its new secret"),
      ...errorAnswers(400, 401, 403, 404, 429, 503),
    },
  },
  async (c) => c.json(await rotateSecret(c.env, await ownWebhook(c))),
);

mount(
  webhookRouter,
  {
    ...common,
    method: "post",
    path: "/v1/webhooks/{webhook_id}/pause",
    summary: "Stop sending; notices wait",
    responses: { 200: answers(webhookAnswer, "Paused"), ...errorAnswers(400, 401, 403, 404, 503) },
  },
  async (c) => c.json(await pauseWebhook(c.env, await ownWebhook(c))),
);

mount(
  webhookRouter,
  {
    ...common,
    method: "post",
    path: "/v1/webhooks/{webhook_id}/resume",
    summary: "Send again, first what has waited",
    responses: { 200: answers(webhookAnswer, "Active"), ...errorAnswers(400, 401, 403, 404, 503) },
  },
  async (c) => {
    const webhook = await resumeWebhook(c.env, await ownWebhook(c));
    relayLater(c);
    return c.json(webhook);
  },
);

mount(
  webhookRouter,
  {
    ...common,
    method: "post",
    path: "/v1/webhooks/{webhook_id}/test",
    summary: "Send a message of type webhook.test now, once",
    responses: {
      200: answers(testAnswer, "How it ended"),
      ...errorAnswers(400, 401, 403, 404, 429, 503),
    },
  },
  async (c) => c.json(await testWebhook(c.env, await ownWebhook(c))),
);

mount(
  webhookRouter,
  {
    ...common,
    method: "get",
    path: "/v1/webhooks/{webhook_id}/deliveries",
    summary: "The delivery log, newest first; 30 days of it",
    request: { query: deliveriesQuery },
    responses: { 200: answers(deliveriesAnswer, "A page"), ...errorAnswers(400, 401, 403, 404, 503) },
  },
  async (c) => {
    const own = await ownWebhook(c);
    const { cursor = null, limit } = queryParameters(c, deliveriesQuery);
    return c.json(await listDeliveries(c.env, own, { cursor, limit }));
  },
);

mount(
  webhookRouter,
  {
    ...common,
    method: "post",
    path: "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/replay",
    summary: "Send a delivery again, with the same webhook-id",
    responses: {
      202: { description: "It will be sent" },
      ...errorAnswers(400, 401, 403, 404, 429, 503),
    },
  },
  async (c) => {
    const own = await ownWebhook(c);
    const delivery_id = deliveryId.safeParse(c.req.param("delivery_id"));
    if (!delivery_id.success) throw new AppError("NOT_FOUND");
    await replayDelivery(c.env, own, delivery_id.data);
    relayLater(c);
    return c.body(null, 202);
  },
);
