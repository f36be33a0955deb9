import { z } from "@hono/zod-openapi";
import type { AppContext } from "../http/context.ts";
import { AppError, unavailable } from "../http/errors.ts";
import { checkRequestId } from "../http/middleware.ts";
import { takeTurn } from "../http/rate-limit.ts";
import { mount, newRouter } from "../http/routing.ts";
import { problem } from "../http/schemas.ts";
import { constantTimeEqual, sha256Hex } from "../lib/bytes.ts";
import { type Client, findClient } from "../parties/store.ts";
import { oauthInvalid, readCredentials, tokenForm, tokenRequest } from "./client-credentials.ts";
import { publicJwks } from "./keys.ts";
import { issueToken, TOKEN_TTL_S } from "./tokens.ts";

/** Token, key and metadata endpoints: the only ones without a credential (api.md §2). */
export const authRouter = newRouter();

/** api.md §9: token requests per client_id. */
const TOKEN_LIMIT = { limit: 10, window_ms: 60_000 };
const PUBLIC_CACHE = { "Cache-Control": "public, max-age=300" };
/** Compared with when there is no such client, so that both cases do the same work; no text has this digest. */
const NO_SECRET = "0".repeat(64);

const problemContent = { "application/problem+json": { schema: problem } };

mount(
  authRouter,
  {
    method: "post",
    path: "/v1/auth/token",
    tags: ["Authentication"],
    summary: "Issue an access token",
    description:
      "OAuth 2.0 client credentials (RFC 6749 §4.4) as JSON, as a form, or with HTTP Basic. 10 requests a minute for each client_id.",
    request: {
      body: {
        required: true,
        content: {
          "application/json": { schema: tokenRequest },
          "application/x-www-form-urlencoded": { schema: tokenForm },
        },
      },
    },
    responses: {
      200: {
        description: "A bearer token, valid for one hour",
        content: {
          "application/json": {
            schema: z
              .object({
                access_token: z.string(),
                token_type: z.literal("Bearer"),
                expires_in: z.literal(TOKEN_TTL_S),
                scope: z.string().openapi({ example: "score:read grievance:write" }),
              })
              .openapi("TokenResponse"),
          },
        },
      },
      400: {
        description: "INVALID_REQUEST, with the `error` member of RFC 6749 §5.2",
        content: problemContent,
      },
      401: {
        description: "INVALID_CLIENT: id unknown, secret wrong or client revoked",
        content: problemContent,
      },
      413: { description: "PAYLOAD_TOO_LARGE", content: problemContent },
      415: { description: "UNSUPPORTED_MEDIA_TYPE", content: problemContent },
      429: { description: "RATE_LIMIT_EXCEEDED", content: problemContent },
      503: { description: "SERVICE_UNAVAILABLE", content: problemContent },
    },
  },
  async (c) => {
    const { client_id, client_secret, scope } = await readCredentials(c);
    // Before the secret is looked at; unknown ids too, so that the limit does not tell which exist.
    await takeTurn(c.env, `token:${client_id}`, TOKEN_LIMIT);
    const client = await authenticateClient(c, client_id, client_secret);
    checkRequestId(c);
    const granted = grantedScope(client, scope);
    const access_token = await issueToken(c.env, { subject: client.subject, client_id, scope: granted });
    return c.json({ access_token, token_type: "Bearer", expires_in: TOKEN_TTL_S, scope: granted }, 200, {
      Pragma: "no-cache",
    });
  },
);

async function authenticateClient(c: AppContext, client_id: string, client_secret: string): Promise<Client> {
  const client = await findClient(c.env, client_id).catch((cause: unknown) => {
    throw unavailable(cause);
  });
  if (client) c.get("log").subject = client.subject;
  const matches = constantTimeEqual(sha256Hex(client_secret), client?.secret_sha256 ?? NO_SECRET);
  if (!client || !matches || client.revoked) {
    c.get("log").auth_failure = !client ? "client_unknown" : matches ? "client_revoked" : "secret_wrong";
    throw new AppError("INVALID_CLIENT", {
      members: { error: "invalid_client" },
      headers: { "WWW-Authenticate": 'Basic realm="altscore", charset="UTF-8"' },
    });
  }
  return client;
}

/** The client's scope, or the part of it that was asked for. */
function grantedScope(client: Client, requested: string | undefined): string {
  if (requested === undefined) return client.scope;
  const own = new Set(client.scope.split(" "));
  const wanted = [...new Set(requested.split(" ").filter((part) => part !== ""))];
  if (wanted.length === 0 || wanted.some((part) => !own.has(part))) {
    throw oauthInvalid("invalid_scope", [{ path: "scope", message: "is not part of the client's scope" }]);
  }
  return wanted.join(" ");
}

mount(
  authRouter,
  {
    method: "get",
    path: "/.well-known/jwks.json",
    tags: ["Authentication"],
    summary: "Public keys of tokens (RS256), receipts and consent records (ES256)",
    responses: {
      200: {
        description: "Active keys, and for 14 days after a rotation the previous ones (RFC 7517)",
        content: {
          "application/json": {
            schema: z
              .object({
                keys: z.array(
                  z.looseObject({
                    kty: z.enum(["RSA", "EC"]),
                    kid: z.string().openapi({ description: "RFC 7638 thumbprint" }),
                    alg: z.enum(["RS256", "ES256"]),
                    use: z.literal("sig"),
                  }),
                ),
              })
              .openapi("Jwks"),
          },
        },
      },
      503: { description: "SERVICE_UNAVAILABLE", content: problemContent },
    },
  },
  async (c) => {
    checkRequestId(c);
    return c.json(await publicJwks(c.env), 200, PUBLIC_CACHE);
  },
);

/** RFC 8414 wants a URL as issuer, equal to where this document is found; the `iss` of tokens is `altscore.in`. */
const METADATA = {
  issuer: "https://api.altscore.in",
  token_endpoint: "https://api.altscore.in/v1/auth/token",
  jwks_uri: "https://api.altscore.in/.well-known/jwks.json",
  grant_types_supported: ["client_credentials"],
  response_types_supported: [],
  token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
  scopes_supported: [
    "score:read",
    "grievance:write",
    "notification:read",
    "webhook:write",
    "consent:read",
    "consent:write",
  ],
};

mount(
  authRouter,
  {
    method: "get",
    path: "/.well-known/oauth-authorization-server",
    tags: ["Authentication"],
    summary: "OAuth 2.0 authorization server metadata (RFC 8414)",
    responses: {
      200: {
        description: "Where tokens and keys are found",
        content: {
          "application/json": {
            schema: z
              .object({
                issuer: z.url(),
                token_endpoint: z.url(),
                jwks_uri: z.url(),
                grant_types_supported: z.array(z.string()),
                response_types_supported: z.array(z.string()),
                token_endpoint_auth_methods_supported: z.array(z.string()),
                scopes_supported: z.array(z.string()),
              })
              .openapi("AuthorizationServerMetadata"),
          },
        },
      },
    },
  },
  (c) => {
    checkRequestId(c);
    return c.json(METADATA, 200, PUBLIC_CACHE);
  },
);
