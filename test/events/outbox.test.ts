import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Env } from "../../src/env.ts";
import { newEvent } from "../../src/events/envelope.ts";
import {
  alreadyHandled,
  eventHandled,
  purgeHandledEvents,
  relayOutbox,
  writeEvents,
} from "../../src/events/outbox.ts";
import { outbox } from "../../src/events/tables.ts";
import type { EventEnvelope } from "../../src/events/types.ts";

const START_MS = Date.parse("2026-11-20T06:00:00Z");

/** The real environment with a queue that keeps what it is sent, or fails. */
function withQueue(failing = false) {
  const sent: EventEnvelope[] = [];
  const EVENTS = {
    sendBatch: async (messages: Iterable<{ body: EventEnvelope }>) => {
      if (failing) throw new Error("queue is down");
      sent.push(...[...messages].map((message) => message.body));
    },
  };
  return { queue_env: { ...env, EVENTS } as unknown as Env, sent };
}

const event = () =>
  newEvent("score.blocked", "ret_0123456789abcdef", {
    retailer_id: "ret_0123456789abcdef",
    cause: "no_consent",
  });
const rows = () => drizzle(env.DB).select().from(outbox).all();

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: START_MS });
  await drizzle(env.DB).delete(outbox);
});
afterEach(() => {
  vi.useRealTimers();
});

describe("the outbox", () => {
  it("sends an event and keeps it until it was handled", async () => {
    const { queue_env, sent } = withQueue();
    const envelope = event();
    await writeEvents(queue_env, [envelope]);
    expect(await relayOutbox(queue_env)).toBe(1);
    expect(sent).toEqual([envelope]);
    expect(await rows()).toHaveLength(1);
    await eventHandled(queue_env, "test", envelope.id);
    expect(await rows()).toHaveLength(0);
    expect(await alreadyHandled(queue_env, "test", envelope.id)).toBe(true);
    expect(await alreadyHandled(queue_env, "other", envelope.id)).toBe(false);
  });

  it("sends an event that was not handled again when its lease has run out, each time later", async () => {
    const { queue_env, sent } = withQueue();
    await writeEvents(queue_env, [event()]);
    await relayOutbox(queue_env);
    vi.setSystemTime(START_MS + 19_999);
    expect(await relayOutbox(queue_env)).toBe(0);
    vi.setSystemTime(START_MS + 20_000);
    expect(await relayOutbox(queue_env)).toBe(1);
    vi.setSystemTime(START_MS + 59_999);
    expect(await relayOutbox(queue_env)).toBe(0);
    vi.setSystemTime(START_MS + 60_000);
    expect(await relayOutbox(queue_env)).toBe(1);
    expect(sent).toHaveLength(3);
    expect(new Set(sent.map((envelope) => envelope.id)).size).toBe(1);
  });

  it("loses nothing when the queue is down", async () => {
    const down = withQueue(true);
    await writeEvents(down.queue_env, [event()]);
    await expect(relayOutbox(down.queue_env)).rejects.toThrow("queue is down");
    const up = withQueue();
    expect(await relayOutbox(up.queue_env)).toBe(1);
  });

  it("forgets handled events after 30 days", async () => {
    const { queue_env } = withQueue();
    const envelope = event();
    await eventHandled(queue_env, "test", envelope.id);
    vi.setSystemTime(START_MS + 31 * 86_400_000);
    await purgeHandledEvents(queue_env);
    expect(await alreadyHandled(queue_env, "test", envelope.id)).toBe(false);
  });
});
