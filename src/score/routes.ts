import { findConsentByGstin } from "../consent/lookup.ts";
import { AppError } from "../http/errors.ts";
import { mount, newRouter } from "../http/routing.ts";
import { errorAnswers, retailerId } from "../http/schemas.ts";
import { invalid, invalidRetailerId, jsonBody, queryParameters } from "../http/validation.ts";
import { isValidGstin } from "../ingestion/gstin.ts";
import { newestSync } from "../ingestion/sync.ts";
import { sha256Hex } from "../lib/bytes.ts";
import { istDay } from "../lib/days.ts";
import { canonicalJson } from "../lib/jcs.ts";
import { nowMs } from "../lib/seams.ts";
import { modelWarning } from "../models/frozen.ts";
import { gstinIndex } from "../retailers/blind-index.ts";
import { aliasesOf } from "../retailers/store.ts";
import { freshnessDays, scoreAnswerBody, servableCard } from "./answer.ts";
import { type Call, gatedCall, lookUpConsent, requireConsent } from "./gated.ts";
import {
  historyAnswer,
  historyQuery,
  lookupAnswer,
  lookupBody,
  lookupQuery,
  type ScoreRequest,
  scoreAnswer,
  scoreRequest,
} from "./schemas.ts";
import { findLatestScore, monthlyScores } from "./store.ts";
import type { ServedScore } from "./types.ts";

export const scoreRouter = newRouter();

const security = [{ bearer: [] }];

mount(
  scoreRouter,
  {
    method: "post",
    path: "/v1/score",
    tags: ["Score"],
    summary: "Score of one consented retailer",
    security,
    request: { body: { required: true, content: { "application/json": { schema: scoreRequest } } } },
    responses: {
      200: { description: "The score", content: { "application/json": { schema: scoreAnswer } } },
      ...errorAnswers(400, 401, 403, 404, 409, 413, 415, 422, 429, 503),
    },
  },
  (c) => gatedCall(c, { route: "score", read: readScoreRequest, prepare: prepareScore }),
);

async function readScoreRequest({ c, request: admission }: Call): Promise<ScoreRequest> {
  const request = await jsonBody(c, scoreRequest);
  admission.retailer_id = request.retailer_id;
  admission.purpose = request.purpose;
  if (c.req.header("x-request-id") !== undefined) {
    const body_sha256 = sha256Hex(canonicalJson(request));
    admission.replay = { body_sha256, language: c.get("language"), answer: null };
  }
  return request;
}

async function prepareScore(call: Call, request: ScoreRequest): Promise<string> {
  const { c, request: admission } = call;
  const { retailer_id, purpose } = request;
  Object.assign(admission, { retailer_id, purpose });
  // The score is read only under a consent: how long a refusal takes must not tell whether there is one.
  const consent = requireConsent(call, await lookUpConsent(call, retailer_id));
  if (!consent.purposes.includes(purpose)) throw new AppError("SCOPE_MISMATCH");
  const score = await findLatestScore(c.env, consent.retailer_id);
  const { card, score: served, freshness_days } = await servable(call, score);
  return scoreAnswerBody(c.env, {
    lender_id: call.lender_id,
    request_id: c.get("request_id"),
    language: c.get("language"),
    request,
    consent,
    score: served,
    card,
    freshness_days,
  });
}

/** The score if it may be disclosed today (see servableCard for what is thrown), noted in the access log. */
async function servable(call: Call, score: ServedScore | null) {
  if (!score) throw new AppError("RETAILER_NOT_SCORED");
  const { env } = call.c;
  const [newest_sync_to, warning] = await Promise.all([
    newestSync(env, score.distributor_ids),
    modelWarning(env),
  ]);
  const freshness_days = freshnessDays(newest_sync_to);
  const card = servableCard(score, freshness_days);
  call.request.score_id = score.score_id;
  const warned = warning ? { ...card, warnings: [...card.warnings, warning] } : card;
  return { card: warned, score, freshness_days };
}

mount(
  scoreRouter,
  {
    method: "get",
    path: "/v1/score/{retailer_id}/history",
    tags: ["Score"],
    summary: "Monthly scores of one consented retailer, newest first",
    security,
    request: { query: historyQuery },
    responses: {
      200: { description: "The history", content: { "application/json": { schema: historyAnswer } } },
      ...errorAnswers(400, 401, 403, 404, 422, 429, 503),
    },
  },
  (c) => gatedCall(c, { route: "history", read: readHistory, prepare: prepareHistory }),
);

function readHistory({ c, request: admission }: Call) {
  const retailer_id = c.req.param("retailer_id") ?? "";
  if (!retailerId.safeParse(retailer_id).success) throw invalidRetailerId();
  const query = queryParameters(c, historyQuery);
  admission.retailer_id = retailer_id;
  admission.purpose = query.purpose ?? null;
  return { retailer_id, ...query };
}

async function prepareHistory(call: Call, input: ReturnType<typeof readHistory>): Promise<string> {
  const { env } = call.c;
  Object.assign(call.request, { retailer_id: input.retailer_id, purpose: input.purpose ?? null });
  const consent = requireConsent(call, await lookUpConsent(call, input.retailer_id));
  if (input.purpose && !consent.purposes.includes(input.purpose)) throw new AppError("SCOPE_MISMATCH");
  await servable(call, await findLatestScore(env, consent.retailer_id));
  const aliases = await aliasesOf(env, consent.retailer_id);
  const history = await monthlyScores(env, aliases, firstDayOfMonth(input.months - 1));
  return JSON.stringify({ retailer_id: consent.retailer_id, history });
}

/** The first day (IST) of the calendar month `months_back` before the present one. */
function firstDayOfMonth(months_back: number): number {
  const today = new Date(istDay(nowMs()) * 86_400_000);
  return Date.UTC(today.getUTCFullYear(), today.getUTCMonth() - months_back, 1) / 86_400_000;
}

const lookupResponses = {
  200: { description: "The retailer", content: { "application/json": { schema: lookupAnswer } } },
  ...errorAnswers(400, 401, 403, 413, 415, 429, 503),
};

mount(
  scoreRouter,
  {
    method: "get",
    path: "/v1/retailers/lookup",
    tags: ["Score"],
    summary: "Id of a consented retailer by GSTIN (prefer POST: query strings end up in logs)",
    security,
    request: { query: lookupQuery },
    responses: lookupResponses,
  },
  (c) =>
    gatedCall(c, {
      route: "lookup",
      read: () => readGstin(queryParameters(c, lookupQuery).gst),
      prepare: prepareLookup,
    }),
);

mount(
  scoreRouter,
  {
    method: "post",
    path: "/v1/retailers/lookup",
    tags: ["Score"],
    summary: "Id of a consented retailer by GSTIN",
    security,
    request: { body: { required: true, content: { "application/json": { schema: lookupBody } } } },
    responses: lookupResponses,
  },
  (c) =>
    gatedCall(c, {
      route: "lookup",
      read: async () => readGstin((await jsonBody(c, lookupBody)).gst),
      prepare: prepareLookup,
    }),
);

/** The GSTIN in its canonical spelling; INVALID_REQUEST if it is none. */
function readGstin(gst: string): string {
  const gstin = gst.trim().toUpperCase();
  if (!isValidGstin(gstin)) throw invalid("gst", "must be a valid 15-character GSTIN");
  return gstin;
}

/** One path and one query whether the GSTIN is unknown, known, or known to others only. */
async function prepareLookup(call: Call, gstin: string): Promise<string> {
  const index = gstinIndex(call.c.get("config"), gstin);
  const consent = requireConsent(call, await findConsentByGstin(call.c.env, call.lender_id, index));
  return JSON.stringify({ retailer_id: consent.retailer_id, consent_active: true });
}
