import type { Admission, AdmissionRequest, RateState } from "../admission/types.ts";
import type { Principal } from "../auth/bearer.ts";
import type { Env } from "../env.ts";
import type { AppContext } from "../http/context.ts";
import { AppError, unavailable } from "../http/errors.ts";
import { nowMs } from "../lib/seams.ts";

type Limited = Extract<Admission, { kind: "limited" }>;

/** Refusals this isolate knows of: a flood of 429s costs no call to the gate. Forgotten after a few seconds,
 * because the registry may raise a limit meanwhile. */
const blocked = new Map<string, { refusal: Limited; forget_ms: number }>();
const BLOCKED_MEMORY_MS = 5_000;

/** Asks the lender's gate to admit and record a call. Throws SERVICE_UNAVAILABLE if the gate cannot answer. */
export async function admit(env: Env, lender_id: string, request: AdmissionRequest): Promise<Admission> {
  const key = `${lender_id} ${request.route === "lookup" ? "lookup" : "score"}`;
  const known = blocked.get(key);
  // A repeated request id may be replayed although the limit is reached, so it is always asked for.
  if (known && !request.replay) {
    const now_ms = nowMs();
    if (now_ms < Math.min(known.refusal.until_ms, known.forget_ms)) return known.refusal;
    blocked.delete(key);
  }
  try {
    const gate = env.LENDER_GATE.get(env.LENDER_GATE.idFromName(lender_id));
    const admission: Admission = await gate.admit(request);
    // Look-ups have limits of their own that count every refusal: only the Score limit is remembered for them too.
    if (admission.kind === "limited" && request.route !== "lookup") {
      blocked.set(key, { refusal: admission, forget_ms: nowMs() + BLOCKED_MEMORY_MS });
    }
    return admission;
  } catch (cause) {
    throw unavailable(cause);
  }
}

/** The request for the gate of a call by `principal`, before anything is known of its outcome. */
export function newAdmissionRequest(
  c: AppContext,
  principal: Principal,
  route: AdmissionRequest["route"],
): AdmissionRequest {
  return {
    route,
    client_id: principal.client_id,
    jti: principal.jti,
    // A UUID is the same in either case (RFC 9562 §4).
    request_id: c.get("request_id").toLowerCase(),
    retailer_id: null,
    purpose: null,
    consent: null,
    score_id: null,
    outcome: "OK",
    cause: null,
    retry: false,
    replay: null,
  };
}

/** The X-RateLimit headers of a Score API answer. */
export function rateHeaders(rate: RateState): Record<string, string> {
  return {
    "X-RateLimit-Limit": String(rate.limit),
    "X-RateLimit-Remaining": String(rate.remaining),
    "X-RateLimit-Reset": String(rate.reset_s),
  };
}

/** RATE_LIMIT_EXCEEDED as the gate decided it. */
export function limitError(limited: Limited): AppError {
  const retry_after_s = Math.max(1, Math.ceil((limited.until_ms - nowMs()) / 1000));
  return new AppError("RATE_LIMIT_EXCEEDED", {
    headers: { "Retry-After": String(retry_after_s) },
    ...(limited.quota ? { members: { details: { quota: limited.quota } } } : {}),
  });
}
