import { createExecutionContext } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { app } from "../src/app.ts";
import { parseEnv } from "../src/config.ts";
import type { Env } from "../src/env.ts";

const worker = exports.default;
const url = (path: string) => `https://api.altscore.in${path}`;
const UUID = "5c9d1fb2-61a5-4c84-9c4b-3f6e1d8f2a10";

describe("every answer", () => {
  it("carries a request id, no-store and HSTS, and no server banner", async () => {
    const response = await worker.fetch(url("/nowhere"));
    expect(response.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("strict-transport-security")).toContain("max-age=");
    expect(response.headers.get("server")).toBeNull();
    expect(response.headers.get("x-powered-by")).toBeNull();
  });

  it("gives back the client's request id, also in the problem", async () => {
    const response = await worker.fetch(url("/nowhere"), { headers: { "x-request-id": UUID } });
    expect(response.headers.get("x-request-id")).toBe(UUID);
    expect(await response.json()).toMatchObject({ request_id: UUID });
  });
});

describe("an unknown path or method", () => {
  it("is 404 or 405 with Allow, before anything else", async () => {
    const unknown = await worker.fetch(url("/v1/nothing"), { headers: { "x-request-id": "malformed" } });
    expect(unknown.status).toBe(404);
    expect(await unknown.json()).toMatchObject({ error_code: "NOT_FOUND" });
    const wrong = await worker.fetch(url("/v1/score"), { method: "DELETE" });
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get("allow")).toBe("POST");
    const history = await worker.fetch(url("/v1/score/ret_0123456789abcdef/history"), { method: "POST" });
    expect(history.headers.get("allow")).toBe("GET, HEAD");
  });
});

describe("TLS", () => {
  it("below 1.3 is refused with 426", async () => {
    const response = await worker.fetch(url("/.well-known/jwks.json"), { cf: { tlsVersion: "TLSv1.2" } });
    expect(response.status).toBe(426);
    expect(await response.json()).toMatchObject({ error_code: "TLS_REQUIRED" });
  });

  it("1.3 is taken", async () => {
    const response = await worker.fetch(url("/.well-known/jwks.json"), { cf: { tlsVersion: "TLSv1.3" } });
    expect(response.status).toBe(200);
  });

  it("is demanded in production even of a request that tells nothing of it", async () => {
    const account = {
      WHATSAPP_ACCESS_TOKEN: "a-permanent-access-token",
      WHATSAPP_PHONE_NUMBER_ID: "106540352242922",
    };
    const production = { ...env, ...account, ENVIRONMENT: "production" } as Env;
    const response = await app.fetch(new Request(url("/.well-known/jwks.json")), production);
    expect(response.status).toBe(426);
  });
});

describe("the environment", () => {
  it("is refused at start with every problem named and no value shown", () => {
    const bad = { ...env, PHONE_PEPPER: "short-secret", QUARANTINE_KEY: "0".repeat(64) } as Env;
    expect(() => parseEnv(bad)).toThrow(
      /PHONE_PEPPER: must be 64 hex digits[\s\S]*QUARANTINE_KEY: is too regular/,
    );
    expect(() => parseEnv(bad)).not.toThrow(/short-secret/);
  });

  it("must not use one secret for two purposes", () => {
    const bad = { ...env, PHONE_PEPPER: env.GSTIN_INDEX_KEY } as Env;
    expect(() => parseEnv(bad)).toThrow(/each must differ/);
  });

  it("names a missing binding", () => {
    const { KV: _kv, ...bad } = env;
    expect(() => parseEnv(bad as unknown as Env)).toThrow(/KV: binding is missing/);
  });
});

describe("1,000 random malformed requests", () => {
  const paths = [
    "/v1/score",
    "/v1/auth/token",
    "/v1/consent/grant",
    "/v1/consent/revoke",
    "/v1/consent/check",
    "/v1/ingest/batch",
    "/v1/retailers/lookup",
    "/v1/score/x/history",
    "/v1/ingest/batch/x/status",
  ];
  const headerValue = fc.string({ unit: fc.constantFrom(..."abcXYZ0123456789 .,:;=/-_") });

  it("never give a 500", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("GET", "POST", "PUT", "DELETE", "PATCH"),
        fc.constantFrom(...paths),
        fc.oneof(fc.string(), fc.json(), fc.uint8Array({ maxLength: 200 })),
        fc.dictionary(
          fc.constantFrom(
            "authorization",
            "content-type",
            "x-client-id",
            "x-request-id",
            "x-batch-id",
            "accept-language",
          ),
          fc.oneof(headerValue, fc.constantFrom("application/json", "Bearer a.b.c", "Basic Og==", "Bearer ")),
        ),
        async (method, path, body, headers) => {
          const init: RequestInit = { method, headers };
          if (method !== "GET") init.body = body as BodyInit;
          // Straight into the application: a thousand hops through the test pool would be most of the time.
          const response = await app.fetch(new Request(url(path), init), env, createExecutionContext());
          expect(response.status).toBeGreaterThanOrEqual(400);
          expect(response.status).toBeLessThan(500);
          expect(response.headers.get("content-type")).toContain("application/problem+json");
          await response.text();
        },
      ),
      { numRuns: 1000 },
    );
  }, 60_000);
});
