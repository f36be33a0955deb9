import { env, exports } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import fc from "fast-check";
import { createRemoteJWKSet, customFetch, decodeJwt, jwtVerify } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { sha256Hex } from "../../src/lib/bytes.ts";
import { revokeClient } from "../../src/parties/provisioning.ts";
import { LENDER_SCOPE } from "../../src/parties/schemas.ts";
import { clients } from "../../src/parties/tables.ts";
import { seedLender, seedService, type TestLender } from "../support/auth.ts";

const TOKEN_URL = "https://api.test/v1/auth/token";

function post(body: string, headers: Record<string, string>): Promise<Response> {
  return exports.default.fetch(TOKEN_URL, { method: "POST", body, headers });
}

function postJson(body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return post(JSON.stringify(body), { "Content-Type": "application/json", ...headers });
}

function postForm(
  fields: Record<string, string> | string,
  headers: Record<string, string> = {},
): Promise<Response> {
  return post(new URLSearchParams(fields).toString(), {
    "Content-Type": "application/x-www-form-urlencoded",
    ...headers,
  });
}

function basic(client_id: string, client_secret: string): { Authorization: string } {
  return { Authorization: `Basic ${btoa(`${client_id}:${client_secret}`)}` };
}

interface Problem {
  error_code: string;
  error?: string;
  errors?: { path: string }[];
}

async function problemOf(response: Response): Promise<Problem> {
  expect(response.headers.get("Content-Type")).toContain("application/problem+json");
  return response.json();
}

let lender: TestLender;
let credentials: { client_id: string; client_secret: string };

/** A lender of its own for every test: the limit of 10 a minute is per client. */
async function freshLender(): Promise<void> {
  lender = await seedLender();
  credentials = { client_id: lender.client_id, client_secret: lender.client_secret };
}

afterEach(() => {
  vi.useRealTimers();
});

describe("POST /v1/auth/token, happy", () => {
  beforeAll(freshLender);

  it("issues a bearer token for one hour to JSON credentials and forbids caching", async () => {
    const response = await postJson(credentials);
    expect(response.status).toBe(200);
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    const body = await response.json<Record<string, unknown>>();
    expect(body).toEqual({
      access_token: expect.any(String),
      token_type: "Bearer",
      expires_in: 3600,
      scope: LENDER_SCOPE,
    });
  });

  it("issues a token that a stock JOSE client verifies against the published keys", async () => {
    const { access_token } = await (await postJson(credentials)).json<{ access_token: string }>();
    const jwks = createRemoteJWKSet(new URL("https://api.test/.well-known/jwks.json"), {
      [customFetch]: (url) => exports.default.fetch(url),
    });
    const { payload } = await jwtVerify(access_token, jwks, {
      issuer: "altscore.in",
      audience: "altscore-api",
    });
    expect(payload.sub).toBe(lender.lender_id);
  });

  it("gives a service its own client_id as subject", async () => {
    const service = await seedService("consent:read");
    const { client_id, client_secret } = service;
    const body = await (await postJson({ client_id, client_secret })).json<{
      access_token: string;
      scope: string;
    }>();
    expect(decodeJwt(body.access_token).sub).toBe(service.client_id);
    expect(body.scope).toBe("consent:read");
  });

  it("takes the form of RFC 6749 with credentials in the body", async () => {
    const response = await postForm({
      grant_type: "client_credentials",
      ...credentials,
      resource: "ignored",
    });
    expect(response.status).toBe(200);
  });

  it("takes HTTP Basic, with form and with JSON", async () => {
    const header = basic(lender.client_id, lender.client_secret);
    expect((await postForm({ grant_type: "client_credentials" }, header)).status).toBe(200);
    expect(
      (await postJson({}, { Authorization: header.Authorization.replace("Basic", "basic") })).status,
    ).toBe(200);
  });

  it("form-decodes both parts of HTTP Basic", async () => {
    const secret = "s p+c:%é";
    const client_id = "client with space:and colon";
    await drizzle(env.DB)
      .insert(clients)
      .values({
        client_id,
        kind: "service",
        subject: client_id,
        secret_sha256: sha256Hex(secret),
        scope: "consent:read",
        created_at: "2026-01-01T00:00:00.000Z",
      });
    const encode = (text: string) => new URLSearchParams({ v: text }).toString().slice(2);
    const response = await postForm(
      { grant_type: "client_credentials" },
      basic(encode(client_id), encode(secret)),
    );
    expect(response.status).toBe(200);
  });

  it("narrows the scope when a part of it is asked for", async () => {
    const response = await postForm({
      grant_type: "client_credentials",
      ...credentials,
      scope: "score:read",
    });
    const body = await response.json<{ access_token: string; scope: string }>();
    expect(body.scope).toBe("score:read");
    expect(decodeJwt(body.access_token).scope).toBe("score:read");
  });
});

describe("POST /v1/auth/token, errors", () => {
  beforeAll(freshLender);

  it.each([
    ["no client_id", { client_secret: "x" }, "client_id"],
    ["no client_secret", { client_id: "x" }, "client_secret"],
    ["an empty client_id", { client_id: "", client_secret: "x" }, "client_id"],
    ["an empty client_secret", { client_id: "x", client_secret: "" }, "client_secret"],
    ["a client_id of 257 characters", { client_id: "x".repeat(257), client_secret: "x" }, "client_id"],
    [
      "a client_secret of 257 characters",
      { client_id: "x", client_secret: "x".repeat(257) },
      "client_secret",
    ],
    ["a client_id that is no text", { client_id: 7, client_secret: "x" }, "client_id"],
    ["null for a secret", { client_id: "x", client_secret: null }, "client_secret"],
  ])("answers 400 to %s", async (_, body, path) => {
    const response = await postJson(body);
    expect(response.status).toBe(400);
    expect(await problemOf(response)).toMatchObject({
      error_code: "INVALID_REQUEST",
      error: "invalid_request",
      errors: [{ path }],
    });
  });

  it.each(["", "{", "[]", '"text"', "null", "\u0000"])("answers 400 to the JSON body %j", async (body) => {
    const response = await post(body, { "Content-Type": "application/json" });
    expect(response.status).toBe(400);
    expect((await problemOf(response)).error_code).toBe("INVALID_REQUEST");
  });

  it("answers 400 to a grant type it does not have, in JSON and in a form", async () => {
    for (const response of [
      await postForm({ grant_type: "password", ...credentials }),
      await postJson({ grant_type: "refresh_token", ...credentials }),
    ]) {
      expect(response.status).toBe(400);
      expect((await problemOf(response)).error).toBe("unsupported_grant_type");
    }
  });

  it("answers 400 to a form without grant type, with a repeated or with an empty parameter", async () => {
    const grant = "grant_type=client_credentials";
    for (const form of [
      new URLSearchParams(credentials).toString(),
      `${grant}&client_id=a&client_id=b&client_secret=c`,
      `${grant}&client_id=&client_secret=c`,
    ]) {
      const response = await postForm(form);
      expect(response.status, form).toBe(400);
      expect((await problemOf(response)).error).toBe("invalid_request");
    }
  });

  it("answers 400 to credentials given in two ways", async () => {
    const form = { grant_type: "client_credentials", ...credentials };
    const response = await postForm(form, basic(lender.client_id, lender.client_secret));
    expect(response.status).toBe(400);
    const other = await postForm({ grant_type: "client_credentials", client_id: "x" }, basic("y", "z"));
    expect(other.status).toBe(400);
  });

  it.each([
    "Basic",
    "Basic !!!",
    `Basic ${btoa("no colon")}`,
    `Basic ${btoa("a:%zz")}`,
    `Basic ${btoa("\xff:\xff")}`,
  ])("answers 400 to the header %j", async (Authorization) => {
    const response = await postForm({ grant_type: "client_credentials" }, { Authorization });
    expect(response.status).toBe(400);
    expect((await problemOf(response)).errors?.[0]?.path).toBe("Authorization");
  });

  it("answers 400 to a scope the client does not have", async () => {
    const response = await postJson({ ...credentials, scope: "score:read consent:write" });
    expect(response.status).toBe(400);
    expect((await problemOf(response)).error).toBe("invalid_scope");
  });

  it.each([undefined, "text/plain", "application/jsonp", "multipart/form-data; boundary=x"])(
    "answers 415 to content type %j",
    async (type) => {
      const body = new TextEncoder().encode(JSON.stringify(credentials));
      const response = await exports.default.fetch(TOKEN_URL, {
        method: "POST",
        body,
        ...(type ? { headers: { "Content-Type": type } } : {}),
      });
      expect(response.status).toBe(415);
      expect((await problemOf(response)).error_code).toBe("UNSUPPORTED_MEDIA_TYPE");
    },
  );

  it("answers 413 to a body over 2 MiB", async () => {
    const response = await postJson({ ...credentials, padding: "x".repeat(2 * 1024 * 1024) });
    expect(response.status).toBe(413);
  });

  it("reports a malformed X-Request-ID, but only to a client that has authenticated", async () => {
    const malformed = { "X-Request-ID": "not-a-uuid" };
    expect((await postJson(credentials, malformed)).status).toBe(400);
    expect((await postJson({ ...credentials, client_secret: "wrong" }, malformed)).status).toBe(401);
  });

  it("never answers 500, whatever the body", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.json(), fc.string(), fc.webQueryParameters()),
        fc.constantFrom("application/json", "application/x-www-form-urlencoded"),
        async (body, type) => {
          const response = await post(body, { "Content-Type": type });
          expect(response.status).toBeLessThan(500);
          await response.body?.cancel();
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("POST /v1/auth/token, security", () => {
  it("answers a wrong secret, an unknown id and a revoked client with the very same 401", async () => {
    await freshLender();
    const revoked = await seedLender();
    await revokeClient(env, { client_id: revoked.client_id });
    const headers = { "X-Request-ID": "6f1f8b3e-0a51-4c1e-9a53-3d2f2c1b0a99" };
    const answers = await Promise.all(
      [
        { client_id: lender.client_id, client_secret: "0".repeat(64) },
        { client_id: "client_ffffffffffffffff", client_secret: "0".repeat(64) },
        { client_id: revoked.client_id, client_secret: revoked.client_secret },
      ].map(async (body) => {
        const response = await postJson(body, headers);
        return {
          status: response.status,
          headers: [...response.headers],
          body: await response.json<Problem>(),
        };
      }),
    );
    expect(answers[0]?.status).toBe(401);
    expect(answers[0]?.body).toMatchObject({ error_code: "INVALID_CLIENT", error: "invalid_client" });
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
  });

  it("names the authentication scheme on a 401 (RFC 6749 §5.2)", async () => {
    const response = await postForm({ grant_type: "client_credentials" }, basic("nobody", "nothing"));
    expect(response.status).toBe(401);
    expect(response.headers.get("WWW-Authenticate")).toMatch(/^Basic realm=/);
  });

  it("lets in 10 requests a minute per client, counted before the secret is looked at", async () => {
    await freshLender();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.parse("2040-03-01T00:00:00Z") });
    for (let call = 0; call < 10; call++) {
      const wrong = await postJson({ ...credentials, client_secret: `wrong ${call}` });
      expect(wrong.status).toBe(401);
    }
    const limited = await postJson(credentials);
    expect(limited.status).toBe(429);
    expect((await problemOf(limited)).error_code).toBe("RATE_LIMIT_EXCEEDED");
    expect(limited.headers.get("Retry-After")).toBe("60");
    vi.setSystemTime(Date.parse("2040-03-01T00:01:00Z"));
    expect((await postJson(credentials)).status).toBe(200);
  });

  it("limits unknown clients in the same way, so that the limit does not tell who exists", async () => {
    const unknown = { client_id: "client_that_never_was", client_secret: "x" };
    const statuses: number[] = [];
    for (let call = 0; call < 12; call++) statuses.push((await postJson(unknown)).status);
    expect(statuses).toEqual([...Array<number>(10).fill(401), 429, 429]);
  });

  it("counts concurrent requests exactly and does not let one client use up another's", async () => {
    await freshLender();
    const wrong = { ...credentials, client_secret: "wrong" };
    const statuses = await Promise.all(
      Array.from({ length: 30 }, async () => (await postJson(wrong)).status),
    );
    expect(statuses.filter((status) => status === 401)).toHaveLength(10);
    await freshLender();
    expect((await postJson(credentials)).status).toBe(200);
  });

  it("stores only a digest of the secret", async () => {
    await freshLender();
    const row = await drizzle(env.DB)
      .select()
      .from(clients)
      .where(eq(clients.client_id, lender.client_id))
      .get();
    expect(row?.secret_sha256).toBe(sha256Hex(lender.client_secret));
    expect(lender.client_secret).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.stringify(row)).not.toContain(lender.client_secret);
  });
});

describe("GET /.well-known/jwks.json", () => {
  it("is public, may be cached for 5 minutes and lists a key of each algorithm", async () => {
    const response = await exports.default.fetch("https://api.test/.well-known/jwks.json");
    expect(response.status).toBe(200);
    expect(response.headers.get("Cache-Control")).toBe("public, max-age=300");
    const { keys } = await response.json<{ keys: { alg: string }[] }>();
    expect(keys.map((key) => key.alg).sort()).toEqual(["ES256", "RS256"]);
  });

  it("refuses a malformed X-Request-ID", async () => {
    const response = await exports.default.fetch("https://api.test/.well-known/jwks.json", {
      headers: { "X-Request-ID": "1" },
    });
    expect(response.status).toBe(400);
  });
});

describe("GET /.well-known/oauth-authorization-server", () => {
  it("tells a stock OAuth client where and how to get a token", async () => {
    const response = await exports.default.fetch("https://api.test/.well-known/oauth-authorization-server");
    expect(response.status).toBe(200);
    expect(response.headers.get("Cache-Control")).toBe("public, max-age=300");
    expect(await response.json()).toMatchObject({
      issuer: "https://api.altscore.in",
      token_endpoint: "https://api.altscore.in/v1/auth/token",
      jwks_uri: "https://api.altscore.in/.well-known/jwks.json",
      grant_types_supported: ["client_credentials"],
      token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
    });
  });
});
