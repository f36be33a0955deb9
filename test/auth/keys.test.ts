import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import { calculateJwkThumbprint } from "jose";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  forgetKeys,
  keySchedule,
  publicJwks,
  publicKeys,
  rotateKeys,
  signingKey,
  verificationKey,
} from "../../src/auth/keys.ts";
import { signingKeys } from "../../src/auth/tables.ts";
import { issueToken, verifyToken } from "../../src/auth/tokens.ts";
import type { Env } from "../../src/env.ts";
import { AppError } from "../../src/http/errors.ts";

const DAY_MS = 86_400_000;
const START_MS = Date.parse("2040-01-01T00:00:00.000Z");
const SUBJECT = { subject: "lender_a", client_id: "client_a", scope: "score:read" };

/** The bindings with a database that counts its statements, and fails if told so. */
function watchedEnv(): { watched: Env; statements: () => number; fail: () => void } {
  let count = 0;
  let failing = false;
  const DB = new Proxy(env.DB, {
    get(target, name) {
      if (name === "prepare") {
        return (query: string) => {
          count += 1;
          if (failing) throw new Error("D1 is down");
          return target.prepare(query);
        };
      }
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { watched: { ...env, DB }, statements: () => count, fail: () => (failing = true) };
}

async function kidsIn(jwks: Promise<{ keys: { kid?: string }[] }>): Promise<string[]> {
  return (await jwks).keys.map((key) => key.kid ?? "").sort();
}

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: START_MS });
  await drizzle(env.DB).delete(signingKeys);
  forgetKeys();
});
afterEach(() => {
  vi.useRealTimers();
  forgetKeys();
});

describe("signing keys", () => {
  it("come into being on first use: an RSA-2048 one and a P-256 one, named by their RFC 7638 thumbprint", async () => {
    const { keys } = await publicJwks(env);
    expect(keys.map((key) => [key.kty, key.alg, key.use]).sort()).toEqual([
      ["EC", "ES256", "sig"],
      ["RSA", "RS256", "sig"],
    ]);
    for (const key of keys) expect(key.kid).toBe(await calculateJwkThumbprint(key, "sha256"));
    const rsa = keys.find((key) => key.kty === "RSA");
    expect(Buffer.from(rsa?.n ?? "", "base64url").length).toBe(256);
  });

  it("publish no private member", async () => {
    for (const key of (await publicJwks(env)).keys) {
      for (const member of ["d", "p", "q", "dp", "dq", "qi", "k"]) expect(key).not.toHaveProperty(member);
    }
  });

  it("rest sealed: the table holds no private member in the clear", async () => {
    await publicJwks(env);
    const rows = await drizzle(env.DB).select().from(signingKeys);
    expect(rows).toHaveLength(2);
    for (const row of rows) {
      expect(row.private_sealed).toMatch(/^v1\./);
      expect(JSON.stringify(row)).not.toContain('"d"');
    }
  });

  it("are the same for concurrent first users", async () => {
    const signers = await Promise.all(Array.from({ length: 8 }, () => signingKey(env, "ES256")));
    expect(new Set(signers.map((signer) => signer.kid)).size).toBe(1);
    expect(await drizzle(env.DB).select().from(signingKeys)).toHaveLength(1);
  });

  it("cost no read of the database while the isolate's copy is fresh", async () => {
    const { watched, statements } = watchedEnv();
    const token = await issueToken(watched, SUBJECT);
    const before = statements();
    for (let call = 0; call < 20; call++) expect((await verifyToken(watched, token)).ok).toBe(true);
    await issueToken(watched, SUBJECT);
    expect(statements()).toBe(before);
  });

  it("go on verifying while the database is down, once the isolate has them", async () => {
    const { watched, fail } = watchedEnv();
    const token = await issueToken(watched, SUBJECT);
    fail();
    vi.setSystemTime(START_MS + 120_000);
    expect((await verifyToken(watched, token)).ok).toBe(true);
  });

  it("give 503 when the database is down and the isolate has none", async () => {
    const { watched, fail } = watchedEnv();
    fail();
    await expect(signingKey(watched, "RS256")).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
    await expect(verificationKey(watched, "x", "RS256")).rejects.toBeInstanceOf(AppError);
  });

  it("are not looked up again and again for kids that do not exist", async () => {
    const { watched, statements } = watchedEnv();
    await signingKey(watched, "RS256");
    const before = statements();
    for (let call = 0; call < 50; call++) {
      expect(await verificationKey(watched, `forged-${call}`, "RS256")).toBeNull();
    }
    expect(statements() - before).toBe(1);
    vi.setSystemTime(START_MS + 3_000);
    await verificationKey(watched, "forged-again", "RS256");
    expect(statements() - before).toBe(2);
  });

  it("do not verify for the other algorithm", async () => {
    const { kid } = await signingKey(env, "ES256");
    expect(await verificationKey(env, kid, "ES256")).not.toBeNull();
    expect(await verificationKey(env, kid, "RS256")).toBeNull();
  });
});

describe("rotation", () => {
  it("puts new keys in force at once and leaves the old ones published for 14 days", async () => {
    const old = await kidsIn(publicJwks(env));
    const token = await issueToken(env, SUBJECT);
    const { active } = await rotateKeys(env);
    expect(active).toHaveLength(2);
    expect(active.filter((kid) => old.includes(kid))).toEqual([]);
    expect(await kidsIn(publicJwks(env))).toEqual([...old, ...active].sort());
    expect((await signingKey(env, "RS256")).kid).toSatisfy((kid: string) => active.includes(kid));
    expect((await verifyToken(env, token)).ok).toBe(true);

    vi.setSystemTime(START_MS + 14 * DAY_MS - 1);
    expect(await verificationKey(env, old[0] ?? "", "RS256").then((a) => a !== null)).toBe(
      (await verificationKey(env, old[0] ?? "", "ES256")) === null,
    );
    vi.setSystemTime(START_MS + 14 * DAY_MS);
    expect(await kidsIn(publicJwks(env))).toEqual(active.sort());
    for (const kid of old) {
      expect(await verificationKey(env, kid, "RS256")).toBeNull();
      expect(await verificationKey(env, kid, "ES256")).toBeNull();
    }
  });

  it("ends an old key on time even where the isolate's copy is older", async () => {
    const { kid } = await signingKey(env, "RS256");
    await rotateKeys(env);
    vi.setSystemTime(START_MS + 14 * DAY_MS - 10);
    expect(await verificationKey(env, kid, "RS256")).not.toBeNull();
    vi.setSystemTime(START_MS + 14 * DAY_MS);
    expect(await verificationKey(env, kid, "RS256")).toBeNull();
  });

  it("leaves exactly one active key of each algorithm when runs coincide", async () => {
    await publicJwks(env);
    await Promise.all([rotateKeys(env), rotateKeys(env), rotateKeys(env)]);
    const rows = await drizzle(env.DB).select().from(signingKeys);
    const active = rows.filter((row) => row.status === "active");
    expect(active.map((row) => row.alg).sort()).toEqual(["ES256", "RS256"]);
  });

  it("is noticed by an isolate that knew only the old keys, as soon as a token of a new one arrives", async () => {
    const db = drizzle(env.DB);
    await publicJwks(env);
    const before = await db.select().from(signingKeys);
    const { active } = await rotateKeys(env);
    const after = await db.select().from(signingKeys);
    // This isolate learns the state before, then the rotation happens behind its back.
    await db.batch([db.delete(signingKeys), db.insert(signingKeys).values(before)]);
    forgetKeys();
    await publicJwks(env);
    await db.batch([db.delete(signingKeys), db.insert(signingKeys).values(after)]);
    for (const kid of active) {
      const alg = after.find((row) => row.kid === kid)?.alg ?? "RS256";
      expect(await verificationKey(env, kid, alg)).not.toBeNull();
    }
  });
});

describe("the scheduled run", () => {
  it("leaves keys younger than 6 months alone", async () => {
    const old = await kidsIn(publicJwks(env));
    vi.setSystemTime(START_MS + 182 * DAY_MS - 1);
    await keySchedule(env);
    expect(await kidsIn(publicJwks(env))).toEqual(old);
  });

  it("rotates at 6 months, once, however often it runs", async () => {
    const old = await kidsIn(publicJwks(env));
    vi.setSystemTime(START_MS + 182 * DAY_MS);
    await keySchedule(env);
    const after = await kidsIn(publicJwks(env));
    expect(after).toHaveLength(4);
    expect(after).toEqual(expect.arrayContaining(old));
    await keySchedule(env);
    expect(await kidsIn(publicJwks(env))).toEqual(after);
  });

  it("destroys the private half of a key whose overlap is over and keeps the public one for old signatures", async () => {
    const { kid } = await signingKey(env, "ES256");
    await rotateKeys(env);
    vi.setSystemTime(START_MS + 14 * DAY_MS - 1);
    await keySchedule(env);
    expect((await drizzle(env.DB).select().from(signingKeys)).every((row) => row.private_sealed !== "")).toBe(
      true,
    );
    vi.setSystemTime(START_MS + 14 * DAY_MS);
    await keySchedule(env);
    const row = (await drizzle(env.DB).select().from(signingKeys)).find((each) => each.kid === kid);
    expect(row).toMatchObject({ status: "retired", private_sealed: "" });
    expect((await publicKeys(env, [kid, "unknown"])).map((key) => key.kid)).toEqual([kid]);
  });
});
