import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { newId } from "../../src/lib/seams.ts";
import { seedLender } from "../support/auth.ts";
import { codeOf } from "../support/scene.ts";
import { act, answered, call, fakeNetwork, forgetWebhooks, HOST, seedWebhook, URL_A } from "./support.ts";

beforeEach(forgetWebhooks);
afterEach(() => vi.restoreAllMocks());

const refusal = async (response: Response) => [response.status, await codeOf(response)];

describe("POST /v1/webhooks", () => {
  it.each([
    ["no URL", {}],
    ["an empty one", { url: "" }],
    ["a number", { url: 7 }],
    ["one over 2,048 characters", { url: `${URL_A}/${"a".repeat(2048)}` }],
    ["a field that does not exist", { url: URL_A, secret: "whsec_mine" }],
  ])("refuses %s", async (_what, body) => {
    fakeNetwork();
    const response = await call(await seedLender(), "POST", "/v1/webhooks", body);
    expect(await refusal(response)).toEqual([400, "INVALID_REQUEST"]);
  });

  it.each([
    ["plain HTTP", `http://${HOST}/`],
    ["a loopback address", "https://127.0.0.1/"],
    ["a metadata service", "https://169.254.169.254/latest/meta-data/"],
    ["a name without an address", "https://nobody.co.in/"],
    ["a name with a private address", "https://inside.co.in/"],
  ])("refuses %s as target and says why", async (_what, url) => {
    fakeNetwork().dns.set("inside.co.in", ["192.168.1.7"]);
    const lender = await seedLender();
    const response = await call(lender, "POST", "/v1/webhooks", { url });
    const problem = await response.json<{ error_code: string; detail: string }>();
    expect([response.status, problem.error_code]).toEqual([422, "WEBHOOK_TARGET_REFUSED"]);
    expect(problem.detail).toMatch(/^The (URL|host)/);
    // Which private address a name has is nobody's business.
    expect(problem.detail).not.toContain("192.168");
    expect(await answered(await call(lender, "GET", "/v1/webhooks"))).toEqual({ data: [] });
  });

  it("answers 503 while names cannot be looked up", async () => {
    fakeNetwork().dns_status = 2;
    const response = await call(await seedLender(), "POST", "/v1/webhooks", { url: URL_A });
    expect(await refusal(response)).toEqual([503, "SERVICE_UNAVAILABLE"]);
  });

  it("refuses a sixth, also when many come at once", async () => {
    fakeNetwork();
    const lender = await seedLender();
    const answers = await Promise.all(
      Array.from({ length: 9 }, (_, n) => call(lender, "POST", "/v1/webhooks", { url: `${URL_A}/${n}` })),
    );
    const refused = answers.filter((response) => response.status !== 201);
    expect(refused).toHaveLength(4);
    expect(await refusal(refused[0]!)).toEqual([409, "WEBHOOK_LIMIT_REACHED"]);
  });

  it("counts 30 actions a minute, of one lender only", async () => {
    const scene = await seedWebhook();
    const rotations = await Promise.all(Array.from({ length: 29 }, () => act(scene, "rotate-secret")));
    expect(rotations.every((response) => response.ok)).toBe(true);
    for (const action of ["rotate-secret", "test"]) {
      const limited = await act(scene, action);
      expect(Number(limited.headers.get("Retry-After"))).toBeGreaterThan(0);
      expect(await refusal(limited)).toEqual([429, "RATE_LIMIT_EXCEEDED"]);
    }
    const register = await call(scene.lender, "POST", "/v1/webhooks", { url: URL_A });
    expect(register.status).toBe(429);
    expect((await call(await seedLender(), "POST", "/v1/webhooks", { url: URL_A })).status).toBe(201);
  });
});

describe("what does not exist", () => {
  it.each(["rotate-secret", "pause", "resume", "test", "deliveries/ntc_0123456789abcdef/replay"])(
    "is 404 for POST .../%s",
    async (action) => {
      const scene = await seedWebhook();
      for (const webhook_id of [newId("whk"), "whk_x", "%20"]) {
        const response = await act({ ...scene, webhook: { ...scene.webhook, webhook_id } }, action);
        expect(await refusal(response)).toEqual([404, "NOT_FOUND"]);
      }
    },
  );

  it("is 404 for its log, its deletion, and the replay of no delivery", async () => {
    const scene = await seedWebhook();
    for (const id of ["ntc_0123456789abcdef", "x"]) {
      expect(await refusal(await act(scene, `deliveries/${id}/replay`))).toEqual([404, "NOT_FOUND"]);
    }
    const path = `/v1/webhooks/${newId("whk")}`;
    expect((await call(scene.lender, "GET", `${path}/deliveries`)).status).toBe(404);
    expect((await call(scene.lender, "DELETE", path)).status).toBe(404);
  });

  it.each(["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=ntc_0123456789abcdef", "page=2"])(
    "a log with %s is 400",
    async (query) => {
      const { lender, webhook } = await seedWebhook();
      const path = `/v1/webhooks/${webhook.webhook_id}/deliveries?${query}`;
      expect(await refusal(await call(lender, "GET", path))).toEqual([400, "INVALID_REQUEST"]);
    },
  );
});

describe("D1 down", () => {
  it("is 503, with nothing told", async () => {
    const { lender } = await seedWebhook();
    const down = () => {
      throw new Error("D1 is down");
    };
    const bindings = { ...env, DB: new Proxy(env.DB, { get: () => down }) };
    const response = await call(lender, "GET", "/v1/webhooks", undefined, bindings);
    expect(await refusal(response)).toEqual([503, "SERVICE_UNAVAILABLE"]);
  });
});
