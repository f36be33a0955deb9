import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { authenticate, checkHeaders, requireService } from "../../src/auth/bearer.ts";
import { issueToken } from "../../src/auth/tokens.ts";
import type { Env } from "../../src/env.ts";
import { newRouter } from "../../src/http/routing.ts";
import { revokeClient, revokeToken } from "../../src/parties/provisioning.ts";
import { LENDER_SCOPE } from "../../src/parties/schemas.ts";
import { appWith, callApp } from "../support/app.ts";
import {
  bearerHeaders,
  seedLender,
  seedService,
  type TestLender,
  type TestService,
  tokenFor,
} from "../support/auth.ts";

const router = newRouter();
router.get("/any", async (c) => {
  const { scopes, ...principal } = await authenticate(c);
  checkHeaders(c);
  return c.json({ ...principal, scopes: [...scopes] });
});
router.get("/service", async (c) => c.json({ subject: (await requireService(c, "consent:write")).subject }));
const app = appWith(router);

interface Answer {
  status: number;
  code: string | undefined;
  challenge: string | null;
  body: Record<string, unknown>;
}

async function call(path: string, headers: Record<string, string>, bindings: Env = env): Promise<Answer> {
  const response = await callApp(app, path, { headers }, bindings);
  const body = await response.json<Record<string, unknown>>();
  const challenge = response.headers.get("WWW-Authenticate");
  return { status: response.status, code: body.error_code as string | undefined, challenge, body };
}

let lender: TestLender;
let service: TestService;
beforeAll(async () => {
  lender = await seedLender();
  service = await seedService("consent:write");
});
afterEach(() => {
  vi.useRealTimers();
});

describe("the bearer check, happy", () => {
  it("tells a lender by its token", async () => {
    const { status, body } = await call("/any", await bearerHeaders(lender));
    expect(status).toBe(200);
    expect(body).toMatchObject({
      kind: "lender",
      subject: lender.lender_id,
      client_id: lender.client_id,
      scopes: LENDER_SCOPE.split(" "),
    });
  });

  it("tells a service by its token and lets it through for its scope", async () => {
    const headers = await bearerHeaders(service);
    expect((await call("/any", headers)).body).toMatchObject({ kind: "service", subject: service.client_id });
    expect((await call("/service", headers)).body).toEqual({ subject: service.client_id });
  });

  it("takes the scheme in any case", async () => {
    const headers = { ...(await bearerHeaders(lender)), Authorization: `bearer ${await tokenFor(lender)}` };
    expect((await call("/any", headers)).status).toBe(200);
  });
});

describe("the bearer check, errors", () => {
  it("TOKEN_MISSING without an Authorization header, also when X-Client-ID is missing too", async () => {
    const attempts: Record<string, string>[] = [{}, { "X-Client-ID": lender.lender_id }];
    for (const headers of attempts) {
      expect(await call("/any", headers)).toMatchObject({
        status: 401,
        code: "TOKEN_MISSING",
        challenge: 'Bearer realm="altscore"',
      });
    }
  });

  it("TOKEN_EXPIRED for a good token after an hour", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const headers = await bearerHeaders(lender);
    vi.setSystemTime(Date.now() + 3_600_000);
    expect(await call("/any", headers)).toMatchObject({ status: 401, code: "TOKEN_EXPIRED" });
  });

  it.each(["", "Bearer", "Bearer ", "Basic dTpw", "Bearer a b", "Token abc", "Bearer x.y.z"])(
    "TOKEN_INVALID for the header %j",
    async (Authorization) => {
      expect(await call("/any", { Authorization, "X-Client-ID": "x" })).toMatchObject({
        status: 401,
        code: "TOKEN_INVALID",
        challenge: 'Bearer realm="altscore", error="invalid_token"',
      });
    },
  );

  it("TOKEN_INVALID when X-Client-ID is not the token's subject", async () => {
    const headers = await bearerHeaders(lender);
    for (const other of [service.client_id, lender.client_id, "", lender.lender_id.toUpperCase()]) {
      expect((await call("/any", { ...headers, "X-Client-ID": other })).code, other).toBe("TOKEN_INVALID");
    }
  });

  it("400 when X-Client-ID is missing, after the token", async () => {
    const { "X-Client-ID": _, ...headers } = await bearerHeaders(lender);
    expect(await call("/any", headers)).toMatchObject({ status: 400, code: "INVALID_REQUEST" });
    expect((await call("/any", { ...headers, Authorization: "Bearer x" })).status).toBe(401);
  });

  it("400 for a malformed X-Request-ID, after the token", async () => {
    const headers = { ...(await bearerHeaders(lender)), "X-Request-ID": "7" };
    expect(await call("/any", headers)).toMatchObject({ status: 400, code: "INVALID_REQUEST" });
    expect((await call("/any", { ...headers, Authorization: "Bearer x" })).status).toBe(401);
  });
});

describe("a service endpoint, security", () => {
  it("refuses lenders and services without the scope, saying which one it takes", async () => {
    const reader = await seedService("consent:read");
    for (const client of [lender, reader]) {
      expect(await call("/service", await bearerHeaders(client))).toMatchObject({
        status: 403,
        code: "SCOPE_INSUFFICIENT",
        challenge: 'Bearer realm="altscore", error="insufficient_scope", scope="consent:write"',
      });
    }
  });

  it("refuses a lender's token that names a service's scope", async () => {
    const token = await issueToken(env, {
      subject: lender.lender_id,
      client_id: lender.client_id,
      scope: "consent:write",
    });
    const headers = { Authorization: `Bearer ${token}`, "X-Client-ID": lender.lender_id };
    expect((await call("/service", headers)).code).toBe("SCOPE_INSUFFICIENT");
  });

  it("refuses a revoked token from the next request on, and only that token", async () => {
    const [revoked, other] = [await bearerHeaders(service), await bearerHeaders(service)];
    expect((await call("/service", revoked)).status).toBe(200);
    await revokeToken(env, { token: revoked.Authorization?.slice(7) ?? "" });
    expect(await call("/service", revoked)).toMatchObject({
      status: 401,
      code: "TOKEN_REVOKED",
      challenge: 'Bearer realm="altscore", error="invalid_token"',
    });
    expect((await call("/service", other)).status).toBe(200);
  });

  it("refuses every token of a revoked client", async () => {
    const doomed = await seedService("consent:write");
    const [one, two] = [await bearerHeaders(doomed), await bearerHeaders(doomed)];
    await revokeClient(env, { client_id: doomed.client_id });
    for (const headers of [one, two, await bearerHeaders(doomed)]) {
      expect((await call("/service", headers)).code).toBe("TOKEN_REVOKED");
    }
  });

  it("refuses the token of a client that does not exist", async () => {
    const ghost = { client_id: "svc_ghost", client_secret: "", scope: "consent:write" };
    expect((await call("/service", await bearerHeaders(ghost))).code).toBe("TOKEN_REVOKED");
  });

  it("answers 503, not 200, when revocation cannot be told", async () => {
    const headers = await bearerHeaders(service);
    const DB = {
      prepare: () => {
        throw new Error("D1 is down");
      },
    } as unknown as D1Database;
    expect(await call("/service", headers, { ...env, DB })).toMatchObject({
      status: 503,
      code: "SERVICE_UNAVAILABLE",
    });
  });
});
