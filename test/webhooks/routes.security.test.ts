import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { issueToken } from "../../src/auth/tokens.ts";
import { revokeClient } from "../../src/parties/provisioning.ts";
import { webhookRouter } from "../../src/webhooks/routes.ts";
import { appWith, callApp } from "../support/app.ts";
import { seedLender, seedService } from "../support/auth.ts";
import { codeOf } from "../support/scene.ts";
import {
  act,
  answered,
  call,
  deliveriesOf,
  fakeNetwork,
  forgetWebhooks,
  notify,
  pump,
  seedWebhook,
  URL_A,
  webhookNow,
} from "./support.ts";

beforeEach(forgetWebhooks);
afterEach(() => vi.restoreAllMocks());

const ROUTES = [
  ["POST", "/v1/webhooks"],
  ["GET", "/v1/webhooks"],
  ["DELETE", "/v1/webhooks/whk_0123456789abcdef"],
  ["POST", "/v1/webhooks/whk_0123456789abcdef/rotate-secret"],
  ["POST", "/v1/webhooks/whk_0123456789abcdef/pause"],
  ["POST", "/v1/webhooks/whk_0123456789abcdef/resume"],
  ["POST", "/v1/webhooks/whk_0123456789abcdef/test"],
  ["GET", "/v1/webhooks/whk_0123456789abcdef/deliveries"],
  ["POST", "/v1/webhooks/whk_0123456789abcdef/deliveries/ntc_0123456789abcdef/replay"],
] as const;

describe.each(ROUTES)("%s %s", (method, path) => {
  it("is closed without a token, to services, to a smaller scope and to a revoked client", async () => {
    const app = appWith(webhookRouter);
    const anonymous = await callApp(app, path, { method });
    expect([anonymous.status, await codeOf(anonymous)]).toEqual([401, "TOKEN_MISSING"]);

    const service = await call(await seedService("consent:read consent:write"), method, path);
    expect([service.status, await codeOf(service)]).toEqual([403, "SCOPE_INSUFFICIENT"]);

    const { lender_id, client_id } = await seedLender();
    const token = await issueToken(env, { subject: lender_id, client_id, scope: "score:read" });
    const headers = { Authorization: `Bearer ${token}`, "X-Client-ID": lender_id };
    const small = await callApp(app, path, { method, headers });
    expect([small.status, await codeOf(small)]).toEqual([403, "SCOPE_INSUFFICIENT"]);
    expect(small.headers.get("WWW-Authenticate")).toContain('scope="webhook:write"');

    const gone = await seedLender();
    await revokeClient(env, { client_id: gone.client_id });
    const revoked = await call(gone, method, path);
    expect([revoked.status, await codeOf(revoked)]).toEqual([401, "TOKEN_REVOKED"]);
  });
});

describe("another lender's webhook", () => {
  it("is as unknown as none, in every action, and stays as it is", async () => {
    const scene = await seedWebhook();
    await notify(scene);
    await pump(scene.queue);
    const [before, log] = [await webhookNow(scene), await deliveriesOf(scene)];
    const stranger = { ...scene, lender: await seedLender() };
    const replay = `deliveries/${log[0]?.delivery_id}/replay`;
    for (const action of ["rotate-secret", "pause", "resume", "test", replay]) {
      const response = await act(stranger, action);
      expect([response.status, await codeOf(response)], action).toEqual([404, "NOT_FOUND"]);
    }
    const path = `/v1/webhooks/${scene.webhook.webhook_id}`;
    expect((await call(stranger.lender, "GET", `${path}/deliveries`)).status).toBe(404);
    expect((await call(stranger.lender, "DELETE", path)).status).toBe(404);
    expect(await answered(await call(stranger.lender, "GET", "/v1/webhooks"))).toEqual({ data: [] });
    await pump(scene.queue);
    expect(scene.network.received).toHaveLength(1);
    expect([await webhookNow(scene), await deliveriesOf(scene)]).toEqual([before, log]);
  });

  it("does not answer with its deliveries by their cursor or id", async () => {
    const scene = await seedWebhook();
    await notify(scene);
    const [row] = await deliveriesOf(scene);
    const other = await seedWebhook(`${URL_A}/other`);
    const path = `/v1/webhooks/${other.webhook.webhook_id}/deliveries`;
    const page = await call(other.lender, "GET", `${path}?cursor=${row?.delivery_id}`);
    expect([page.status, await codeOf(page)]).toEqual([400, "INVALID_REQUEST"]);
    expect((await act(other, `deliveries/${row?.delivery_id}/replay`)).status).toBe(404);
  });

  it("gets nothing of a notice to somebody else", async () => {
    const scene = await seedWebhook();
    await notify({ lender: await seedLender(), queue: scene.queue });
    await pump(scene.queue);
    expect(scene.network.received).toEqual([]);
    expect(await deliveriesOf(scene)).toEqual([]);
  });
});

describe("a target", () => {
  it("is not contacted by registering, whatever the URL, but by its name's look-up", async () => {
    const network = fakeNetwork();
    const lender = await seedLender();
    for (const url of [URL_A, "https://127.0.0.1/", "https://169.254.169.254/"]) {
      await call(lender, "POST", "/v1/webhooks", { url });
    }
    expect(network.received).toEqual([]);
  });
});
