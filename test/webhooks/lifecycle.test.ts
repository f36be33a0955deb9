import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { deliver } from "../../src/webhooks/deliver.ts";
import { claimAttempt, purgeDeliveries, relayDeliveries } from "../../src/webhooks/deliveries.ts";
import { RETRY_DELAYS_S } from "../../src/webhooks/retry.ts";
import type { WebhookAnswer, WebhookWithSecret } from "../../src/webhooks/schemas.ts";
import { webhookAttempts, webhookDeliveries } from "../../src/webhooks/tables.ts";
import {
  act,
  answered,
  call,
  deliveriesOf,
  forgetWebhooks,
  HOUR_MS,
  isSignedWith,
  later,
  notify,
  pump,
  seedWebhook,
  status,
  stopClock,
  useUpAttempts,
  webhookNow,
} from "./support.ts";

beforeEach(forgetWebhooks);

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("repeated failure", () => {
  it("is tried ten times over 3 days, then the delivery has failed and the webhook is paused", async () => {
    stopClock();
    const scene = await seedWebhook();
    scene.network.answer = () => status(503);
    await notify(scene);
    await useUpAttempts(scene);
    expect(scene.network.received).toHaveLength(10);
    expect(new Set(scene.network.received.map((message) => message.id)).size).toBe(1);
    const [row] = await deliveriesOf(scene);
    expect(row?.state).toBe("failed");
    expect(row?.attempts).toHaveLength(10);
    expect(await webhookNow(scene)).toMatchObject({ status: "paused", paused_reason: "failing" });
    await later(scene, 100 * HOUR_MS);
    expect(scene.network.received).toHaveLength(10);
  });

  it("pauses at the first failure 3 days after the first one, and not a moment earlier", async () => {
    stopClock();
    const scene = await seedWebhook();
    scene.network.answer = () => status(500);
    await notify(scene);
    await pump(scene.queue);
    scene.queue.messages.length = 0;
    const failing_since = (await webhookNow(scene)).failing_since;
    expect(Date.parse(failing_since ?? "")).toBe(Date.now());
    await later(scene, 72 * HOUR_MS - 1);
    expect(await webhookNow(scene)).toMatchObject({ status: "active", failing_since });
    scene.queue.messages.length = 0;
    await notify(scene);
    await later(scene, 1);
    expect(await webhookNow(scene)).toMatchObject({
      status: "paused",
      paused_reason: "failing",
      failing_since,
    });
  });

  it("is forgotten as soon as something gets through", async () => {
    stopClock();
    const scene = await seedWebhook();
    scene.network.answer = () => status(500);
    await notify(scene);
    await pump(scene.queue);
    scene.network.answer = () => status(200);
    await later(scene, 71 * HOUR_MS);
    expect((await webhookNow(scene)).failing_since).toBeNull();
    scene.network.answer = () => status(500);
    await notify(scene);
    await later(scene, 2 * HOUR_MS);
    expect((await webhookNow(scene)).status).toBe("active");
  });

  it("of one message alone pauses nothing while others get through", async () => {
    stopClock();
    const scene = await seedWebhook();
    const poison = await notify(scene);
    scene.network.answer = async (request) => status((await request.text()).includes(poison) ? 500 : 200);
    await pump(scene.queue);
    for (const delay_s of RETRY_DELAYS_S) {
      await notify(scene);
      await later(scene, delay_s * 1100 + 1000);
    }
    await notify(scene);
    await pump(scene.queue);
    expect((await webhookNow(scene)).status).toBe("active");
    const log = await deliveriesOf(scene);
    expect(log.filter((row) => row.state === "failed")).toHaveLength(1);
    expect(log.filter((row) => row.state === "delivered")).toHaveLength(10);
  });

  it("410 Gone pauses at once; after resuming the same message is sent again", async () => {
    stopClock();
    const scene = await seedWebhook();
    scene.network.answer = () => status(410);
    await notify(scene);
    await pump(scene.queue);
    expect(await webhookNow(scene)).toMatchObject({ status: "paused", paused_reason: "gone" });
    await later(scene, HOUR_MS);
    expect(scene.network.received).toHaveLength(1);
    expect((await deliveriesOf(scene))[0]).toMatchObject({ state: "pending", next_attempt_at: null });
    scene.network.answer = () => status(200);
    const resumed = await answered<WebhookAnswer>(await act(scene, "resume"));
    expect(resumed).toMatchObject({ status: "active", paused_reason: null, failing_since: null });
    await pump(scene.queue);
    const [first, second] = scene.network.received;
    expect(second?.id).toBe(first?.id);
  });
});

describe("a paused webhook", () => {
  it("gets nothing, also what was on the queue already, and on resuming everything in order", async () => {
    const scene = await seedWebhook();
    const waiting = [await notify(scene)];
    await relayDeliveries(scene.queue.bindings);
    await answered(await act(scene, "pause"));
    await pump(scene.queue);
    waiting.push(await notify(scene), await notify(scene));
    await relayDeliveries(scene.queue.bindings);
    expect(scene.queue.messages).toEqual([]);
    expect(scene.network.received).toEqual([]);
    await answered(await act(scene, "resume"));
    await pump(scene.queue);
    const got = scene.network.received.map((message) => JSON.parse(message.body).data.retailer_id);
    expect(got).toEqual(waiting);
  });
});

describe("rotation of the secret", () => {
  it("in mid-flight: until 24 hours later both secrets sign, then the new one alone", async () => {
    stopClock();
    const scene = await seedWebhook();
    const old = scene.webhook.secret;
    let rotated: WebhookWithSecret | undefined;
    scene.network.answer = async () => {
      // While the first attempt is under way.
      rotated ??= await answered<WebhookWithSecret>(await act(scene, "rotate-secret"));
      return status(500);
    };
    await notify(scene);
    await pump(scene.queue);
    const { secret } = rotated as unknown as WebhookWithSecret;
    await later(scene, 10_000);
    await later(scene, 24 * HOUR_MS - 10_001);
    await later(scene, 24 * HOUR_MS);
    const signers = scene.network.received.map((message) => [
      message.signatures.length,
      isSignedWith(old, message),
      isSignedWith(secret, message),
    ]);
    expect(signers).toEqual([
      [1, true, false],
      [2, true, true],
      [2, true, true],
      [1, false, true],
    ]);
  });

  it("twice in a day keeps the last two secrets", async () => {
    const scene = await seedWebhook();
    const second = await answered<WebhookWithSecret>(await act(scene, "rotate-secret"));
    const third = await answered<WebhookWithSecret>(await act(scene, "rotate-secret"));
    await notify(scene);
    await pump(scene.queue);
    const message = scene.network.received[0]!;
    const secrets = [scene.webhook.secret, second.secret, third.secret];
    expect(secrets.map((secret) => isSignedWith(secret, message))).toEqual([false, true, true]);
  });
});

describe("replay", () => {
  it("sends a delivered or failed one again under its id, with a whole back-off of its own", async () => {
    stopClock();
    const scene = await seedWebhook();
    scene.network.answer = () => status(500);
    await notify(scene);
    await useUpAttempts(scene);
    await answered(await act(scene, "resume"));
    const [failed] = await deliveriesOf(scene);
    const replay = `deliveries/${failed?.delivery_id}/replay`;
    expect((await act(scene, replay)).status).toBe(202);
    await pump(scene.queue);
    expect((await deliveriesOf(scene))[0]).toMatchObject({ state: "pending" });
    scene.network.answer = () => status(200);
    await later(scene, 6000);
    expect((await deliveriesOf(scene))[0]).toMatchObject({ state: "delivered" });
    expect((await act(scene, replay)).status).toBe(202);
    await pump(scene.queue);
    expect(scene.network.received).toHaveLength(13);
    expect(new Set(scene.network.received.map((message) => message.id)).size).toBe(1);
  });
});

describe("replay while the last attempt is under way", () => {
  it("is not undone when that attempt fails", async () => {
    stopClock();
    const scene = await seedWebhook();
    scene.network.answer = async () => {
      if (scene.network.received.length === 10) {
        const [row] = await deliveriesOf(scene);
        expect((await act(scene, `deliveries/${row?.delivery_id}/replay`)).status).toBe(202);
      }
      return status(scene.network.received.length === 11 ? 200 : 500);
    };
    await notify(scene);
    await useUpAttempts(scene);
    await answered(await act(scene, "resume"));
    await pump(scene.queue);
    expect(scene.network.received).toHaveLength(11);
    expect((await deliveriesOf(scene))[0]?.state).toBe("delivered");
  });
});

describe("the test message", () => {
  it("is sent at once, once, also to a paused webhook, and leaves its state alone", async () => {
    stopClock();
    const scene = await seedWebhook();
    await answered(await act(scene, "pause"));
    scene.network.answer = () => status(410);
    expect(await answered(await act(scene, "test"))).toMatchObject({
      delivered: false,
      status: 410,
      failure: "status",
    });
    expect(await webhookNow(scene)).toMatchObject({ paused_reason: "requested", failing_since: null });
    scene.network.answer = () => status(200);
    const good = await answered<{ delivery_id: string }>(await act(scene, "test"));
    expect(good).toMatchObject({ delivered: true, status: 200, failure: null });
    await answered(await act(scene, "resume"));
    await later(scene, 100 * HOUR_MS);
    expect(scene.network.received).toHaveLength(2);
    const message = scene.network.received[1]!;
    expect(JSON.parse(message.body)).toMatchObject({ notice_id: good.delivery_id, type: "webhook.test" });
    expect(isSignedWith(scene.webhook.secret, message)).toBe(true);
  });
});

describe("what is kept", () => {
  it("is no body of a request or an answer in the log, and no secret in the clear", async () => {
    const scene = await seedWebhook();
    scene.network.answer = () => new Response("internal: password hunter2", { status: 500 });
    const retailer_id = await notify(scene);
    await pump(scene.queue);
    const { DB } = scene.queue.bindings;
    const attempts = JSON.stringify(await drizzle(DB).select().from(webhookAttempts));
    expect(attempts).not.toMatch(/hunter2|ret_/);
    expect(attempts).not.toContain(retailer_id);
    const { results } = await DB.prepare("SELECT * FROM webhooks").all();
    expect(JSON.stringify(results)).not.toContain(scene.webhook.secret.slice(6));
    expect(JSON.stringify(scene.queue.messages)).not.toMatch(/ret_|cns_/);
  });

  it("is forgotten after 30 days", async () => {
    stopClock();
    const scene = await seedWebhook();
    await notify(scene);
    await pump(scene.queue);
    vi.setSystemTime(Date.now() + 30 * 24 * HOUR_MS - 1);
    await purgeDeliveries(scene.queue.bindings);
    expect(await deliveriesOf(scene)).toHaveLength(1);
    vi.setSystemTime(Date.now() + 2);
    await purgeDeliveries(scene.queue.bindings);
    expect(await deliveriesOf(scene)).toEqual([]);
    const { webhook_id } = scene.webhook;
    const attempts = drizzle(scene.queue.bindings.DB).select().from(webhookAttempts);
    expect(await attempts.where(eq(webhookAttempts.webhook_id, webhook_id))).toEqual([]);
  });
});

describe("deletion", () => {
  it("takes the deliveries along, also one that is under way", async () => {
    const scene = await seedWebhook();
    const { webhook_id } = scene.webhook;
    await notify(scene);
    await relayDeliveries(scene.queue.bindings);
    const [first] = scene.queue.messages.splice(0);
    scene.network.answer = async () => {
      expect((await call(scene.lender, "DELETE", `/v1/webhooks/${webhook_id}`)).status).toBe(204);
      return status(500);
    };
    await deliver(scene.queue.bindings, first!);
    scene.queue.messages.length = 0;
    await notify(scene);
    await pump(scene.queue);
    expect(scene.network.received).toHaveLength(1);
    const db = drizzle(scene.queue.bindings.DB);
    expect(
      await db.select().from(webhookDeliveries).where(eq(webhookDeliveries.webhook_id, webhook_id)),
    ).toEqual([]);
    expect(await claimAttempt(scene.queue.bindings, first!)).toBeNull();
  });
});
