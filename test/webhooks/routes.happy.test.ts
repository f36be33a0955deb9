import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { DeliveriesAnswer, WebhookAnswer, WebhookWithSecret } from "../../src/webhooks/schemas.ts";
import { seedLender } from "../support/auth.ts";
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

describe("POST /v1/webhooks", () => {
  it("registers a webhook and shows its secret, this once", async () => {
    const { lender, webhook } = await seedWebhook();
    const { secret, ...shown } = webhook;
    expect(shown).toEqual({
      webhook_id: expect.stringMatching(/^whk_[0-9a-f]{16}$/),
      url: URL_A,
      status: "active",
      paused_reason: null,
      failing_since: null,
      previous_secret_until: null,
      created_at: expect.stringMatching(/Z$/),
    });
    expect(secret).toMatch(/^whsec_/);
    const list = await answered<{ data: WebhookAnswer[] }>(await call(lender, "GET", "/v1/webhooks"));
    expect(list).toEqual({ data: [shown] });
  });

  it("takes five per lender, listed oldest first", async () => {
    fakeNetwork();
    const lender = await seedLender();
    const urls = [1, 2, 3, 4, 5].map((n) => `${URL_A}/${n}`);
    for (const url of urls) await answered(await call(lender, "POST", "/v1/webhooks", { url }), 201);
    const { data } = await answered<{ data: WebhookAnswer[] }>(await call(lender, "GET", "/v1/webhooks"));
    expect(data.map((row) => row.url).sort()).toEqual(urls);
    const times = data.map((row) => row.created_at);
    expect(times).toEqual([...times].sort());
  });
});

describe("the actions of a webhook", () => {
  it("pause, resume and rotate answer the webhook as it is then", async () => {
    const scene = await seedWebhook();
    const paused = await answered<WebhookAnswer>(await act(scene, "pause"));
    expect(paused).toMatchObject({ status: "paused", paused_reason: "requested" });
    expect(await webhookNow(scene)).toEqual(paused);
    const resumed = await answered<WebhookAnswer>(await act(scene, "resume"));
    expect(resumed).toMatchObject({ status: "active", paused_reason: null });
    const { secret, ...rotated } = await answered<WebhookWithSecret>(await act(scene, "rotate-secret"));
    expect(secret).not.toBe(scene.webhook.secret);
    const overlap_ms = Date.parse(rotated.previous_secret_until ?? "") - Date.now();
    expect(Math.abs(overlap_ms - 86_400_000)).toBeLessThan(10_000);
    expect(await webhookNow(scene)).toEqual(rotated);
  });

  it("delete answers 204 and the webhook is gone", async () => {
    const { lender, webhook } = await seedWebhook();
    const response = await call(lender, "DELETE", `/v1/webhooks/${webhook.webhook_id}`);
    expect([response.status, await response.text()]).toEqual([204, ""]);
    expect(await answered(await call(lender, "GET", "/v1/webhooks"))).toEqual({ data: [] });
  });
});

describe("GET /v1/webhooks/{webhook_id}/deliveries", () => {
  it("gives every delivery once, newest first, whatever the size of the pages", async () => {
    const scene = await seedWebhook();
    for (let n = 0; n < 7; n++) await notify(scene);
    await pump(scene.queue);
    const all = (await deliveriesOf(scene)).map((row) => row.delivery_id);
    expect(all).toEqual(scene.network.received.map((message) => message.id).reverse());
    for (const limit of [1, 3, 7]) {
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const query: string = `limit=${limit}${cursor ? `&cursor=${cursor}` : ""}`;
        const path = `/v1/webhooks/${scene.webhook.webhook_id}/deliveries?${query}`;
        const page: DeliveriesAnswer = await answered(await call(scene.lender, "GET", path));
        expect(page.data.length).toBeLessThanOrEqual(limit);
        seen.push(...page.data.map((row) => row.delivery_id));
        cursor = page.next_cursor;
      } while (cursor !== null);
      expect(seen).toEqual(all);
    }
  });

  it("says when what waits will be tried", async () => {
    const scene = await seedWebhook();
    await notify(scene);
    const [row] = await deliveriesOf(scene);
    expect(row).toMatchObject({ state: "pending", attempts: [] });
    expect(Math.abs(Date.parse(row?.next_attempt_at ?? "") - Date.now())).toBeLessThan(10_000);
  });
});
