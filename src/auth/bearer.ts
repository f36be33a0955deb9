import type { AppContext } from "../http/context.ts";
import { AppError, type ErrorCode } from "../http/errors.ts";
import { checkRequestId } from "../http/middleware.ts";
import { invalid } from "../http/validation.ts";
import { isRevoked } from "./revocation.ts";
import { verifyToken } from "./tokens.ts";

/** Who calls, by a verified access token. */
export interface Principal {
  kind: "lender" | "service";
  /** The lender_id, or the service's client_id. */
  subject: string;
  client_id: string;
  jti: string;
  scopes: ReadonlySet<string>;
}

/** An error about the bearer token, with the challenge that RFC 6750 §3 wants beside it. */
export function bearerError(
  code: ErrorCode & (`TOKEN_${string}` | "SCOPE_INSUFFICIENT"),
  scope?: string,
): AppError {
  const challenge = ['Bearer realm="altscore"'];
  if (code === "SCOPE_INSUFFICIENT") challenge.push('error="insufficient_scope"', `scope="${scope ?? ""}"`);
  else if (code !== "TOKEN_MISSING") challenge.push('error="invalid_token"');
  return new AppError(code, { headers: { "WWW-Authenticate": challenge.join(", ") } });
}

/**
 * The caller of a bearer-authenticated call (api.md §2). Throws TOKEN_MISSING without an Authorization header,
 * TOKEN_EXPIRED for a token of ours that is over, TOKEN_INVALID for anything else and for an X-Client-ID that is not
 * the token's subject. Does no I/O while the signing keys are cached and does not check revocation: lenders
 * are checked by their gate, services by `requireService`.
 */
export async function authenticate(c: AppContext): Promise<Principal> {
  const header = c.req.header("authorization");
  if (header === undefined) throw bearerError("TOKEN_MISSING");
  const token = /^Bearer +([^ ]+)$/i.exec(header)?.[1];
  if (token === undefined) throw refused(c, "scheme");
  const check = await verifyToken(c.env, token);
  if (!check.ok) {
    if (check.reason === "expired") throw bearerError("TOKEN_EXPIRED");
    throw refused(c, check.cause);
  }
  const { claims } = check;
  const client = c.req.header("x-client-id");
  if (client !== undefined && client !== claims.sub) throw refused(c, "client_id_header");
  c.get("log").subject = claims.sub;
  return {
    kind: claims.sub === claims.client_id ? "service" : "lender",
    subject: claims.sub,
    client_id: claims.client_id,
    jti: claims.jti,
    scopes: new Set(claims.scope.split(" ")),
  };
}

function refused(c: AppContext, cause: string): AppError {
  c.get("log").auth_failure = cause;
  return bearerError("TOKEN_INVALID");
}

/** The headers every bearer-authenticated call needs, checked after the token: X-Client-ID, X-Request-ID (api.md §1). */
export function checkHeaders(c: AppContext): void {
  if (c.req.header("x-client-id") === undefined) throw invalid("X-Client-ID", "is required");
  checkRequestId(c);
}

/**
 * The calling service, authorised for `scope`: token, then revocation (TOKEN_REVOKED; SERVICE_UNAVAILABLE if it cannot
 * be told), then kind and scope (SCOPE_INSUFFICIENT, for every lender too), then the headers.
 */
export function requireService(c: AppContext, scope: string): Promise<Principal> {
  return requireKind(c, "service", scope);
}

/** The same for a lender, on the routes that do not pass its gate: revocation is asked of D1 here as well. */
export function requireLender(c: AppContext, scope: string): Promise<Principal> {
  return requireKind(c, "lender", scope);
}

/** The same for a client of either kind that holds at least one of these scopes. */
export function requireClient(c: AppContext, ...scopes: string[]): Promise<Principal> {
  return requireCaller(c, (caller) => scopes.some((scope) => caller.scopes.has(scope)), scopes.join(" "));
}

function requireKind(c: AppContext, kind: Principal["kind"], scope: string): Promise<Principal> {
  return requireCaller(c, (caller) => caller.kind === kind && caller.scopes.has(scope), scope);
}

async function requireCaller(
  c: AppContext,
  isAllowed: (caller: Principal) => boolean,
  scope: string,
): Promise<Principal> {
  const principal = await authenticate(c);
  if (await isRevoked(c.env, principal)) throw bearerError("TOKEN_REVOKED");
  if (!isAllowed(principal)) throw bearerError("SCOPE_INSUFFICIENT", scope);
  checkHeaders(c);
  return principal;
}
