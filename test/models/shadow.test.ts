import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { registerModel } from "../../src/models/lifecycle.ts";
import { scoringModels } from "../../src/models/registry.ts";
import { concordance, shadowRows } from "../../src/models/shadow.ts";
import { shadowScores } from "../../src/models/tables.ts";
import { scoreRetailers } from "../../src/pipeline/score-retailer.ts";
import { scores } from "../../src/score/tables.ts";
import { replayCard } from "../../src/scoring/engine.ts";
import type { ReplayInputs } from "../../src/scoring/types.ts";
import { askScore, REGULAR, seedScene } from "../support/scene.ts";
import { computeScores, freshSystemWithChampion, otherModel, seedScores } from "./support.ts";

const db = drizzle(env.DB);
const shadowsOf = (score_id: string) =>
  db.select().from(shadowScores).where(eq(shadowScores.score_id, score_id)).all();

beforeEach(async () => {
  await freshSystemWithChampion();
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe("a challenger in shadow", () => {
  it("is scored on the champion's very inputs, stored beside the score and never served", async () => {
    const [near, far] = [otherModel(0.1), otherModel(2)];
    await registerModel(env, near);
    await registerModel(env, far);
    const { lender, retailer_id } = await seedScene();
    const [score] = await db.select().from(scores).where(eq(scores.retailer_id, retailer_id));
    const { champion, challengers } = await scoringModels(env);
    expect(score?.model_sha256).toBe(champion.identity.sha256);
    const inputs = JSON.parse(score!.replay_inputs) as ReplayInputs;
    const expected = challengers.map((challenger) => {
      const card = replayCard(inputs, challenger);
      if (card.status !== "scored") throw new Error(card.status);
      const { altscore, risk_band, probability_of_default, margin, as_of_day, status } = card;
      const { model_id, sha256 } = challenger.identity;
      const figures = { altscore, risk_band, probability_of_default, margin };
      return { score_id: score!.score_id, model_id, model_sha256: sha256, as_of_day, status, ...figures };
    });
    const stored = await shadowsOf(score!.score_id);
    expect(stored).toHaveLength(2);
    expect(stored).toEqual(expect.arrayContaining(expected));
    expect(new Set(expected.map(({ altscore }) => altscore)).size).toBe(2);

    const served = await askScore(lender, { retailer_id, purpose: "term_loan" });
    expect(await served.json()).toMatchObject({ altscore: score!.altscore });
    const kv = await env.KV.list();
    for (const { name } of kv.keys.filter((key) => !key.name.startsWith("model:"))) {
      const text = (await env.KV.get(name)) ?? "";
      for (const { card } of [near, far]) expect(text).not.toContain(card.model_id);
    }
  });

  it("has one shadow of a score however often the work is delivered", async () => {
    await registerModel(env, otherModel(0.1));
    const { retailer_id } = await seedScene();
    await scoreRetailers(env, [retailer_id]);
    await scoreRetailers(env, [retailer_id]);
    expect(await db.select().from(scores).where(eq(scores.retailer_id, retailer_id))).toHaveLength(1);
    expect(await db.select().from(shadowScores)).toHaveLength(1);
  });

  it("has none of a cold start, which asks no model", async () => {
    await registerModel(env, otherModel(0.1));
    await seedScene({ ...REGULAR, months: 3 });
    expect(await db.select().from(scores)).toMatchObject([{ status: "scored" }]);
    expect(await db.select().from(shadowScores)).toEqual([]);
  });

  it("does not hurt the champion's score when it fails", async () => {
    const { rows } = await computeScores(5);
    const [broken, sound] = [otherModel(0.1), otherModel(0.2)];
    await registerModel(env, broken);
    await registerModel(env, sound);
    const { challengers } = await scoringModels(env);
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const failing = challengers.map((one) =>
      one.identity.sha256 === broken.card.sha256 ? { ...one, calibration: null as never } : one,
    );
    const shadows = shadowRows(rows, failing);
    expect(shadows.length).toBeGreaterThan(0);
    for (const shadow of shadows) expect(shadow.model_sha256).toBe(sound.card.sha256);
    expect(log).toHaveBeenCalledTimes(shadows.length);
    expect(log.mock.calls.join()).toContain(broken.card.model_id);
  });

  it("that comes later is scored on the latest scores at once", async () => {
    const rows = await seedScores(40);
    const { shadow_scores } = await registerModel(env, otherModel(0.1));
    const { challengers } = await scoringModels(env);
    expect(shadow_scores).toBe(shadowRows(rows, challengers).length);
    expect(await db.select().from(shadowScores)).toEqual(
      expect.arrayContaining(shadowRows(rows, challengers)),
    );
  });

  it("agrees fully in rank with a champion it only shifts", async () => {
    const rows = await seedScores(40);
    const { card } = otherModel(0.3);
    await registerModel(env, otherModel(0.3));
    const found = await concordance(env, rows[0]!.model_sha256, card.model_id);
    expect(found.shadow_scores).toBeGreaterThan(20);
    expect(found.rank_concordance).toBeGreaterThan(0.99);
    expect(await concordance(env, rows[0]!.model_sha256, "mdl_0000000000000000")).toEqual({
      shadow_scores: 0,
      rank_concordance: null,
    });
  });
});
