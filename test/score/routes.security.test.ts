import { createExecutionContext, evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { app } from "../../src/app.ts";
import { chainProblem } from "../../src/audit/chain.ts";
import type { Env } from "../../src/env.ts";
import { newId, newUuid, nowMs } from "../../src/lib/seams.ts";
import { revokeClient } from "../../src/parties/provisioning.ts";
import { bearerHeaders, seedLender } from "../support/auth.ts";
import { askAs, askScore, codeOf, grant, revoke, type Scene, seedScene } from "../support/scene.ts";
import { worker } from "../support/worker.ts";

let scene: Scene;
let request: { retailer_id: string; purpose: string };

beforeAll(async () => {
  scene = await seedScene();
  request = { retailer_id: scene.retailer_id, purpose: "working_capital_loan" };
});

/** What a caller can see of an answer, without what differs in any two answers. */
async function visible(response: Response) {
  const headers = Object.fromEntries(response.headers);
  for (const name of ["x-request-id", "x-ratelimit-remaining", "x-ratelimit-reset"]) delete headers[name];
  const { request_id: _id, ...body } = (await response.json()) as Record<string, unknown>;
  return { status: response.status, headers, body };
}

/** Another lender with a consent of the scene's retailer. */
async function consentedLender(over: { expires_at?: string } = {}) {
  const lender = await seedLender({ score_per_minute: 1_000_000, score_per_day: 1_000_000 });
  const { consent_id } = await grant(scene.service, {
    retailer_id: scene.retailer_id,
    distributor_id: scene.distributor.distributor_id,
    lender_scope: [lender.lender_id],
    ...over,
  });
  return { lender, consent_id };
}

/** POST /v1/score straight into the application, with some of its bindings replaced. */
async function askWith(
  bindings: Partial<Record<keyof Env, unknown>>,
  lender = scene.lender,
  body = request,
): Promise<Response> {
  const init = { method: "POST", headers: await bearerHeaders(lender), body: JSON.stringify(body) };
  const changed = { ...env, ...bindings } as Env;
  return app.fetch(new Request("https://api.altscore.in/v1/score", init), changed, createExecutionContext());
}

describe("one 403 for every reason a lender may not see", () => {
  it("unknown retailer, no consent, other lender's consent, revoked and expired look the same", async () => {
    const { lender: revoked, consent_id } = await consentedLender();
    expect((await askScore(revoked, request)).status).toBe(200);
    expect((await revoke(scene.service, { consent_id })).status).toBe(200);
    const { lender: expired } = await consentedLender({ expires_at: new Date(nowMs() + 1500).toISOString() });
    expect((await askScore(expired, request)).status).toBe(200);
    const stranger = await seedLender({ score_per_minute: 1_000_000, score_per_day: 1_000_000 });
    await new Promise((resolve) => setTimeout(resolve, 1600));
    const answers = [
      await askScore(stranger, { ...request, retailer_id: newId("ret") }),
      await askScore(stranger, request),
      await askScore(revoked, request),
      await askScore(revoked, request),
      await askScore(expired, request),
      await askScore(stranger, { ...request, purpose: "credit_line" }),
    ];
    const seen = await Promise.all(answers.map(visible));
    expect(seen[0]?.body.error_code).toBe("CONSENT_NOT_GRANTED");
    for (const other of seen) {
      expect({ ...other, headers: { ...other.headers, "x-ratelimit-limit": "" } }).toEqual({
        ...seen[0],
        headers: { ...seen[0]?.headers, "x-ratelimit-limit": "" },
      });
    }
  });

  it("does not wait for the score, so that the time taken does not tell whether there is one", async () => {
    const stranger = await seedLender();
    const score = Promise.withResolvers<null>();
    const KV = {
      get: async (key: string, type: "json") =>
        key.startsWith("score:") ? score.promise : env.KV.get(key, type),
      put: async (key: string, value: string) => env.KV.put(key, value),
      delete: async (key: string) => env.KV.delete(key),
    };
    const late = new Promise((resolve) => setTimeout(resolve, 3000, "still waiting for the score"));
    const refusal = askWith({ KV }, stranger, { ...request, retailer_id: newId("ret") });
    const first = await Promise.race([refusal, late]);
    score.resolve(null);
    expect(first).toMatchObject({ status: 403 });
    expect(await codeOf(await refusal)).toBe("CONSENT_NOT_GRANTED");
  });
});

describe("after the answer to a revoke", () => {
  it("nobody gets the score, however many ask at once and however stale the caches are", async () => {
    const rounds = 40;
    let given_before = 0;
    for (let round = 0; round < rounds; round++) {
      const { lender, consent_id } = await consentedLender();
      const headers = await bearerHeaders(lender);
      const ask = () =>
        worker.fetch("https://api.altscore.in/v1/score", {
          method: "POST",
          headers,
          body: JSON.stringify(request),
        });
      given_before += Number((await ask()).status === 200);
      const stale = await env.KV.list({ prefix: "consent/" });
      const kept = await Promise.all(
        stale.keys.map(async ({ name }) => [name, await env.KV.get(name)] as const),
      );
      expect(kept.some(([, value]) => value?.includes(consent_id))).toBe(true);
      let revoked_answered = false;
      let after = 0;
      const traffic = Array.from({ length: 5 }, async () => {
        for (let i = 0; i < 6; i++) {
          const asked_after = revoked_answered;
          const response = await ask();
          if (asked_after && response.status === 200) after++;
          await response.text();
        }
      });
      expect((await revoke(scene.service, { consent_id })).status).toBe(200);
      revoked_answered = true;
      // A cache that never heard of the revocation, and a gate that lost its memory.
      await Promise.all(kept.map(([name, value]) => (value ? env.KV.put(name, value) : null)));
      await evictDurableObject(env.LENDER_GATE.get(env.LENDER_GATE.idFromName(lender.lender_id)));
      await Promise.all(traffic);
      expect((await ask()).status).toBe(403);
      expect(after).toBe(0);
    }
    expect(given_before).toBe(rounds);
  }, 60_000);

  it("no kept answer is replayed", async () => {
    const { lender, consent_id } = await consentedLender();
    const headers = { "X-Request-ID": newUuid() };
    expect((await askScore(lender, request, headers)).status).toBe(200);
    await revoke(scene.service, { consent_id });
    expect((await askScore(lender, request, headers)).status).toBe(403);
  });

  it("a new grant opens the score again, although caches still hold the old consent", async () => {
    const { lender, consent_id } = await consentedLender();
    await askScore(lender, request);
    const stale = await env.KV.list({ prefix: "consent/" });
    const kept = await Promise.all(
      stale.keys.map(async ({ name }) => [name, await env.KV.get(name)] as const),
    );
    await revoke(scene.service, { consent_id });
    const again = await grant(scene.service, {
      retailer_id: scene.retailer_id,
      distributor_id: scene.distributor.distributor_id,
      lender_scope: [lender.lender_id],
    });
    await Promise.all(kept.map(([name, value]) => (value ? env.KV.put(name, value) : null)));
    const response = await askScore(lender, request);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ consent: { consent_id: again.consent_id } });
  });
});

describe("callers", () => {
  it("without a token, with a service's token and with another's X-Client-ID are refused", async () => {
    const bare = {
      method: "POST",
      body: JSON.stringify(request),
      headers: { "Content-Type": "application/json" },
    };
    expect(await codeOf(await worker.fetch("https://api.altscore.in/v1/score", bare))).toBe("TOKEN_MISSING");
    const service = await bearerHeaders(scene.service);
    const as_service = { method: "POST", body: JSON.stringify(request), headers: service };
    expect(await codeOf(await worker.fetch("https://api.altscore.in/v1/score", as_service))).toBe(
      "SCOPE_INSUFFICIENT",
    );
    const stranger = await askScore(scene.lender, request, { "X-Client-ID": "lender_other" });
    expect(await codeOf(stranger)).toBe("TOKEN_INVALID");
    expect(stranger.headers.get("x-ratelimit-limit")).toBeNull();
  });

  it("of a revoked client are refused on the very next request", async () => {
    const { lender } = await consentedLender();
    const headers = await bearerHeaders(lender);
    const ask = () =>
      worker.fetch("https://api.altscore.in/v1/score", {
        method: "POST",
        headers,
        body: JSON.stringify(request),
      });
    expect((await ask()).status).toBe(200);
    await revokeClient(env, { client_id: lender.client_id });
    const refused = await ask();
    expect(refused.status).toBe(401);
    expect(await codeOf(refused)).toBe("TOKEN_REVOKED");
  });
});

describe("a store that fails gives 503 and no score", () => {
  const failing = (what: string) => () => {
    throw new Error(`${what} is down`);
  };
  const brokenGate = { idFromName: (name: string) => env.LENDER_GATE.idFromName(name), get: failing("gate") };
  const brokenKv = {
    get: async () => failing("KV")(),
    put: async () => failing("KV")(),
    delete: async () => failing("KV")(),
  };
  const brokenDb = {
    prepare: failing("D1"),
    batch: failing("D1"),
    withSession: failing("D1"),
    exec: failing("D1"),
  };

  it("the gate", async () => {
    const response = await askWith({ LENDER_GATE: brokenGate });
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("30");
    expect(await codeOf(response)).toBe("SERVICE_UNAVAILABLE");
  });

  it("D1, when no cache can tell", async () => {
    const { lender } = await consentedLender();
    const cold = { get: async () => null, put: async () => undefined, delete: async () => undefined };
    expect((await askWith({ DB: brokenDb, KV: cold }, lender)).status).toBe(503);
    expect((await askWith({ DB: brokenDb, KV: cold }, await seedLender())).status).toBe(503);
  });

  it("KV alone only costs time: D1 holds the truth", async () => {
    const { lender } = await consentedLender();
    expect((await askWith({ KV: brokenKv }, lender)).status).toBe(200);
  });

  it("KV and D1 together", async () => {
    const { lender } = await consentedLender();
    expect((await askWith({ KV: brokenKv, DB: brokenDb }, lender)).status).toBe(503);
    expect((await askWith({ KV: brokenKv, DB: brokenDb }, await seedLender())).status).toBe(503);
  });
});

describe("the access log", () => {
  it("holds every call with its true cause, in a chain, and nothing personal", async () => {
    const { lender } = await consentedLender();
    await askScore(lender, request);
    await askScore(lender, { ...request, retailer_id: newId("ret") });
    await askScore(lender, {});
    await askAs(lender, `/v1/retailers/lookup?gst=${scene.gstin}`);
    const gate = env.LENDER_GATE.get(env.LENDER_GATE.idFromName(lender.lender_id));
    const links = await gate.accessLog(1);
    expect(chainProblem(links)).toBeNull();
    const rows = links.map((link) => JSON.parse(link.canonical));
    expect(rows.map((row) => [row.route, row.outcome])).toEqual([
      ["score", "OK"],
      ["score", "CONSENT_NOT_GRANTED"],
      ["score", "INVALID_RETAILER_ID"],
      ["lookup", "OK"],
    ]);
    expect(rows[1].cause).toBe("no_active_consent");
    expect(rows[3].retailer_id).toBe(scene.retailer_id);
    expect(JSON.stringify(links)).not.toContain(scene.gstin);
  });
});
