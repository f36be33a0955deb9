import type { RouteConfig, z } from "@hono/zod-openapi";
import { accessesOf } from "../audit/store.ts";
import { requireService } from "../auth/bearer.ts";
import { orUnavailable } from "../consent/fail-safe.ts";
import { relaySoon } from "../events/outbox.ts";
import { WORK } from "../grievance/reading.ts";
import type { AppContext } from "../http/context.ts";
import { AppError } from "../http/errors.ts";
import { mount, newRouter } from "../http/routing.ts";
import { errorAnswers, retailerId } from "../http/schemas.ts";
import { invalid, invalidRetailerId, jsonBody, queryParameters } from "../http/validation.ts";
import { namesById } from "../parties/store.ts";
import { findNominee, setNominee } from "./nominee.ts";
import { decideCorrection, listCorrections, listRequests, openRequest } from "./requests.ts";
import { type DataPrincipal, dataPrincipal } from "./retailer.ts";
import {
  accessesAnswer,
  accessesQuery,
  correctionAnswer,
  correctionBody,
  correctionParams,
  correctionsAnswer,
  decisionBody,
  nomineeAnswer,
  nomineeBody,
  requestAnswer,
  requestBody,
  requestsAnswer,
  retailerParams,
  summaryAnswer,
} from "./schemas.ts";
import { summarize } from "./summary.ts";

/** The rights of the people behind the data, as calls of services that act for them (docs/grievances.md). */
export const rightsRouter = newRouter();

const READ = "rights:read";
const WRITE = "rights:write";

/** What a handler gets: the retailer of the path, and the service that calls. */
interface Asking {
  c: AppContext;
  principal: DataPrincipal;
  client_id: string;
}

interface RightsRoute<Body extends z.ZodType> {
  method: "get" | "post" | "put";
  /** After `/v1/rights/{retailer_id}`. */
  path: string;
  scope: string;
  summary: string;
  params?: z.ZodObject;
  query?: z.ZodObject;
  body?: Body;
  status?: 200 | 201;
  answer: z.ZodType;
}

/** Mounts a route about one retailer: authorisation, the body, the retailer, then the handler's answer. */
function mountRight<Body extends z.ZodType>(
  route: RightsRoute<Body>,
  handle: (asking: Asking, body: z.infer<Body>) => Promise<object>,
): void {
  const { method, path, scope, summary, params = retailerParams, query, body, status = 200, answer } = route;
  const config: RouteConfig = {
    method,
    path: `/v1/rights/{retailer_id}${path}`,
    tags: ["Rights"],
    summary,
    security: [{ bearer: [] }],
    request: {
      params,
      ...(query ? { query } : {}),
      ...(body ? { body: { required: true, content: { "application/json": { schema: body } } } } : {}),
    },
    responses: {
      [status]: { description: "The answer", content: { "application/json": { schema: answer } } },
      ...errorAnswers(400, 401, 403, 404, ...(body ? [409, 413, 415] : []), 503),
    },
  };
  mount(rightsRouter, config, async (c) => {
    const { client_id } = await requireService(c, scope);
    const given = body ? await jsonBody(c, body) : (undefined as z.infer<Body>);
    const named = c.req.param("retailer_id") ?? "";
    if (!retailerId.safeParse(named).success) throw invalidRetailerId();
    const principal = await dataPrincipal(c.env, named);
    const answered = await handle({ c, principal, client_id }, given);
    if (method !== "get") c.executionCtx.waitUntil(relaySoon(c.env));
    return c.json(answered, status);
  });
}

mountRight(
  {
    method: "get",
    path: "/summary",
    scope: READ,
    summary: "What is held about a retailer and who may see what of it; no amounts, no score values",
    answer: summaryAnswer,
  },
  ({ c, principal }) => summarize(c.env, principal),
);

mountRight(
  {
    method: "get",
    path: "/accesses",
    scope: READ,
    summary: "Which lender saw, or asked to see, what and when; newest first, 100 a page",
    query: accessesQuery,
    answer: accessesAnswer,
  },
  async ({ c, principal }) => {
    const { cursor = null } = queryParameters(c, accessesQuery);
    const { events, next } = await orUnavailable(() =>
      accessesOf(c.env, principal.aliases, cursor).catch((cause: unknown) => {
        throw cause instanceof RangeError ? invalid("cursor", "is not one of this list") : cause;
      }),
    );
    const names = await orUnavailable(() => namesById(c.env, [...new Set(events.map((e) => e.lender_id))]));
    const data = events.map((event) => ({ ...event, lender_name: names.get(event.lender_id) ?? null }));
    return { data, next_cursor: next };
  },
);

mountRight(
  {
    method: "post",
    path: "/corrections",
    scope: WRITE,
    summary: "Ask for a correction of the data; decided within 30 days",
    body: correctionBody,
    status: 201,
    answer: correctionAnswer,
  },
  async ({ c, principal, client_id }, { field, right_value }) => {
    const id = await openRequest(c.env, principal, {
      kind: "correction",
      field,
      text: right_value,
      by: { kind: "service", id: client_id },
      language: c.get("language"),
      wamid: null,
    });
    return only(await listCorrections(c.env, principal, id));
  },
);

mountRight(
  {
    method: "get",
    path: "/corrections",
    scope: READ,
    summary: "The correction requests of a retailer, oldest first",
    answer: correctionsAnswer,
  },
  async ({ c, principal }) => ({ data: await listCorrections(c.env, principal) }),
);

mountRight(
  {
    method: "post",
    path: "/corrections/{correction_id}/decide",
    scope: WORK,
    summary: "Decide a correction request, once; `done` has the retailer scored again",
    params: correctionParams,
    body: decisionBody,
    answer: correctionAnswer,
  },
  async ({ c, principal, client_id }, decision) => {
    const id = c.req.param("correction_id") ?? "";
    await decideCorrection(c.env, principal, id, decision, client_id);
    return only(await listCorrections(c.env, principal, id));
  },
);

mountRight(
  {
    method: "post",
    path: "/requests",
    scope: WRITE,
    summary: "Ask for erasure or for an export; recorded as an open request with its clock",
    body: requestBody,
    status: 201,
    answer: requestAnswer,
  },
  async ({ c, principal, client_id }, { kind }) => {
    const id = await openRequest(c.env, principal, {
      kind,
      field: null,
      text: null,
      by: { kind: "service", id: client_id },
      language: c.get("language"),
      wamid: null,
    });
    return only(await listRequests(c.env, principal, id));
  },
);

mountRight(
  {
    method: "get",
    path: "/requests",
    scope: READ,
    summary: "The requests of a retailer for erasure and export, oldest first",
    answer: requestsAnswer,
  },
  async ({ c, principal }) => ({ data: await listRequests(c.env, principal) }),
);

mountRight(
  {
    method: "put",
    path: "/nominee",
    scope: WRITE,
    summary: "Name who acts for the retailer after death or incapacity; replaces the one before",
    body: nomineeBody,
    answer: nomineeAnswer,
  },
  ({ c, principal, client_id }, nominee) => setNominee(c.env, principal, nominee, client_id),
);

mountRight(
  { method: "get", path: "/nominee", scope: READ, summary: "The nominee, masked", answer: nomineeAnswer },
  async ({ c, principal }) => {
    const nominee = await findNominee(c.env, principal);
    if (!nominee) throw new AppError("NOT_FOUND");
    return nominee;
  },
);

/** The one that was looked for by its id. */
function only<T>([found]: T[]): T {
  if (found === undefined) throw new AppError("NOT_FOUND");
  return found;
}
