import { z } from "@hono/zod-openapi";
import { authenticate, bearerError, type Principal, requireClient, requireService } from "../auth/bearer.ts";
import { relaySoon } from "../events/outbox.ts";
import type { AppContext } from "../http/context.ts";
import { mount, newRouter } from "../http/routing.ts";
import { errorAnswers } from "../http/schemas.ts";
import { jsonBody } from "../http/validation.ts";
import { type Call, gatedCall, lookUpConsent, requireConsent } from "../score/gated.ts";
import { fileGrievance } from "./filing.ts";
import type { Step } from "./lifecycle.ts";
import { explanationOf, readGrievance, scoreOf, visibleGrievance, WORK } from "./reading.ts";
import {
  explanationAnswer,
  filedAnswer,
  grievanceAnswer,
  grievanceBody,
  grievanceId,
  resolveBody,
  stepBody,
} from "./schemas.ts";
import { takeStep } from "./steps.ts";

/** The Grievance API (api.md §6, docs/grievances.md). */
export const grievanceRouter = newRouter();

const WRITE = "grievance:write";
const security = [{ bearer: [] }];
const params = z.object({ grievance_id: grievanceId });

const answers = (schema: z.ZodType, description: string) => ({
  description,
  content: { "application/json": { schema } },
});
const idOf = (c: AppContext): string => c.req.param("grievance_id") ?? "";

mount(
  grievanceRouter,
  {
    method: "post",
    path: "/v1/grievances",
    tags: ["Grievances"],
    summary: "File a grievance about a retailer's score or data; 5 per retailer in 24 hours",
    security,
    request: { body: { required: true, content: { "application/json": { schema: grievanceBody } } } },
    responses: {
      201: answers(filedAnswer, "Filed"),
      ...errorAnswers(400, 401, 403, 404, 413, 415, 429, 503),
    },
  },
  async (c) => {
    const principal = await requireClient(c, WRITE);
    const answer = await fileGrievance(c.env, principal, await jsonBody(c, grievanceBody), c.get("language"));
    c.executionCtx.waitUntil(relaySoon(c.env));
    return c.json(answer, 201);
  },
);

mount(
  grievanceRouter,
  {
    method: "get",
    path: "/v1/grievances/{grievance_id}",
    tags: ["Grievances"],
    summary: "A grievance and its clocks, for its filer and those who work it",
    security,
    request: { params },
    responses: { 200: answers(grievanceAnswer, "The grievance"), ...errorAnswers(400, 401, 403, 404, 503) },
  },
  async (c) => {
    const principal = await requireClient(c, WRITE, WORK);
    return c.json(await readGrievance(c.env, principal, idOf(c)));
  },
);

mount(
  grievanceRouter,
  {
    method: "get",
    path: "/v1/grievances/{grievance_id}/explanation",
    tags: ["Grievances"],
    summary: "The reasons of the score in sentences, with advice; a lender needs a consent and is counted",
    security,
    request: { params },
    responses: {
      200: answers(explanationAnswer, "The explanation"),
      ...errorAnswers(400, 401, 403, 404, 422, 429, 503),
    },
  },
  async (c) => {
    const principal = await authenticate(c);
    if (principal.kind === "lender") {
      if (!principal.scopes.has(WRITE)) throw bearerError("SCOPE_INSUFFICIENT", WRITE);
      return gatedCall(c, {
        route: "explanation",
        read: () => idOf(c),
        prepare: (call, id) => explainToLender(call, principal, id),
      });
    }
    const service = await requireClient(c, WRITE, WORK);
    const row = await visibleGrievance(c.env, service, idOf(c));
    return c.json(explanationOf(row, await scoreOf(c.env, row), service));
  },
);

/** What a score rests on is disclosed like the score itself: under a consent, counted and recorded by the gate. */
async function explainToLender(call: Call, lender: Principal, id: string): Promise<string> {
  const { env } = call.c;
  const row = await visibleGrievance(env, lender, id);
  call.request.retailer_id = row.retailer_id;
  requireConsent(call, await lookUpConsent(call, row.retailer_id));
  const score = await scoreOf(env, row);
  call.request.score_id = score.score_id;
  return JSON.stringify(explanationOf(row, score, lender));
}

/** Each step is a call of a service that works grievances. */
function mountStep(step: Step, summary: string): void {
  const resolves = step === "resolve";
  const body = resolves ? resolveBody : stepBody;
  mount(
    grievanceRouter,
    {
      method: "post",
      path: `/v1/grievances/{grievance_id}/${step}`,
      tags: ["Grievances"],
      summary,
      security,
      request: { params, body: { required: true, content: { "application/json": { schema: body } } } },
      responses: {
        200: answers(grievanceAnswer, "The grievance after the step"),
        ...errorAnswers(400, 401, 403, 404, 409, 413, 415, 503),
      },
    },
    async (c) => {
      const service = await requireService(c, WORK);
      const { note, outcome } = resolves
        ? await jsonBody(c, resolveBody)
        : { ...(await jsonBody(c, stepBody)), outcome: null };
      const { grievance_id } = await visibleGrievance(c.env, service, idOf(c));
      await takeStep(c.env, grievance_id, { step, note, outcome, client_id: service.client_id });
      c.executionCtx.waitUntil(relaySoon(c.env));
      return c.json(await readGrievance(c.env, service, grievance_id));
    },
  );
}

mountStep("acknowledge", "Acknowledge an open grievance");
mountStep("review", "Take an acknowledged grievance into review");
mountStep("resolve", "Resolve a grievance; the outcome `corrected` has the retailer scored again");
mountStep("reject", "Reject a grievance");
