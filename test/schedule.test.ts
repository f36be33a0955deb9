import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { Env } from "../src/env.ts";
import { newEvent } from "../src/events/envelope.ts";
import { writeEvents } from "../src/events/outbox.ts";
import type { ScoringMessage } from "../src/pipeline/types.ts";
import { runSchedule } from "../src/schedule.ts";
import { seedScene } from "./support/scene.ts";

const NIGHTLY = "35 18 * * *";
const EVERY_MINUTE = "* * * * *";

/** The real environment with a scoring queue that keeps what it is sent. */
function withScoringQueue() {
  const sent: ScoringMessage[] = [];
  const SCORING = {
    sendBatch: async (messages: Iterable<{ body: ScoringMessage }>) => {
      sent.push(...[...messages].map((message) => message.body));
    },
  };
  return { scoring_env: { ...env, SCORING } as unknown as Env, sent };
}

describe("the nightly schedule", () => {
  it("puts every consented retailer on the scoring queue once, and nobody else", async () => {
    const [first, second] = [await seedScene(), await seedScene()];
    const { scoring_env, sent } = withScoringQueue();
    await runSchedule(NIGHTLY, scoring_env);
    const retailer_ids = sent.flatMap((message) => message.retailer_ids);
    expect(retailer_ids.sort()).toEqual([first.retailer_id, second.retailer_id].sort());
    expect(sent.every((message) => message.batch === null)).toBe(true);
  });
});

describe("a schedule", () => {
  it("fails aloud when a job fails, so that the platform shows it", async () => {
    const retailer_id = "ret_0123456789abcdef";
    await writeEvents(env, [newEvent("score.blocked", retailer_id, { retailer_id, cause: "no_consent" })]);
    const EVENTS = { sendBatch: () => Promise.reject(new Error("queue is down")) };
    const broken = { ...env, EVENTS } as unknown as Env;
    await expect(runSchedule(EVERY_MINUTE, broken)).rejects.toThrow("1 job(s) failed");
  });

  it("knows every cron of wrangler.toml", async () => {
    const { default: toml } = await import("../wrangler.toml?raw");
    const crons = [...(/crons = \[(.*)\]/.exec(toml)?.[1] ?? "").matchAll(/"([^"]+)"/g)].map(
      (match) => match[1],
    );
    expect(crons).toHaveLength(4);
    for (const cron of crons) {
      await expect(runSchedule(cron as string, env)).resolves.toBeUndefined();
    }
    await expect(runSchedule("1 1 1 1 1", env)).rejects.toThrow("no job");
  });
});
