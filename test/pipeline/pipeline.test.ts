import {
  createExecutionContext,
  createMessageBatch,
  getQueueResult,
  waitOnExecutionContext,
} from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { describe, expect, it, vi } from "vitest";
import type { Env } from "../../src/env.ts";
import { newEvent } from "../../src/events/envelope.ts";
import { deadLetters, outbox } from "../../src/events/tables.ts";
import type { EventEnvelope } from "../../src/events/types.ts";
import { newUuid } from "../../src/lib/seams.ts";
import { handleEvent, handleScoring } from "../../src/pipeline/consumers.ts";
import { replayScore } from "../../src/pipeline/replay.ts";
import { scoreRetailers } from "../../src/pipeline/score-retailer.ts";
import { consumeQueue } from "../../src/queues.ts";
import { storeScores } from "../../src/score/store.ts";
import { latestScores, scores } from "../../src/score/tables.ts";
import { madeUpGstin } from "../../src/synthetic/gstin.ts";
import { mtls, seedDistributor, seedLender, seedService } from "../support/auth.ts";
import { askScore, grant, ingest, ledgerBody, REGULAR, retailerOf, seedScene } from "../support/scene.ts";

const worker = exports.default;
const db = drizzle(env.DB);
const scoresOf = (retailer_id: string) =>
  db.select().from(scores).where(eq(scores.retailer_id, retailer_id)).all();

describe("the pipeline", () => {
  it("carries a batch from the door to a lender's answer through the real queues", async () => {
    const lender = await seedLender();
    const service = await seedService();
    const distributor = await seedDistributor();
    const gstin = madeUpGstin(newUuid());
    const accepted = await ingest(distributor, ledgerBody(distributor.distributor_id, gstin));
    const { batch_id } = (await accepted.json()) as { batch_id: string };
    const retailer_id = await retailerOf(gstin);
    await grant(service, {
      retailer_id,
      distributor_id: distributor.distributor_id,
      lender_scope: [lender.lender_id],
    });
    await vi.waitFor(
      async () => {
        const url = `https://api.altscore.in/v1/ingest/batch/${batch_id}/status`;
        const status = (await (await worker.fetch(url, mtls(distributor))).json()) as { status: string };
        expect(status).toMatchObject({ status: "complete", pipeline_triggered: true });
        expect((await askScore(lender, { retailer_id, purpose: "term_loan" })).status).toBe(200);
      },
      { timeout: 15_000, interval: 250 },
    );
  });

  it("computes nothing without a consent, and says so in an event", async () => {
    const distributor = await seedDistributor();
    const gstin = madeUpGstin(newUuid());
    await ingest(distributor, ledgerBody(distributor.distributor_id, gstin));
    const retailer_id = await retailerOf(gstin);
    await scoreRetailers(env, [retailer_id]);
    expect(await scoresOf(retailer_id)).toHaveLength(0);
    const events = (await db.select().from(outbox)).map((row) => JSON.parse(row.envelope) as EventEnvelope);
    expect(events).toContainEqual(
      expect.objectContaining({
        type: "score.blocked",
        subject: retailer_id,
        data: { retailer_id, cause: "no_consent" },
      }),
    );
  });

  it("stores one score however often the work is delivered", async () => {
    const { retailer_id } = await seedScene();
    const message = { batch: null, retailer_ids: [retailer_id] };
    for (let i = 0; i < 3; i++) await handleScoring(env, message);
    await Promise.all([handleScoring(env, message), handleScoring(env, message)]);
    expect(await scoresOf(retailer_id)).toHaveLength(1);
  });

  it("handles an event that comes twice once, and takes it out of the outbox", async () => {
    const { retailer_id, lender, consent_id } = await seedScene();
    const event = newEvent("consent.granted", retailer_id, {
      retailer_id,
      consent_ids: [consent_id],
      lender_ids: [lender.lender_id],
    });
    await handleEvent(env, event);
    await handleEvent(env, event);
    expect(await scoresOf(retailer_id)).toHaveLength(1);
    expect(await db.select().from(outbox).where(eq(outbox.event_id, event.id))).toHaveLength(0);
  });

  it("never lets an older computation replace a newer score", async () => {
    const scene = await seedScene();
    const [first] = await scoresOf(scene.retailer_id);
    const late = { ...REGULAR, delays_days: [40, 60, 90] };
    await ingest(scene.distributor, ledgerBody(scene.distributor.distributor_id, scene.gstin, late));
    await scoreRetailers(env, [scene.retailer_id]);
    const newest = (await scoresOf(scene.retailer_id)).find((score) => score.score_id !== first?.score_id);
    await storeScores(env, [{ ...first!, score_id: "scr_00000000000000ff", input_hash: "f".repeat(64) }]);
    const latest = await db
      .select()
      .from(latestScores)
      .where(eq(latestScores.retailer_id, scene.retailer_id))
      .get();
    expect(latest?.score_id).toBe(newest?.score_id);
    expect(newest?.altscore).toBeLessThan(first?.altscore ?? 0);
  });

  it("gives the stored card again, to the bit, when a score is replayed", async () => {
    const { retailer_id } = await seedScene();
    const [score] = await scoresOf(retailer_id);
    expect(await replayScore(env, score?.score_id ?? "")).toEqual({ identical: true, problems: [] });
  });

  it("sees a stored score that was changed", async () => {
    const { retailer_id } = await seedScene();
    const [score] = await scoresOf(retailer_id);
    const card = (score?.scorecard ?? "").replace(/"altscore":\d+/, '"altscore":899');
    await db.update(scores).set({ scorecard: card }).where(eq(scores.retailer_id, retailer_id));
    expect(await replayScore(env, score?.score_id ?? "")).toMatchObject({ identical: false });
  });

  it("scores what came before the consent as soon as the consent is there", async () => {
    const lender = await seedLender();
    const service = await seedService();
    const distributor = await seedDistributor();
    const gstin = madeUpGstin(newUuid());
    await ingest(distributor, ledgerBody(distributor.distributor_id, gstin));
    const retailer_id = await retailerOf(gstin);
    await grant(service, {
      retailer_id,
      distributor_id: distributor.distributor_id,
      lender_scope: [lender.lender_id],
    });
    await vi.waitFor(
      async () => expect((await askScore(lender, { retailer_id, purpose: "term_loan" })).status).toBe(200),
      { timeout: 10_000, interval: 250 },
    );
  });
});

describe("a queue consumer", () => {
  it("retries the message that failed and acknowledges the others", async () => {
    const { retailer_id } = await seedScene();
    const good = { batch: null, retailer_ids: [retailer_id] };
    const bad = null;
    const batch = createMessageBatch("altscore-scoring", [
      { id: "bad", timestamp: new Date(), attempts: 1, body: bad },
      { id: "good", timestamp: new Date(), attempts: 1, body: good },
    ]);
    const ctx = createExecutionContext();
    await consumeQueue(batch, env, ctx);
    await waitOnExecutionContext(ctx);
    const result = await getQueueResult(batch, ctx);
    expect(result.explicitAcks).toEqual(["good"]);
    expect(result.retryMessages).toEqual([{ msgId: "bad" }]);
  });

  it("keeps a dead letter once, for a person to look at", async () => {
    const message = {
      id: "dead-1",
      timestamp: new Date(),
      attempts: 6,
      body: { batch: null, retailer_ids: [] },
    };
    for (let i = 0; i < 2; i++) {
      const ctx = createExecutionContext();
      await consumeQueue(createMessageBatch("altscore-scoring-dlq", [message]), env, ctx);
    }
    const kept = await db.select().from(deadLetters).where(eq(deadLetters.message_id, "dead-1")).all();
    expect(kept).toHaveLength(1);
    expect(kept[0]).toMatchObject({ queue: "altscore-scoring", attempts: 6 });
  });

  it("leaves a score uncomputed, not wrong, while a ledger does not answer", async () => {
    const scene = await seedScene();
    const DISTRIBUTOR_LEDGER = {
      idFromName: (name: string) => env.DISTRIBUTOR_LEDGER.idFromName(name),
      get: () => ({ statements: async () => Promise.reject(new Error("ledger is down")) }),
    };
    const broken = { ...env, DISTRIBUTOR_LEDGER } as unknown as Env;
    await expect(scoreRetailers(broken, [scene.retailer_id])).rejects.toThrow("ledger is down");
    expect(await scoresOf(scene.retailer_id)).toHaveLength(1);
  });

  it("scores the others of a slice when it comes again because of one that cannot be", async () => {
    const [sound, unreadable] = [await seedScene(), await seedScene()];
    await db.delete(scores);
    const broken_ledger = unreadable.distributor.distributor_id;
    const DISTRIBUTOR_LEDGER = {
      idFromName: (name: string) => name,
      get: (name: string) =>
        name === broken_ledger
          ? { statements: async () => Promise.reject(new Error("ledger is down")) }
          : env.DISTRIBUTOR_LEDGER.get(env.DISTRIBUTOR_LEDGER.idFromName(name)),
    };
    const broken = { ...env, DISTRIBUTOR_LEDGER } as unknown as Env;
    const message = { batch: null, retailer_ids: [unreadable.retailer_id, sound.retailer_id] };
    await expect(handleScoring(broken, message, 1)).rejects.toThrow("ledger is down");
    expect(await scoresOf(sound.retailer_id)).toHaveLength(0);
    await expect(handleScoring(broken, message, 2)).rejects.toThrow("ledger is down");
    expect(await scoresOf(sound.retailer_id)).toHaveLength(1);
    expect(await scoresOf(unreadable.retailer_id)).toHaveLength(0);
  });
});
