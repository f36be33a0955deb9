import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { deliver } from "../../src/webhooks/deliver.ts";
import { claimAttempt, relayDeliveries } from "../../src/webhooks/deliveries.ts";
import type { WebhookWithSecret } from "../../src/webhooks/schemas.ts";
import {
  answered,
  call,
  deliveriesOf,
  forgetWebhooks,
  isSignedWith,
  later,
  MINUTE_MS,
  notify,
  pump,
  seedWebhook,
  status,
  stopClock,
  URL_A,
} from "./support.ts";

beforeEach(forgetWebhooks);

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("a delivery", () => {
  it("posts the notice as the feed shows it, signed, once", async () => {
    const scene = await seedWebhook();
    const retailer_id = await notify(scene);
    await pump(scene.queue);
    await pump(scene.queue);
    const [message, ...more] = scene.network.received;
    expect(more).toEqual([]);
    expect(message?.url).toBe(URL_A);
    const body = JSON.parse(message?.body ?? "");
    expect(body).toEqual({
      notice_id: message?.id,
      type: "consent.revoked",
      timestamp: expect.stringMatching(/Z$/),
      data: { retailer_id, consent_id: expect.stringMatching(/^cns_/) },
    });
    expect(message && isSignedWith(scene.webhook.secret, message)).toBe(true);
    expect(Math.abs((message?.timestamp_s ?? 0) * 1000 - Date.now())).toBeLessThan(10_000);
    expect(await deliveriesOf(scene)).toMatchObject([
      {
        delivery_id: message?.id,
        state: "delivered",
        next_attempt_at: null,
        attempts: [{ attempt: 1, status: 204, failure: null, duration_ms: expect.any(Number) }],
      },
    ]);
  });

  it("goes to every webhook of the lender under one id, each with its own secret", async () => {
    const scene = await seedWebhook();
    const second = await answered<WebhookWithSecret>(
      await call(scene.lender, "POST", "/v1/webhooks", { url: `${URL_A}/2` }),
      201,
    );
    await notify(scene);
    await pump(scene.queue);
    const [a, b] = [URL_A, `${URL_A}/2`].map((url) => scene.network.received.find((got) => got.url === url));
    expect(a?.id).toBe(b?.id);
    expect(a && isSignedWith(scene.webhook.secret, a)).toBe(true);
    expect(b && isSignedWith(second.secret, b)).toBe(true);
    expect(b && isSignedWith(scene.webhook.secret, b)).toBe(false);
  });

  it("makes one attempt however often the queue brings its message, at once or later", async () => {
    const scene = await seedWebhook();
    scene.network.answer = () => status(500);
    await notify(scene);
    await relayDeliveries(scene.queue.bindings);
    const message = scene.queue.messages[0]!;
    await Promise.all(Array.from({ length: 10 }, () => deliver(scene.queue.bindings, message)));
    expect(await deliver(scene.queue.bindings, message)).toBeNull();
    expect(scene.network.received).toHaveLength(1);
  });

  it("is put on the queue once by two relays at the same time, and again if the queue lost it", async () => {
    stopClock();
    const scene = await seedWebhook();
    await notify(scene);
    await Promise.all([relayDeliveries(scene.queue.bindings), relayDeliveries(scene.queue.bindings)]);
    expect(scene.queue.messages).toHaveLength(1);
    scene.queue.messages.length = 0;
    await later(scene, 4 * MINUTE_MS);
    expect(scene.network.received).toHaveLength(0);
    await later(scene, 2 * MINUTE_MS);
    expect(scene.network.received).toHaveLength(1);
  });

  it("survives an isolate that dies after the POST: sent again under the same webhook-id", async () => {
    stopClock();
    const scene = await seedWebhook();
    await notify(scene);
    await relayDeliveries(scene.queue.bindings);
    const [message] = scene.queue.messages.splice(0);
    scene.network.answer = () => {
      // The settling after this answer finds D1 gone, as if the isolate had ended here.
      scene.queue.bindings.DB = new Proxy(scene.queue.bindings.DB, {
        get: () => () => {
          throw new Error("isolate ended");
        },
      });
      return status(204);
    };
    const { DB } = scene.queue.bindings;
    await expect(deliver(scene.queue.bindings, message!)).rejects.toThrow("isolate ended");
    scene.queue.bindings.DB = DB;
    scene.network.answer = () => status(204);
    // The queue brings the unacknowledged message again: that attempt was begun, so nothing is sent.
    expect(await deliver(scene.queue.bindings, message!)).toBeNull();
    await later(scene, MINUTE_MS + 1);
    const [first, second] = scene.network.received;
    expect(scene.network.received).toHaveLength(2);
    expect([second?.id, second?.body]).toEqual([first?.id, first?.body]);
    const [row] = await deliveriesOf(scene);
    expect(row?.state).toBe("delivered");
    expect(row?.attempts).toMatchObject([
      { attempt: 1, status: null, failure: null, duration_ms: null },
      { attempt: 2, status: 204, failure: null },
    ]);
  });

  it("that is interrupted every time ends after ten attempts like any other", async () => {
    stopClock();
    const scene = await seedWebhook();
    await notify(scene);
    for (let n = 0; n < 12; n++) {
      await relayDeliveries(scene.queue.bindings);
      for (const message of scene.queue.messages.splice(0)) await claimAttempt(scene.queue.bindings, message);
      vi.setSystemTime(Date.now() + MINUTE_MS + 1);
    }
    const [row] = await deliveriesOf(scene);
    expect([row?.state, row?.attempts.length]).toEqual(["failed", 10]);
  });

  it("that got through late is not sent again, though the next attempt is on the queue", async () => {
    stopClock();
    const scene = await seedWebhook();
    scene.network.answer = async () => {
      vi.setSystemTime(Date.now() + MINUTE_MS + 1);
      await relayDeliveries(scene.queue.bindings);
      return status(204);
    };
    await notify(scene);
    await pump(scene.queue);
    expect(scene.queue.messages).toMatchObject([{ attempt: 2 }]);
    await pump(scene.queue);
    expect(scene.network.received).toHaveLength(1);
    expect((await deliveriesOf(scene))[0]?.state).toBe("delivered");
  });

  it("that fails late leaves the back-off of the next attempt alone", async () => {
    stopClock();
    const scene = await seedWebhook();
    scene.network.answer = async () => {
      if (scene.network.received.length === 1) await later(scene, MINUTE_MS + 1);
      return status(500);
    };
    await notify(scene);
    await pump(scene.queue);
    const [row] = await deliveriesOf(scene);
    expect(row?.attempts).toMatchObject([{ status: 500 }, { status: 500 }]);
    expect(Date.parse(row?.next_attempt_at ?? "") - Date.now()).toBeGreaterThanOrEqual(5 * MINUTE_MS);
  });

  it("that fails comes after newer ones: the order is the feed's, each message carries its own time", async () => {
    stopClock();
    const scene = await seedWebhook();
    scene.network.answer = () => status(scene.network.received.length === 1 ? 500 : 204);
    const early = await notify(scene);
    await pump(scene.queue);
    scene.queue.messages.length = 0;
    vi.setSystemTime(Date.now() + 1000);
    const late = await notify(scene);
    await pump(scene.queue);
    await later(scene, MINUTE_MS);
    const bodies = scene.network.received.map((message) => JSON.parse(message.body));
    expect(bodies.map((body) => body.data.retailer_id)).toEqual([early, late, early]);
    expect(bodies[2].timestamp < bodies[1].timestamp).toBe(true);
  });
});

describe("a receiver", () => {
  it.each([
    ["that is down", () => Promise.reject(new TypeError("connection refused")), null, "network"],
    ["that answers 500", () => status(500), 500, "status"],
    ["that answers 404", () => status(404), 404, "status"],
    [
      "that redirects to a metadata service",
      () => status(302, { location: "http://169.254.169.254/latest/" }),
      302,
      "redirect",
    ],
    ["that redirects to itself", () => status(308, { location: URL_A }), 308, "redirect"],
  ] as const)(
    "%s fails the attempt, and the next one comes after 5 seconds",
    async (_what, answer, code, failure) => {
      stopClock();
      const scene = await seedWebhook();
      scene.network.answer = answer as () => Response;
      await notify(scene);
      await pump(scene.queue);
      // A redirect is not even followed by fetch.
      expect(scene.network.received).toMatchObject([{ url: URL_A, redirect: "manual" }]);
      expect(await deliveriesOf(scene)).toMatchObject([
        { state: "pending", attempts: [{ attempt: 1, status: code, failure }] },
      ]);
      expect(scene.queue.messages).toMatchObject([{ attempt: 2 }]);
      expect([5, 6]).toContain(scene.queue.delays_s.at(-1));
      scene.network.answer = () => status(200);
      await later(scene, 6000);
      expect((await deliveriesOf(scene))[0]?.state).toBe("delivered");
      expect(scene.network.received).toHaveLength(2);
    },
  );

  it("that is slow is given up after 10 seconds", async () => {
    const scene = await seedWebhook();
    const limits_ms: number[] = [];
    vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => {
      limits_ms.push(ms);
      const controller = new AbortController();
      if (ms === 10_000) setTimeout(() => controller.abort(new DOMException("too slow", "TimeoutError")), 20);
      return controller.signal;
    });
    scene.network.answer = (request) =>
      new Promise((_resolve, reject) => {
        request.signal.addEventListener("abort", () => reject(request.signal.reason));
      });
    await notify(scene);
    await pump(scene.queue);
    expect(limits_ms).toContain(10_000);
    expect(await deliveriesOf(scene)).toMatchObject([{ attempts: [{ status: null, failure: "timeout" }] }]);
  });

  it("that answers without end is not read", async () => {
    const scene = await seedWebhook();
    let cancelled = false;
    scene.network.answer = () =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
          cancel: () => {
            cancelled = true;
          },
        }),
      );
    await notify(scene);
    await pump(scene.queue);
    expect(cancelled).toBe(true);
    expect((await deliveriesOf(scene))[0]?.state).toBe("delivered");
  });

  it("whose name has come to point inside is not called", async () => {
    const scene = await seedWebhook();
    for (const [address, failure] of [
      ["10.0.0.7", "target_refused"],
      ["169.254.169.254", "target_refused"],
    ] as const) {
      scene.network.dns.set(new URL(URL_A).hostname, [address]);
      await notify(scene);
      await pump(scene.queue);
      expect((await deliveriesOf(scene))[0]?.attempts).toMatchObject([{ status: null, failure }]);
      scene.queue.messages.length = 0;
    }
    scene.network.dns_status = 2;
    await notify(scene);
    await pump(scene.queue);
    expect((await deliveriesOf(scene))[0]?.attempts).toMatchObject([{ failure: "name_lookup" }]);
    expect(scene.network.received).toEqual([]);
  });
});
