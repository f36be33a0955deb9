import { createExecutionContext, runDurableObjectAlarm, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { app } from "../../src/app.ts";
import { AUTH_FAILURES } from "../../src/audit/rows.ts";
import { auditEventsPage } from "../../src/audit/store.ts";
import { forgetFailures } from "../../src/auth/failures.ts";
import type { Env } from "../../src/env.ts";
import { bearerHeaders, mtls, seedDistributor, seedLender, signedIngest } from "../support/auth.ts";

const log = env.AUDIT_LOG.get(env.AUDIT_LOG.idFromName(AUTH_FAILURES));

/** Sends a request and waits for what it left to be done after the answer. */
async function send(
  path: string,
  init: RequestInit<CfProperties> = {},
  bindings: Env = env,
): Promise<Response> {
  const ctx = createExecutionContext();
  const response = await app.fetch(new Request(`https://api.altscore.in${path}`, init), bindings, ctx);
  await waitOnExecutionContext(ctx);
  return response;
}

const score = (headers: Record<string, string>) => send("/v1/score", { method: "POST", headers, body: "{}" });

/** The newest failure, as D1 has it. */
async function newest() {
  await runDurableObjectAlarm(log);
  const { events } = await auditEventsPage(env, { stream: AUTH_FAILURES });
  const [event] = events;
  if (!event) throw new Error("no failure was recorded");
  const { details } = JSON.parse(event.canonical) as { details: Record<string, unknown> };
  return { outcome: event.outcome, actor: [event.actor_kind, event.actor_id], ...details };
}

beforeEach(forgetFailures);

describe("a failed authentication is recorded", () => {
  it("of a call without a token, and of one with a forged token", async () => {
    expect((await score({})).status).toBe(401);
    expect(await newest()).toMatchObject({
      outcome: "TOKEN_MISSING",
      actor: ["anonymous", null],
      route: "/v1/score",
    });
    expect((await score({ Authorization: "Bearer forged" })).status).toBe(401);
    expect(await newest()).toMatchObject({ outcome: "TOKEN_INVALID", actor: ["anonymous", null], times: 1 });
  });

  it("of a lender that asks for what it may not, by name", async () => {
    const lender = await seedLender();
    const response = await send("/v1/consent/grant", {
      method: "POST",
      headers: await bearerHeaders(lender),
      body: "{}",
    });
    expect(response.status).toBe(403);
    expect(await newest()).toMatchObject({
      outcome: "SCOPE_INSUFFICIENT",
      actor: ["lender", lender.lender_id],
    });
  });

  it("of a wrong secret at the token endpoint: by name if there is such a client, else without what was sent", async () => {
    const { client_id, lender_id } = await seedLender();
    const token = (id: string) =>
      send("/v1/auth/token", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ client_id: id, client_secret: "wrong" }),
      });
    expect((await token(client_id)).status).toBe(401);
    expect(await newest()).toMatchObject({
      outcome: "INVALID_CLIENT",
      actor: ["lender", lender_id],
      cause: "secret_wrong",
    });
    expect((await token("9876543210")).status).toBe(401);
    expect(await newest()).toMatchObject({
      outcome: "INVALID_CLIENT",
      actor: ["anonymous", null],
      cause: "client_unknown",
    });
    const rows = await log.rows(0);
    expect(JSON.stringify(rows)).not.toContain("9876543210");
  });

  it("of certificate, API key and signature, each with its cause", async () => {
    const distributor = await seedDistributor();
    const batch = await signedIngest(distributor, {});
    const post = (over: RequestInit<CfProperties>) => send("/v1/ingest/batch", { ...batch, ...over });
    const headers = batch.headers as Record<string, string>;
    const party = ["distributor", distributor.distributor_id];

    expect((await send("/v1/ingest/batch", { method: "POST", headers, body: "{}" })).status).toBe(401);
    expect(await newest()).toMatchObject({ outcome: "CERTIFICATE_INVALID", actor: ["anonymous", null] });
    expect((await post({ headers: { ...headers, "X-API-Key": "wrong" } })).status).toBe(401);
    expect(await newest()).toMatchObject({
      outcome: "API_KEY_INVALID",
      actor: party,
      cause: "key_not_active",
    });
    expect((await post({ headers: { ...headers, "X-Payload-Signature": "0".repeat(64) } })).status).toBe(401);
    expect(await newest()).toMatchObject({
      outcome: "SIGNATURE_INVALID",
      actor: party,
      cause: "signature_mismatch",
    });
    const { cf } = mtls(distributor);
    expect(
      (
        await post({
          cf: cf as CfProperties,
          headers: { ...headers, "X-Client-ID": "dist_0000000000000000" },
        })
      ).status,
    ).toBe(403);
    expect(await newest()).toMatchObject({ outcome: "DISTRIBUTOR_MISMATCH", actor: party });
  });
});

describe("a flood of failures", () => {
  it("costs one call to the audit log and one row", async () => {
    const before = (await log.rows(0)).length;
    let calls = 0;
    const AUDIT_LOG = {
      idFromName: (name: string) => env.AUDIT_LOG.idFromName(name),
      get: (id: DurableObjectId) => {
        calls++;
        return env.AUDIT_LOG.get(id);
      },
    };
    const counting = { ...env, AUDIT_LOG } as unknown as Env;
    for (let index = 0; index < 300; index++) {
      await send("/v1/ingest/batch/bat_0000000000000000/status", {}, counting);
    }
    expect(calls).toBe(1);
    expect((await log.rows(0)).length).toBe(before + 1);
  });

  it("gets its answers though the audit log is down, and is told when that is back", async () => {
    const AUDIT_LOG = {
      idFromName: () => "",
      get: () => ({ appendRepeated: () => Promise.reject(new Error("down")) }),
    };
    const broken = { ...env, AUDIT_LOG } as unknown as Env;
    const path = "/v1/score/ret_0000000000000000/history";
    expect((await send(path, {}, broken)).status).toBe(401);
    expect((await send(path)).status).toBe(401);
    expect(await newest()).toMatchObject({
      outcome: "TOKEN_MISSING",
      route: "/v1/score/{retailer_id}/history",
    });
  });
});
