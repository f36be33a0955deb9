import { eq, lte } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import { unavailable } from "../http/errors.ts";
import { nowIso, nowMs } from "../lib/seams.ts";
import { activeClientSelect, markClientRevoked } from "../parties/store.ts";
import { revokedTokens } from "./tables.ts";
import { TOKEN_TTL_S, verifyToken } from "./tokens.ts";

/** Tokens signed while the client was being revoked end at most this much later than an hour from now. */
const ISSUE_MARGIN_MS = 60_000;

/** True if the token or its client is revoked, by D1 in one round trip. Throws SERVICE_UNAVAILABLE if D1 fails. */
export async function isRevoked(env: Env, token: { jti: string; client_id: string }): Promise<boolean> {
  const db = drizzle(env.DB);
  try {
    const [revoked, active] = await db.batch([
      db.select({ jti: revokedTokens.jti }).from(revokedTokens).where(eq(revokedTokens.jti, token.jti)),
      activeClientSelect(db, token.client_id),
    ]);
    return revoked.length > 0 || active.length === 0;
  } catch (cause) {
    throw unavailable(cause);
  }
}

function gateOf(env: Env, lender_id: string) {
  return env.LENDER_GATE.get(env.LENDER_GATE.idFromName(lender_id));
}

/** What became of a revocation. */
export type RevocationResult = { ok: true } | { ok: false; code: "TOKEN_INVALID" | "CLIENT_UNKNOWN" };

/**
 * Revokes one access token: effective on the next request. A token that is not ours gives TOKEN_INVALID; one
 * that has expired needs nothing. Safe to repeat, and to be repeated if it throws (D1 or the lender's gate failing).
 */
export async function revokeToken(env: Env, token: string): Promise<RevocationResult> {
  const check = await verifyToken(env, token);
  if (!check.ok) return check.reason === "expired" ? { ok: true } : { ok: false, code: "TOKEN_INVALID" };
  const { claims } = check;
  const until_ms = claims.exp * 1000;
  await drizzle(env.DB)
    .insert(revokedTokens)
    .values({ jti: claims.jti, expires_at: new Date(until_ms).toISOString(), revoked_at: nowIso() })
    .onConflictDoNothing();
  if (claims.sub !== claims.client_id) {
    await gateOf(env, claims.sub).revoke({ kind: "jti", value: claims.jti, until_ms });
  }
  return { ok: true };
}

/**
 * Revokes a client: no new token, and every token it holds is refused from the next request on. Safe to repeat,
 * and to be repeated if it throws.
 */
export async function revokeClient(env: Env, client_id: string): Promise<RevocationResult> {
  const client = await markClientRevoked(env, client_id);
  if (!client) return { ok: false, code: "CLIENT_UNKNOWN" };
  if (client.kind === "lender") {
    const until_ms = nowMs() + TOKEN_TTL_S * 1000 + ISSUE_MARGIN_MS;
    await gateOf(env, client.subject).revoke({ kind: "client", value: client_id, until_ms });
  }
  return { ok: true };
}

/** Forgets revoked tokens that have expired by themselves: the bearer check refuses those anyway. */
export async function purgeRevokedTokens(env: Env): Promise<void> {
  await drizzle(env.DB).delete(revokedTokens).where(lte(revokedTokens.expires_at, nowIso()));
}
