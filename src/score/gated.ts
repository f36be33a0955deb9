import type { Admission, AdmissionRequest } from "../admission/types.ts";
import { authenticate, bearerError, checkHeaders } from "../auth/bearer.ts";
import { type ActiveConsent, findConsent } from "../consent/lookup.ts";
import type { AppContext } from "../http/context.ts";
import { AppError, ERRORS, problemResponse } from "../http/errors.ts";
import { causeText } from "../lib/cause.ts";
import { admit, limitError, newAdmissionRequest, rateHeaders } from "./gate.ts";

/** One Score API call on its way to the gate. */
export interface Call {
  c: AppContext;
  lender_id: string;
  /** What the gate will be told; the handler fills in what it learns. */
  request: AdmissionRequest;
  /** True on the second try, after the gate refused a consent that a cache still held. */
  fresh: boolean;
}

/** The errors found before admission is asked for (api.md §3 "Order of checks"): a full window does not hide them. */
const BEFORE_ADMISSION: ReadonlySet<string> = new Set([
  "INVALID_REQUEST",
  "INVALID_RETAILER_ID",
  "UNSUPPORTED_MEDIA_TYPE",
  "PAYLOAD_TOO_LARGE",
]);

/** What a Score API route brings: `read` checks the input, `prepare` makes the answer's JSON text; both may throw. */
export interface GatedRoute<Input> {
  route: AdmissionRequest["route"];
  read: (call: Call) => Input | Promise<Input>;
  prepare: (call: Call, input: Input) => Promise<string>;
}

/**
 * Frame of every Score API route: authenticate a lender, let the route make the answer's body or throw, and only
 * then ask the gate, which counts and records the call whatever its outcome. The body leaves if the gate agrees.
 */
export async function gatedCall<Input>(c: AppContext, gated: GatedRoute<Input>): Promise<Response> {
  const { route } = gated;
  const principal = await authenticate(c);
  if (principal.kind !== "lender" || !principal.scopes.has("score:read")) {
    throw bearerError("SCOPE_INSUFFICIENT", "score:read");
  }
  const lender_id = principal.subject;
  const call: Call = { c, lender_id, request: newAdmissionRequest(c, principal, route), fresh: false };

  const input = await attemptTo(call, async () => {
    const read = await gated.read(call);
    checkHeaders(c);
    return read;
  });
  const prepare = async (): Promise<Attempt<string>> =>
    input.ok ? attemptTo(call, () => gated.prepare(call, input.value)) : input;
  let attempt = await prepare();
  let admission = await admit(c.env, lender_id, withAnswer(call, attempt));
  if (admission.kind === "admitted" && admission.denied) {
    // A cache held a consent that was revoked meanwhile. There may be a newer one: look once more, past the caches.
    call.request = { ...newAdmissionRequest(c, principal, route), retry: true, replay: call.request.replay };
    call.fresh = true;
    attempt = await prepare();
    if (call.request.consent !== null) admission = await admit(c.env, lender_id, withAnswer(call, attempt));
  }
  return answer(c, attempt, admission);
}

type Attempt<T> = { ok: true; value: T } | { ok: false; error: AppError };

/** Runs a step; what it throws becomes the call's outcome, because the gate has to record that as well. */
async function attemptTo<T>(call: Call, step: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { ok: true, value: await step() };
  } catch (thrown) {
    const error = thrown instanceof AppError ? thrown : new AppError("INTERNAL_ERROR", { cause: thrown });
    call.request.outcome = error.code;
    return { ok: false, error };
  }
}

/** The gate's request with the finished answer, which it keeps for a repeated request id. */
function withAnswer(call: Call, attempt: Attempt<string>): AdmissionRequest {
  const { replay } = call.request;
  return { ...call.request, replay: replay && { ...replay, answer: attempt.ok ? attempt.value : null } };
}

function answer(c: AppContext, attempt: Attempt<string>, admission: Admission): Response {
  switch (admission.kind) {
    case "revoked":
      throw bearerError("TOKEN_REVOKED");
    case "limited": {
      const shown =
        !attempt.ok && BEFORE_ADMISSION.has(attempt.error.code) ? attempt.error : limitError(admission);
      return problem(c, shown, rateHeaders(admission.rate));
    }
    case "reused":
      return problem(c, new AppError("REQUEST_ID_REUSED"), rateHeaders(admission.rate));
    case "replayed":
      return json(admission.answer, {
        ...rateHeaders(admission.rate),
        "Content-Language": admission.language,
        "Idempotent-Replayed": "true",
      });
    case "admitted": {
      const headers = rateHeaders(admission.rate);
      if (!attempt.ok) return problem(c, attempt.error, headers);
      if (admission.denied) return problem(c, new AppError("CONSENT_NOT_GRANTED"), headers);
      return json(attempt.value, { ...headers, "Content-Language": c.get("language") });
    }
  }
}

function json(body: string, headers: Record<string, string>): Response {
  return new Response(body, { headers: { "Content-Type": "application/json; charset=utf-8", ...headers } });
}

function problem(c: AppContext, error: AppError, headers: Record<string, string>): Response {
  c.get("log").error_code = error.code;
  if (ERRORS[error.code].status >= 500 && error.cause !== undefined) {
    const cause = causeText(error.cause);
    console.error(JSON.stringify({ request_id: c.get("request_id"), error_code: error.code, cause }));
  }
  const response = problemResponse(error, c.get("request_id"));
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}

/**
 * The consent this call may rest on; throws the uniform CONSENT_NOT_GRANTED if there is none, and tells the
 * gate's log why as far as that is known.
 */
export function requireConsent(call: Call, consent: ActiveConsent | null): ActiveConsent {
  if (!consent) {
    call.request.cause = "no_active_consent";
    throw new AppError("CONSENT_NOT_GRANTED");
  }
  call.request.retailer_id = consent.retailer_id;
  call.request.consent = { consent_id: consent.consent_id, expires_ms: Date.parse(consent.expires_at) };
  return consent;
}

/** The lender's active consent for a retailer, past the caches on a second try. */
export function lookUpConsent(call: Call, retailer_id: string): Promise<ActiveConsent | null> {
  const { purpose } = call.request;
  return findConsent(call.c.env, call.lender_id, retailer_id, { fresh: call.fresh, purpose });
}
