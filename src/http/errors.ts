/** One row of the error table: what the caller sees and should do. */
interface ErrorRow {
  status: 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 422 | 426 | 429 | 500 | 503;
  title: string;
  action: string;
}

/**
 * The one table of errors (api.md): every error answer is made from a row here, and docs/errors.md is
 * generated from it.
 */
export const ERRORS = {
  INVALID_REQUEST: {
    status: 400,
    title: "The request is not valid",
    action: "Correct the fields named in `errors` and send the request again.",
  },
  INVALID_RETAILER_ID: {
    status: 400,
    title: "The retailer_id is not valid",
    action: "Send `ret_` followed by 16 hex digits; GET /v1/retailers/lookup finds it.",
  },
  BATCH_TOO_LARGE: {
    status: 400,
    title: "The batch holds too many records",
    action: "Send at most 1,000 records (invoices and payments together) in one batch.",
  },
  TOKEN_MISSING: {
    status: 401,
    title: "No bearer token",
    action: "Send `Authorization: Bearer <token>`; POST /v1/auth/token issues one.",
  },
  TOKEN_EXPIRED: {
    status: 401,
    title: "The token has expired",
    action: "Ask for a new token at POST /v1/auth/token.",
  },
  TOKEN_INVALID: {
    status: 401,
    title: "The token is not valid",
    action: "Ask for a new token and send X-Client-ID equal to its subject.",
  },
  TOKEN_REVOKED: {
    status: 401,
    title: "The token has been revoked",
    action: "Ask for a new token; if that is refused too, contact AltScore.",
  },
  INVALID_CLIENT: {
    status: 401,
    title: "Client authentication failed",
    action: "Check client_id and client_secret.",
  },
  CERTIFICATE_INVALID: {
    status: 401,
    title: "The client certificate is missing or not valid",
    action: "Connect over mTLS with the distributor's current client certificate.",
  },
  API_KEY_INVALID: {
    status: 401,
    title: "The API key is missing or not valid",
    action: "Send the distributor's current key as X-API-Key.",
  },
  SIGNATURE_INVALID: {
    status: 401,
    title: "The payload signature is missing or not valid",
    action:
      "Send X-Payload-Signature (webhooks of WhatsApp: X-Hub-Signature-256): hex HMAC-SHA256 of the exact body bytes with the signing secret.",
  },
  SCOPE_INSUFFICIENT: {
    status: 403,
    title: "This client may not call this endpoint",
    action: "Use a client whose scope covers the endpoint.",
  },
  VERIFY_TOKEN_INVALID: {
    status: 403,
    title: "The verify token is missing or not valid",
    action: "Send hub.mode=subscribe, hub.challenge and the hub.verify_token agreed on.",
  },
  CONSENT_NOT_GRANTED: {
    status: 403,
    title: "Retailer has not consented to this lender",
    action: "Ask the retailer for consent through its distributor.",
  },
  SCOPE_MISMATCH: {
    status: 403,
    title: "The purpose is not covered by the consent",
    action: "Send a purpose that the consent names.",
  },
  DISTRIBUTOR_MISMATCH: {
    status: 403,
    title: "The distributor is not the one that authenticated",
    action: "Send the distributor_id that belongs to the certificate and key.",
  },
  NOT_FOUND: {
    status: 404,
    title: "No such resource",
    action: "Check the path and the id.",
  },
  RETAILER_NOT_SCORED: {
    status: 404,
    title: "No score is available yet",
    action: "Try again after the next pipeline run, within 24 hours.",
  },
  RETAILER_NOT_FOUND: {
    status: 404,
    title: "No such retailer",
    action: "Check the retailer_id, or name the retailer by retailer_phone_hash.",
  },
  CONSENT_NOT_FOUND: {
    status: 404,
    title: "No such consent",
    action: "Check consent_id, retailer_id and lender_id.",
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    title: "The path does not take this method",
    action: "Use one of the methods in the Allow header.",
  },
  BATCH_ALREADY_PROCESSED: {
    status: 409,
    title: "This batch id was received before",
    action: "Nothing to do: the first answer stands and is given in `original`.",
  },
  REQUEST_ID_REUSED: {
    status: 409,
    title: "The request id was used for another request",
    action: "Send a new X-Request-ID.",
  },
  REQUEST_IN_PROGRESS: {
    status: 409,
    title: "The same request is still in progress",
    action: "Wait a moment and send it again.",
  },
  EVIDENCE_REUSED: {
    status: 409,
    title: "The message id already served as evidence for another act",
    action: "Send the wa_message_id of this act.",
  },
  CONSENT_ENDED: {
    status: 409,
    title: "The consent was revoked or has expired",
    action: "Nothing can follow an end: ask the retailer for a new consent.",
  },
  AMBIGUOUS_RETAILER: {
    status: 409,
    title: "The phone belongs to several retailers",
    action: "Send retailer_id instead of retailer_phone_hash.",
  },
  WEBHOOK_LIMIT_REACHED: {
    status: 409,
    title: "There are as many webhooks as a lender may have",
    action: "Delete one of GET /v1/webhooks first.",
  },
  STEP_NOT_ALLOWED: {
    status: 409,
    title: "The step does not follow from the present status",
    action: "Read the present status; `details.status` gives it.",
  },
  PAYLOAD_TOO_LARGE: {
    status: 413,
    title: "The body is too large",
    action: "Send at most 2 MiB.",
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    title: "The body is not of a supported type",
    action: "Send Content-Type: application/json.",
  },
  DATA_INSUFFICIENT: {
    status: 422,
    title: "Too little data for a score",
    action: "The distributor must supply more or newer records.",
  },
  NOTICE_UNKNOWN: {
    status: 422,
    title: "No such notice is in force",
    action: "Send a notice from GET /v1/consent/notices.",
  },
  ADULT_REQUIRED: {
    status: 422,
    title: "The retailer has not declared to be an adult",
    action: "Only adults can consent: send adult_declared true once declared.",
  },
  UNKNOWN_PARTY: {
    status: 422,
    title: "Unknown lender or distributor",
    action: "Check lender_scope and distributor_id.",
  },
  WEBHOOK_TARGET_REFUSED: {
    status: 422,
    title: "Webhooks may not go to this URL",
    action: "Send an https URL on port 443 or 8443 whose host has public addresses only.",
  },
  TLS_REQUIRED: {
    status: 426,
    title: "TLS 1.3 is required",
    action: "Connect with TLS 1.3.",
  },
  RATE_LIMIT_EXCEEDED: {
    status: 429,
    title: "Too many requests",
    action: "Wait for the seconds in Retry-After.",
  },
  INTERNAL_ERROR: {
    status: 500,
    title: "Unexpected error",
    action: "Try again with back-off; contact support with the request_id if it persists.",
  },
  SERVICE_UNAVAILABLE: {
    status: 503,
    title: "Temporarily unavailable",
    action: "Try again after 30 seconds.",
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** One invalid field: a dotted path ("" for the whole body) and what is wrong with it; never the value. */
export interface FieldError {
  path: string;
  message: string;
}

/** What an error may carry besides its row of the table. */
export interface ErrorExtras {
  /** A sentence about this occurrence; the row's title when absent. */
  detail?: string;
  errors?: FieldError[];
  /** Further members of the problem document, e.g. `details` or `original`. */
  members?: Record<string, unknown>;
  headers?: Record<string, string>;
  /** For the log only, never sent. */
  cause?: unknown;
}

/** The one exception that becomes an error answer; anything else that is thrown becomes INTERNAL_ERROR. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly extras: ErrorExtras;

  constructor(code: ErrorCode, extras: ErrorExtras = {}) {
    super(code, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.code = code;
    this.extras = extras;
  }
}

/** A dependency failed: 503, so that nothing is given on doubt. `cause` goes to the log. */
export function unavailable(cause: unknown, detail?: string): AppError {
  return new AppError("SERVICE_UNAVAILABLE", {
    cause,
    headers: { "Retry-After": "30" },
    ...(detail ? { detail } : {}),
  });
}

/** The RFC 9457 problem document of an error. */
export function problemDocument(error: AppError, request_id: string): Record<string, unknown> {
  const row = ERRORS[error.code];
  return {
    type: `https://api.altscore.in/errors/${error.code}`,
    title: row.title,
    status: row.status,
    detail: error.extras.detail ?? row.title,
    error_code: error.code,
    request_id,
    action: row.action,
    ...(error.extras.errors ? { errors: error.extras.errors } : {}),
    ...error.extras.members,
  };
}

/** The answer for an error: problem+json with the error's own headers. */
export function problemResponse(error: AppError, request_id: string): Response {
  return new Response(JSON.stringify(problemDocument(error, request_id)), {
    status: ERRORS[error.code].status,
    headers: { "Content-Type": "application/problem+json; charset=utf-8", ...error.extras.headers },
  });
}
