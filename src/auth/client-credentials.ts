import { z } from "@hono/zod-openapi";
import type { AppContext } from "../http/context.ts";
import { AppError, type FieldError } from "../http/errors.ts";
import { fieldErrors, isJsonContentType, parseJsonObject, readBody } from "../http/validation.ts";

/** Longest string the token endpoint takes (api.md §10). */
const MAX_CHARS = 256;
const text = z.string().min(1).max(MAX_CHARS);

/** The body of POST /v1/auth/token in JSON; unknown members are ignored (RFC 6749 §3.2). */
export const tokenRequest = z
  .object({
    client_id: text.openapi({ example: "client_0123456789abcdef" }),
    client_secret: text,
    grant_type: z.literal("client_credentials").optional(),
    scope: text
      .optional()
      .openapi({ description: "Space-separated part of the client's scope; all of it if absent" }),
  })
  .openapi("TokenRequest");
export type TokenRequest = z.infer<typeof tokenRequest>;

/** The same as a form (RFC 6749 §4.4.2); id and secret may come by HTTP Basic instead. */
export const tokenForm = z
  .object({
    grant_type: z.literal("client_credentials"),
    client_id: text.optional(),
    client_secret: text.optional(),
    scope: text.optional(),
  })
  .openapi("TokenForm");

/** The RFC 6749 §5.2 codes that stock OAuth clients read beside the problem document. */
export type OAuthError = "invalid_request" | "invalid_client" | "unsupported_grant_type" | "invalid_scope";

/** INVALID_REQUEST with the `error` member of RFC 6749 §5.2. */
export function oauthInvalid(error: OAuthError, errors: FieldError[]): AppError {
  return new AppError("INVALID_REQUEST", { errors, members: { error } });
}

/**
 * The credentials of a token request, from JSON, form or HTTP Basic. Throws UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE,
 * INVALID_REQUEST (missing, empty or over-long strings, two ways of authenticating, unknown grant type).
 */
export async function readCredentials(c: AppContext): Promise<TokenRequest> {
  const content_type = c.req.header("content-type");
  const is_json = isJsonContentType(content_type);
  if (!is_json && content_type?.split(";")[0]?.trim().toLowerCase() !== "application/x-www-form-urlencoded") {
    throw new AppError("UNSUPPORTED_MEDIA_TYPE");
  }
  const bytes = await readBody(c.req.raw);
  const given: Record<string, unknown> = is_json ? parseJsonObject(bytes) : parseForm(bytes);
  if (!is_json && given.grant_type === undefined) {
    throw oauthInvalid("invalid_request", [{ path: "grant_type", message: "is required in a form" }]);
  }
  if (typeof given.grant_type === "string" && given.grant_type !== "client_credentials") {
    throw oauthInvalid("unsupported_grant_type", [
      { path: "grant_type", message: "only client_credentials is supported" },
    ]);
  }
  const result = tokenRequest.safeParse(withBasic(given, c.req.header("authorization")));
  if (!result.success) throw oauthInvalid("invalid_request", fieldErrors(result.error));
  return result.data;
}

function parseForm(bytes: Uint8Array): Record<string, string> {
  const form: Record<string, string> = {};
  const seen = new Set<string>();
  for (const [name, value] of new URLSearchParams(new TextDecoder().decode(bytes))) {
    // RFC 6749 §3.2: a parameter must not be repeated, and one without a value counts as omitted.
    if (seen.has(name))
      throw oauthInvalid("invalid_request", [{ path: name.slice(0, 64), message: "is repeated" }]);
    seen.add(name);
    if (value !== "") form[name] = value;
  }
  return form;
}

/** Puts the credentials of an HTTP Basic header in the place of those of the body (RFC 6749 §2.3.1). */
function withBasic(body: Record<string, unknown>, header: string | undefined): Record<string, unknown> {
  if (header === undefined || !/^Basic( |$)/i.test(header)) return body;
  const basic = decodeBasic(header.slice(6).trim());
  if (!basic)
    throw oauthInvalid("invalid_request", [{ path: "Authorization", message: "is not valid HTTP Basic" }]);
  const two_ways =
    body.client_secret !== undefined || (body.client_id ?? basic.client_id) !== basic.client_id;
  if (two_ways) {
    throw oauthInvalid("invalid_request", [
      { path: "client_secret", message: "send the credentials by HTTP Basic or in the body, not both" },
    ]);
  }
  return { ...body, ...basic };
}

/** Both parts of a Basic credential are form-encoded before they are joined (RFC 6749 §2.3.1). */
function decodeBasic(encoded: string): { client_id: string; client_secret: string } | null {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return null;
  try {
    const decoded = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      Buffer.from(encoded, "base64"),
    );
    const colon = decoded.indexOf(":");
    if (colon < 0) return null;
    const [client_id, client_secret] = [decoded.slice(0, colon), decoded.slice(colon + 1)].map((part) =>
      decodeURIComponent(part.replaceAll("+", " ")),
    );
    return { client_id: client_id ?? "", client_secret: client_secret ?? "" };
  } catch {
    return null;
  }
}
