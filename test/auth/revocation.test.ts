import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import { decodeJwt } from "jose";
import { afterEach, describe, expect, it, vi } from "vitest";
import { isRevoked, purgeRevokedTokens, revokeClient, revokeToken } from "../../src/auth/revocation.ts";
import { revokedTokens } from "../../src/auth/tables.ts";
import type { Env } from "../../src/env.ts";
import { seedLender, seedService, tokenFor } from "../support/auth.ts";

interface Told {
  lender_id: string;
  kind: "jti" | "client";
  value: string;
  until_ms: number;
}

/** The bindings with a gate that notes what it is told before it is told. */
function listeningEnv(): { listening: Env; told: Told[] } {
  const told: Told[] = [];
  const LENDER_GATE = new Proxy(env.LENDER_GATE, {
    get(target, name) {
      if (name === "get") {
        return (id: DurableObjectId) => ({
          revoke: (revocation: Omit<Told, "lender_id">) => {
            told.push({ lender_id: id.name ?? "", ...revocation });
            return target.get(id).revoke(revocation);
          },
        });
      }
      return Reflect.get(target, name).bind(target);
    },
  });
  return { listening: { ...env, LENDER_GATE }, told };
}

afterEach(() => {
  vi.useRealTimers();
});

describe("revoking a token", () => {
  it("of a lender tells the lender's gate, until the token would have ended", async () => {
    const { listening, told } = listeningEnv();
    const lender = await seedLender();
    const token = await tokenFor(lender);
    const { jti, exp } = decodeJwt(token);
    expect(await revokeToken(listening, token)).toEqual({ ok: true });
    expect(told).toEqual([
      { lender_id: lender.lender_id, kind: "jti", value: jti, until_ms: (exp ?? 0) * 1000 },
    ]);
    expect(await isRevoked(env, { jti: jti ?? "", client_id: lender.client_id })).toBe(true);
  });

  it("can be repeated", async () => {
    const token = await tokenFor(await seedService());
    expect(await revokeToken(env, token)).toEqual({ ok: true });
    expect(await revokeToken(env, token)).toEqual({ ok: true });
  });

  it("refuses what is no token of ours", async () => {
    expect(await revokeToken(env, "a.b.c")).toEqual({ ok: false, code: "TOKEN_INVALID" });
  });

  it("has nothing to do for a token that is over", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const token = await tokenFor(await seedService());
    vi.setSystemTime(Date.now() + 3_600_000);
    const before = (await drizzle(env.DB).select().from(revokedTokens)).length;
    expect(await revokeToken(env, token)).toEqual({ ok: true });
    expect(await drizzle(env.DB).select().from(revokedTokens)).toHaveLength(before);
  });
});

describe("revoking a client", () => {
  it("of a lender tells the gate, for longer than any token it holds can last", async () => {
    const { listening, told } = listeningEnv();
    const lender = await seedLender();
    const { exp } = decodeJwt(await tokenFor(lender));
    expect(await revokeClient(listening, lender.client_id)).toEqual({ ok: true });
    expect(told).toMatchObject([{ lender_id: lender.lender_id, kind: "client", value: lender.client_id }]);
    expect(told[0]?.until_ms).toBeGreaterThan((exp ?? 0) * 1000);
    expect(await isRevoked(env, { jti: "any", client_id: lender.client_id })).toBe(true);
  });

  it("says so if there is no such client", async () => {
    expect(await revokeClient(env, "client_unknown")).toEqual({ ok: false, code: "CLIENT_UNKNOWN" });
  });
});

describe("the purge of revoked tokens", () => {
  it("forgets a token when it has expired, not before", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const start_ms = Date.now();
    const service = await seedService();
    const token = await tokenFor(service);
    const { jti = "", exp = 0 } = decodeJwt(token);
    await revokeToken(env, token);
    vi.setSystemTime(exp * 1000 - 1);
    await purgeRevokedTokens(env);
    expect(await isRevoked(env, { jti, client_id: service.client_id })).toBe(true);
    vi.setSystemTime(Math.max(exp * 1000, start_ms));
    await purgeRevokedTokens(env);
    expect(await isRevoked(env, { jti, client_id: service.client_id })).toBe(false);
  });
});
