import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Env } from "../../src/env.ts";
import { istDay } from "../../src/lib/days.ts";
import { newId, nowMs } from "../../src/lib/seams.ts";
import { forgetModels } from "../../src/models/artefacts.ts";
import type { ModelCard } from "../../src/models/card.ts";
import { retireModel } from "../../src/models/lifecycle.ts";
import { promoteModel, replay } from "../../src/parties/provisioning.ts";
import { handleScoring } from "../../src/pipeline/consumers.ts";
import { replayMany, replayNewest, replayScore } from "../../src/pipeline/replay.ts";
import type { ScoringMessage } from "../../src/pipeline/types.ts";
import { findLatestScore, storeScores } from "../../src/score/store.ts";
import { scores } from "../../src/score/tables.ts";
import { ModelRefusedError } from "../../src/scoring/model-json.ts";
import {
  BY,
  computeScores,
  freshSystemWithChampion,
  otherModel,
  registerLongAgo,
  seedScores,
} from "../models/support.ts";
import { invoiceRow, newLedger, paymentRow } from "../support/ledger.ts";
import { seedScene } from "../support/scene.ts";

const db = drizzle(env.DB);
const IDENTICAL = { identical: true, problems: [] };
const scoresOf = (retailer_id: string) =>
  db.select().from(scores).where(eq(scores.retailer_id, retailer_id)).all();

describe("a thousand stored scores", () => {
  const model = otherModel(0.2);
  let ids: string[] = [];

  beforeAll(async () => {
    await freshSystemWithChampion();
    const rows = await seedScores(1_000);
    ids = rows.map(({ score_id }) => score_id);
  });
  afterAll(() => {
    vi.useRealTimers();
  });

  it("are of every kind", async () => {
    const rows = await db.select({ scorecard: scores.scorecard }).from(scores);
    expect(rows).toHaveLength(1_000);
    const cards = rows.map(({ scorecard }) => JSON.parse(scorecard));
    const routes = new Set(cards.map(({ route }) => route));
    for (const route of ["primary", "sparse", "cold_start"]) expect(routes).toContain(route);
    expect(new Set(cards.map(({ risk_band }) => risk_band)).size).toBeGreaterThanOrEqual(4);
    expect(new Set(cards.map(({ margin }) => margin)).size).toBeGreaterThan(900);
  });

  it("come out again to the bit", async () => {
    expect(await replayMany(env, ids)).toEqual({ replayed: 1_000, identical: 1_000, different: [] });
  });

  it("come out again to the bit after another model was promoted, even in an isolate that never saw theirs", async () => {
    await registerLongAgo(model);
    await promoteModel(env, { model_id: model.card.model_id, ...BY });
    forgetModels();
    expect(await replayMany(env, ids)).toEqual({ replayed: 1_000, identical: 1_000, different: [] });
  });

  it("are followed by scores of the new model, which come out again as well", async () => {
    const rows = await seedScores(50, "after the promotion");
    for (const row of rows) expect(row.model_sha256).toBe(model.card.sha256);
    expect(await replayNewest(env, 1_050)).toEqual({ replayed: 1_050, identical: 1_050, different: [] });
    expect(await replay(env, { last: 60 })).toMatchObject({ replayed: 60, identical: 60 });
    expect(await replay(env, { score_id: ids[0]! })).toMatchObject({ replayed: 1, identical: 1 });
    await expect(replay(env, {})).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  });
});

describe("a replay", () => {
  let champion: ModelCard;
  beforeEach(async () => {
    champion = await freshSystemWithChampion();
  });

  it.each<[string, Partial<typeof scores.$inferInsert>, string]>([
    ["a member of the card", { scorecard: "altered" }, "altscore"],
    ["a column", { altscore: 901 }, "column altscore"],
    [
      "the probability in its last decimal",
      { probability_of_default: 0.5001 },
      "column probability_of_default",
    ],
    ["the engine's version", { engine_version: "0.9.0" }, "made by another engine version"],
    ["the model's hash", { model_sha256: "0".repeat(64) }, "made by a model that is not registered"],
  ])("sees that %s was changed", async (_, change, problem) => {
    const [row] = await seedScores(1);
    const { score_id, scorecard } = row!;
    if (change.scorecard) change.scorecard = scorecard.replace(/"altscore":\d+/, '"altscore":899');
    await db.update(scores).set(change).where(eq(scores.score_id, score_id));
    expect(await replayScore(env, score_id)).toEqual({ identical: false, problems: [problem] });
  });

  it("knows no score that was never stored", async () => {
    expect(await replayScore(env, "scr_0000000000000000")).toEqual({
      identical: false,
      problems: ["no such score"],
    });
  });

  it("is refused while the artefact is altered", async () => {
    const [row] = await seedScores(1);
    await env.KV.put(`model:${champion.sha256}`, "{}");
    forgetModels();
    await expect(replayScore(env, row!.score_id)).rejects.toThrow(ModelRefusedError);
  });
});

describe("a promotion while scores are being made", () => {
  const model = otherModel(1);
  beforeEach(async () => {
    await freshSystemWithChampion();
    await seedScores(130);
    await registerLongAgo(model);
    return () => vi.useRealTimers();
  });

  it("never lets a score of the model before be stored after it", async () => {
    const { rows, shadows } = await computeScores(2, "in flight");
    await promoteModel(env, { model_id: model.card.model_id, ...BY });
    await expect(storeScores(env, rows, shadows)).rejects.toThrow();
    for (const { retailer_id } of rows) expect(await scoresOf(retailer_id)).toEqual([]);
    for (const row of (await computeScores(2, "in flight")).rows) {
      expect(row).toMatchObject({ model_id: model.card.model_id, model_sha256: model.card.sha256 });
    }
  });

  it("makes the queue do a message again that read its models before, so that no score mixes two", async () => {
    const retailer_id = await consentedShop();
    const message = { batch: null, retailer_ids: [retailer_id] };
    // The new champion is promoted between the reading of the models and the transaction that stores the score.
    const DB = new Proxy(env.DB, {
      get: (db, name) => {
        const member = Reflect.get(db, name);
        if (name !== "batch") return typeof member === "function" ? member.bind(db) : member;
        return async (statements: D1PreparedStatement[]) => {
          await promoteModel(env, { model_id: model.card.model_id, ...BY });
          return db.batch(statements);
        };
      },
    });
    const interrupted = { ...env, DB } as Env;
    await expect(handleScoring(interrupted, message)).rejects.toThrow();
    expect(await scoresOf(retailer_id)).toEqual([]);
    await handleScoring(env, message, 2);
    const [row, ...others] = await scoresOf(retailer_id);
    expect(others).toEqual([]);
    expect(row).toMatchObject({ model_id: model.card.model_id, model_sha256: model.card.sha256 });
    expect(row?.score_version).toMatch(/^1\.1\.0\+/);
    expect(await replayScore(env, row!.score_id)).toEqual(IDENTICAL);
    expect(await findLatestScore(env, retailer_id)).toMatchObject({ score_id: row!.score_id });
  });

  it("puts every consented retailer on the queue, and nobody else", async () => {
    const [first, second] = [await seedScene(), await seedScene()];
    const sent: ScoringMessage[] = [];
    const SCORING = {
      sendBatch: async (messages: Iterable<{ body: ScoringMessage }>) => {
        sent.push(...[...messages].map(({ body }) => body));
      },
    };
    const watched = { ...env, SCORING } as unknown as Env;
    await promoteModel(watched, { model_id: model.card.model_id, ...BY });
    const queued = sent.flatMap(({ retailer_ids }) => retailer_ids).sort();
    expect(queued).toEqual([first.retailer_id, second.retailer_id].sort());
    await expect(retireModel(env, { model_id: model.card.model_id, ...BY })).rejects.toMatchObject({
      code: "MODEL_STATUS",
    });
    expect(sent).toHaveLength(1);
  });
});

/** A retailer with a ledger and a consent that no queue knows of, so that only the test scores it. */
async function consentedShop(): Promise<string> {
  const retailer_id = newId("ret");
  const { distributor_id, accept } = await newLedger();
  const today = istDay(nowMs());
  const bills = Array.from({ length: 120 }, (_, i) =>
    invoiceRow(i, `B${i}`, retailer_id, { day: today - 5 * (120 - i), paise: 900_000 + (i % 7) * 10_000 }),
  );
  const paid = bills
    .slice(0, 112)
    .map((bill, i) => paymentRow(i, `P${i}`, bill[1], { day: bill[3] + 30 + (i % 5), paise: bill[5] }));
  await accept(bills, paid);
  await env.DB.batch([
    env.DB.prepare(
      "INSERT INTO retailers (retailer_id, provisional, created_at) VALUES (?1, 0, '2026-01-01')",
    ).bind(retailer_id),
    env.DB.prepare("INSERT INTO retailer_distributors VALUES (?1, ?2, '2026-01-01')").bind(
      retailer_id,
      distributor_id,
    ),
    env.DB.prepare(
      `INSERT INTO consents (consent_id, retailer_id, chain_retailer_id, lender_id, purposes, status, grant_group,
         granted_at, expires_at)
       VALUES ('cns_1', ?1, ?1, 'lender_test', '[]', 'ACTIVE', 'grp_1', '2026-01-01', '2099-01-01')`,
    ).bind(retailer_id),
  ]);
  return retailer_id;
}
