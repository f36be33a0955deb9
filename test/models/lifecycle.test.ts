import { env } from "cloudflare:workers";
import { desc, eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { sha256Hex } from "../../src/lib/bytes.ts";
import { forgetModels } from "../../src/models/artefacts.ts";
import type { ModelCard } from "../../src/models/card.ts";
import {
  freezeModel,
  listModels,
  promoteModel,
  registerModel,
  retireModel,
} from "../../src/models/lifecycle.ts";
import { findModel, scoringModels } from "../../src/models/registry.ts";
import { SHIPPED } from "../../src/models/shipped.ts";
import { modelChanges, models, shadowScores } from "../../src/models/tables.ts";
import {
  BY,
  freshSystemWithChampion,
  GOOD_METRICS,
  otherModel,
  registerLongAgo,
  seedScores,
} from "./support.ts";

const db = drizzle(env.DB);
const statusOf = async (model_id: string) => (await findModel(env, model_id))?.status;
const refused = (code: string, message: string | RegExp = "") =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

let champion: ModelCard;
beforeEach(async () => {
  champion = await freshSystemWithChampion();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("registering a model", () => {
  it("stores its card and artefact and makes it a challenger", async () => {
    const { artefact, card } = otherModel(0.5);
    const made = await registerModel(env, { artefact, card, by: "Asha Rao" });
    expect(made).toEqual({
      model_id: card.model_id,
      status: "challenger",
      sha256: card.sha256,
      shadow_scores: 0,
    });
    const row = await findModel(env, card.model_id);
    expect(row).toMatchObject({ version: "1.1.0", feature_list_version: card.feature_list_version });
    expect(JSON.parse(row!.card)).toEqual(card);
    expect(JSON.parse(row!.feature_names)).toHaveLength(42);
    expect(await env.KV.get(`model:${card.sha256}`)).toBe(artefact);
    expect(
      await db.select().from(modelChanges).where(eq(modelChanges.model_id, card.model_id)),
    ).toMatchObject([
      { from_status: null, to_status: "challenger", changed_by: "Asha Rao", reason: "registered" },
    ]);
  });

  it("twice is once, and repairs a lost artefact", async () => {
    const { artefact, card } = otherModel(0.5);
    await registerModel(env, { artefact, card });
    await env.KV.delete(`model:${card.sha256}`);
    expect(await registerModel(env, { artefact, card })).toMatchObject({ status: "challenger" });
    expect(await env.KV.get(`model:${card.sha256}`)).toBe(artefact);
    expect(await db.select().from(models)).toHaveLength(2);
    expect(await db.select().from(modelChanges).where(eq(modelChanges.model_id, card.model_id))).toHaveLength(
      1,
    );
  });

  it("twice at once is once", async () => {
    const { artefact, card } = otherModel(0.5);
    const results = await Promise.allSettled([1, 2, 3].map(() => registerModel(env, { artefact, card })));
    expect(results.some(({ status }) => status === "fulfilled")).toBe(true);
    for (const result of results) {
      if (result.status === "rejected") expect(result.reason).toEqual(refused("MODEL_STATUS"));
    }
    expect(await db.select().from(models)).toHaveLength(2);
  });

  it.each<[string, () => { artefact: string; card: ModelCard }, string, string]>([
    [
      "a wrong hash",
      () => ({ ...otherModel(0.5), artefact: `${otherModel(0.5).artefact} ` }),
      "MODEL_REFUSED",
      "SHA-256",
    ],
    [
      "a feature that the table does not have",
      () => {
        const { artefact, card } = otherModel(0.5);
        return rehashed(artefact.replaceAll("overdue_share", "star_sign"), card);
      },
      "MODEL_REFUSED",
      "unknown feature: star_sign",
    ],
    [
      "a text that is no model",
      () => rehashed("{}", otherModel(0.5).card),
      "MODEL_REFUSED",
      "learner is not an object",
    ],
    [
      "another feature list",
      () => otherModel(0.5, { feature_list_version: "0" }),
      "MODEL_REFUSED",
      "feature list",
    ],
    [
      "a calibration that turns the order",
      () => otherModel(0.5, { calibration: { a: -1, b: 0 } }),
      "MODEL_REFUSED",
      "calibration",
    ],
    [
      "impossible figures",
      () => ({
        ...otherModel(0.5),
        card: { ...otherModel(0.5).card, metrics: { auroc: 1.1, psi_base: [1] } },
      }),
      "INVALID_REQUEST",
      "card.metrics.auroc.*card.metrics.psi_base",
    ],
    [
      "the artefact of another model",
      () => ({ artefact: SHIPPED.artefact, card: { ...champion, model_id: "mdl_00000000000000ff" } }),
      "MODEL_EXISTS",
      "another card",
    ],
    ["the id of another model", () => otherModel(0.5, { model_id: champion.model_id }), "MODEL_EXISTS", ""],
  ])("refuses %s and stores nothing of it", async (_, given, code, message) => {
    const model = given();
    await expect(registerModel(env, model)).rejects.toEqual(refused(code, message));
    expect(await db.select().from(models)).toHaveLength(1);
    if (model.card.sha256 !== champion.sha256)
      expect(await env.KV.get(`model:${model.card.sha256}`)).toBeNull();
  });

  it("refuses a third challenger", async () => {
    await registerModel(env, otherModel(0.1));
    await registerModel(env, otherModel(0.2));
    await expect(registerModel(env, otherModel(0.3))).rejects.toEqual(refused("CHALLENGERS_FULL"));
    await retireModel(env, { model_id: otherModel(0.1).card.model_id, ...BY });
    expect(await registerModel(env, otherModel(0.3))).toMatchObject({ status: "challenger" });
  });
});

describe("promoting a model", () => {
  /** A challenger that passes every gate. */
  async function ready(shift = 0.2): Promise<string> {
    await registerLongAgo(otherModel(shift));
    return otherModel(shift).card.model_id;
  }

  it("switches champion, retires the one before, and keeps who and why", async () => {
    await seedScores(130);
    const model_id = await ready();
    expect(await promoteModel(env, { model_id, ...BY })).toEqual({
      model_id,
      status: "champion",
      previous: champion.model_id,
    });
    expect((await scoringModels(env)).champion.identity.model_id).toBe(model_id);
    const changes = await db.select().from(modelChanges).orderBy(desc(modelChanges.change_id)).limit(2);
    expect(changes).toMatchObject([
      { model_id, from_status: "challenger", to_status: "champion", changed_by: BY.by, reason: BY.reason },
      { model_id: champion.model_id, from_status: "champion", to_status: "retired", changed_by: BY.by },
    ]);
    const listed = (await listModels(env)).models.find((one) => one.model_id === model_id);
    expect(listed?.approvals).toEqual([{ by: BY.by, reason: BY.reason, at: expect.any(String) }]);
  });

  it("names every gate it fails, and changes nothing", async () => {
    await registerModel(env, otherModel(0.2, { metrics: { ...GOOD_METRICS, ks: 0.1 } }));
    const { model_id } = otherModel(0.2).card;
    const promotion = promoteModel(env, { model_id, ...BY });
    await expect(promotion).rejects.toEqual(
      refused(
        "GATES_FAILED",
        /KS at least 0.35.*30 days in shadow.*100 retailers in shadow.*rank concordance/,
      ),
    );
    expect(await statusOf(model_id)).toBe("challenger");
    expect(await statusOf(champion.model_id)).toBe("champion");
    const listed = (await listModels(env)).models.find((one) => one.model_id === model_id);
    expect(listed?.gates_failed).toHaveLength(4);
  });

  it("refuses a challenger that ranks the shops otherwise than the champion", async () => {
    await seedScores(130);
    const model_id = await ready();
    await db.update(shadowScores).set({ altscore: 600 });
    await env.DB.prepare(
      "UPDATE shadow_scores SET altscore = 1200 - (SELECT altscore FROM scores WHERE scores.score_id = shadow_scores.score_id)",
    ).run();
    await expect(promoteModel(env, { model_id, ...BY })).rejects.toEqual(
      refused("GATES_FAILED", /does not pass: rank concordance at least 0.75 \(is -1.0000\)$/),
    );
  });

  it.each(["retired", "frozen"])(
    "of two at once does one, wholly, and leaves the old champion %s",
    async (left) => {
      await seedScores(130);
      if (left === "frozen") await freezeModel(env, { model_id: champion.model_id, ...BY });
      const candidates = [await ready(0.1), await ready(0.2)];
      const results = await Promise.allSettled(
        candidates.map((model_id) => promoteModel(env, { model_id, ...BY })),
      );
      expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      const lost = results.find((result) => result.status === "rejected");
      expect(lost?.reason).toEqual(refused("MODEL_STATUS", "same moment"));
      const statuses = await Promise.all([champion.model_id, ...candidates].map(statusOf));
      expect(statuses[0]).toBe(left);
      expect(statuses.slice(1).sort()).toEqual(["challenger", "champion"]);
    },
  );

  it("works with a frozen champion, which stays frozen", async () => {
    await seedScores(130);
    await freezeModel(env, { model_id: champion.model_id, ...BY });
    const model_id = await ready();
    await promoteModel(env, { model_id, ...BY });
    expect(await statusOf(champion.model_id)).toBe("frozen");
    expect((await scoringModels(env)).champion.identity.model_id).toBe(model_id);
  });

  it("refuses an artefact that is lost or altered", async () => {
    await seedScores(130);
    const model_id = await ready();
    const { sha256 } = otherModel(0.2).card;
    await env.KV.put(`model:${sha256}`, "{}");
    await expect(promoteModel(env, { model_id, ...BY })).rejects.toEqual(refused("MODEL_REFUSED"));
    await env.KV.delete(`model:${sha256}`);
    await expect(promoteModel(env, { model_id, ...BY })).rejects.toEqual(refused("MODEL_REFUSED"));
    expect(await statusOf(champion.model_id)).toBe("champion");
  });

  it("refuses a model that is unknown, retired, frozen or the champion already", async () => {
    const { model_id } = otherModel(0.2).card;
    await expect(promoteModel(env, { model_id, ...BY })).rejects.toEqual(refused("MODEL_UNKNOWN"));
    await expect(promoteModel(env, { model_id: champion.model_id, ...BY })).rejects.toEqual(
      refused("MODEL_STATUS", "is champion"),
    );
    await registerModel(env, otherModel(0.2));
    await freezeModel(env, { model_id, ...BY });
    await expect(promoteModel(env, { model_id, ...BY })).rejects.toEqual(
      refused("MODEL_STATUS", "is frozen"),
    );
    await retireModel(env, { model_id, ...BY });
    await expect(promoteModel(env, { model_id, ...BY })).rejects.toEqual(
      refused("MODEL_STATUS", "is retired"),
    );
    await expect(promoteModel(env, { model_id, by: "", reason: "" })).rejects.toEqual(
      refused("INVALID_REQUEST", "by.*reason"),
    );
  });
});

describe("retiring and freezing", () => {
  it("take a challenger out of the shadow, and never retire the champion", async () => {
    await registerModel(env, otherModel(0.2));
    expect((await scoringModels(env)).challengers).toHaveLength(1);
    await retireModel(env, { model_id: otherModel(0.2).card.model_id, ...BY });
    expect((await scoringModels(env)).challengers).toHaveLength(0);
    await expect(retireModel(env, { model_id: champion.model_id, ...BY })).rejects.toEqual(
      refused("MODEL_STATUS"),
    );
    forgetModels();
    expect((await scoringModels(env)).champion.identity.model_id).toBe(champion.model_id);
  });
});

function rehashed(artefact: string, card: ModelCard): { artefact: string; card: ModelCard } {
  return { artefact, card: { ...card, sha256: sha256Hex(artefact) } };
}
