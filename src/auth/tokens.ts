import { z } from "@hono/zod-openapi";
import { errors, jwtVerify, SignJWT } from "jose";
import type { Env } from "../env.ts";
import { AppError } from "../http/errors.ts";
import { newUuid, nowMs } from "../lib/seams.ts";
import { keyKnownGood, signingKey, verificationKey } from "./keys.ts";

/** What every access token says and what every verifier pins (api.md §2). */
export const ISSUER = "altscore.in";
export const AUDIENCE = "altscore-api";
export const TOKEN_TTL_S = 3600;
/** RFC 9068: the type that keeps other JWTs of this issuer from passing as access tokens. */
const TYPE = "at+jwt";
const ALG = "RS256";
/** Ours are about 700 characters; longer ones are not worth parsing. */
const MAX_TOKEN_CHARS = 4096;
/** Verified tokens an isolate remembers: about 1 KB each. */
const MAX_REMEMBERED = 2000;

/** Whom a token is for. `subject` is the lender_id, or the service's own client_id. */
export interface TokenSubject {
  subject: string;
  client_id: string;
  /** Space-separated. */
  scope: string;
}

const claimsSchema = z.object({
  sub: z.string().min(1),
  client_id: z.string().min(1),
  jti: z.string().min(1),
  scope: z.string(),
  iat: z.int(),
  exp: z.int(),
});
/** The claims of a verified token; iat and exp in Unix seconds. */
export type TokenClaims = z.infer<typeof claimsSchema>;

/** Why a token was refused: `reason` for the answer, `cause` for the log. */
export type TokenCheck =
  | { ok: true; claims: TokenClaims }
  | { ok: false; reason: "expired" | "invalid"; cause: string };

/** Signs a new access token, valid for one hour from now. */
export async function issueToken(env: Env, subject: TokenSubject): Promise<string> {
  const { kid, key } = await signingKey(env, ALG);
  const issued_at_s = Math.floor(nowMs() / 1000);
  return new SignJWT({ client_id: subject.client_id, scope: subject.scope })
    .setProtectedHeader({ alg: ALG, typ: TYPE, kid })
    .setIssuer(ISSUER)
    .setSubject(subject.subject)
    .setAudience(AUDIENCE)
    .setIssuedAt(issued_at_s)
    .setExpirationTime(issued_at_s + TOKEN_TTL_S)
    .setJti(newUuid())
    .sign(key);
}

const remembered = new Map<string, { claims: TokenClaims; kid: string }>();

/**
 * Verifies signature, algorithm, type, issuer, audience, expiry and claims. A token verified before is only checked for
 * what changes with time (its expiry, its key), which saves the RSA operation; nothing here does I/O
 * while the key is cached. Revocation is not checked here. Throws SERVICE_UNAVAILABLE if keys cannot be read.
 */
export async function verifyToken(env: Env, token: string): Promise<TokenCheck> {
  const known = remembered.get(token);
  if (known && keyKnownGood(known.kid)) {
    if (known.claims.exp > Math.floor(nowMs() / 1000)) return { ok: true, claims: known.claims };
    remembered.delete(token);
    return { ok: false, reason: "expired", cause: "exp" };
  }
  if (token.length > MAX_TOKEN_CHARS) return { ok: false, reason: "invalid", cause: "length" };
  try {
    const { payload, protectedHeader } = await jwtVerify(token, ({ kid }) => keyFor(env, kid), {
      algorithms: [ALG],
      issuer: ISSUER,
      audience: AUDIENCE,
      typ: TYPE,
      requiredClaims: ["sub", "client_id", "jti", "scope", "iat", "exp"],
      currentDate: new Date(nowMs()),
    });
    const claims = claimsSchema.safeParse(payload);
    if (!claims.success) return { ok: false, reason: "invalid", cause: "claims" };
    remember(token, claims.data, protectedHeader.kid ?? "");
    return { ok: true, claims: claims.data };
  } catch (cause) {
    // Expiry is checked after signature, issuer and audience, so an expired token is known to be ours.
    if (cause instanceof errors.JWTExpired) return { ok: false, reason: "expired", cause: cause.code };
    if (cause instanceof errors.JOSEError) return { ok: false, reason: "invalid", cause: cause.code };
    if (cause instanceof AppError) throw cause;
    // jose reports some malformed tokens as TypeError.
    return { ok: false, reason: "invalid", cause: cause instanceof Error ? cause.name : "unknown" };
  }
}

async function keyFor(env: Env, kid: string | undefined): Promise<CryptoKey> {
  const key = kid === undefined ? null : await verificationKey(env, kid, ALG);
  if (!key) throw new errors.JWKSNoMatchingKey();
  return key;
}

function remember(token: string, claims: TokenClaims, kid: string): void {
  if (remembered.size >= MAX_REMEMBERED) {
    const oldest = remembered.keys().next();
    if (!oldest.done) remembered.delete(oldest.value);
  }
  remembered.set(token, { claims, kid });
}
