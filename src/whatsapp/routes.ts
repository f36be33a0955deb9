import { requireService } from "../auth/bearer.ts";
import { orUnavailable } from "../consent/fail-safe.ts";
import type { AppContext } from "../http/context.ts";
import { AppError } from "../http/errors.ts";
import { mount, newRouter } from "../http/routing.ts";
import { errorAnswers } from "../http/schemas.ts";
import { jsonBody, readBody } from "../http/validation.ts";
import { constantTimeEqual } from "../lib/bytes.ts";
import { storeMessages } from "./inbox.ts";
import { inviteRetailer } from "./invitations.ts";
import { noteStatuses, sendSoon } from "./outbox.ts";
import { invitationAnswer, invitationBody } from "./schemas.ts";
import { readDelivery, signedByMeta } from "./webhook.ts";
import { workSoon } from "./work.ts";

/** WhatsApp: Meta's webhook, and the invitation that begins a dialogue. */
export const whatsappRouter = newRouter();

const WEBHOOK = "/webhooks/whatsapp";

mount(
  whatsappRouter,
  {
    method: "get",
    path: WEBHOOK,
    tags: ["WhatsApp"],
    summary: "Meta's handshake: answers hub.challenge if hub.verify_token is ours",
    responses: {
      200: { description: "The challenge", content: { "text/plain": { schema: { type: "string" } } } },
      ...errorAnswers(403),
    },
  },
  (c) => {
    const challenge = c.req.query("hub.challenge");
    const token = c.req.query("hub.verify_token") ?? "";
    const known = constantTimeEqual(token, c.get("config").WHATSAPP_VERIFY_TOKEN);
    if (!known || c.req.query("hub.mode") !== "subscribe" || challenge === undefined) {
      throw new AppError("VERIFY_TOKEN_INVALID");
    }
    return c.text(challenge);
  },
);

mount(
  whatsappRouter,
  {
    method: "post",
    path: WEBHOOK,
    tags: ["WhatsApp"],
    summary: "Meta's notifications, signed with X-Hub-Signature-256 over the raw body",
    responses: {
      200: {
        description: "Stored; also for shapes and types that nobody knows",
        content: { "application/json": { schema: { type: "object" } } },
      },
      ...errorAnswers(401, 413, 503),
    },
  },
  async (c) => {
    // Without a signature there is nothing to read; with one, the size is bounded before the bytes are hashed.
    const signature = c.req.header("x-hub-signature-256");
    if (signature === undefined) throw new AppError("SIGNATURE_INVALID");
    const raw = await readBody(c.req.raw);
    const config = c.get("config");
    if (!(await signedByMeta(config, signature, raw))) throw new AppError("SIGNATURE_INVALID");
    const delivery = readDelivery(jsonOf(raw), config.WHATSAPP_PHONE_NUMBER_ID);
    await orUnavailable(() => storeMessages(c.env, delivery.messages));
    await orUnavailable(() => noteStatuses(c.env, delivery.statuses));
    const { messages, statuses, ignored } = delivery;
    Object.assign(c.get("log"), { messages: messages.length, statuses: statuses.length, ignored });
    // Stored is what the 200 says; the minute's run works off what this isolate does not live to.
    c.executionCtx.waitUntil(workSoon(c.env));
    return c.json({});
  },
);

/** The body as JSON; null if it is none: it is signed, so to refuse it would only bring it back for a week. */
function jsonOf(raw: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(raw));
  } catch {
    return null;
  }
}

mount(
  whatsappRouter,
  {
    method: "post",
    path: "/v1/consent/invitations",
    tags: ["Consent"],
    summary: "Invite a retailer to consent: sends the notice by WhatsApp",
    security: [{ bearer: [] }],
    request: { body: { required: true, content: { "application/json": { schema: invitationBody } } } },
    responses: {
      200: {
        description: "Invited before with the same terms; the answer is still outstanding",
        content: { "application/json": { schema: invitationAnswer } },
      },
      202: {
        description: "The notice will be sent",
        content: { "application/json": { schema: invitationAnswer } },
      },
      ...errorAnswers(400, 401, 403, 404, 409, 413, 415, 422, 503),
    },
  },
  async (c: AppContext) => {
    const principal = await requireService(c, "consent:write");
    const body = await jsonBody(c, invitationBody);
    const { repeated, answer } = await orUnavailable(() => inviteRetailer(c.env, body, principal.client_id));
    c.executionCtx.waitUntil(sendSoon(c.env));
    return c.json(answer, repeated ? 200 : 202);
  },
);
