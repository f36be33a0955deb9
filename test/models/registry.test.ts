import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Env } from "../../src/env.ts";
import { forgetModels, putArtefact } from "../../src/models/artefacts.ts";
import { modelCard } from "../../src/models/card.ts";
import { freezeModel, registerModel } from "../../src/models/lifecycle.ts";
import { lastChampion, modelBySha256, NoChampionError, scoringModels } from "../../src/models/registry.ts";
import { SHIPPED } from "../../src/models/shipped.ts";
import { modelChanges, models } from "../../src/models/tables.ts";
import { ModelRefusedError } from "../../src/scoring/model-json.ts";
import { BY, freshSystem, otherModel } from "./support.ts";

const db = drizzle(env.DB);
const keyOf = (sha256: string) => `model:${sha256}`;

/** The bindings with a KV that counts its reads and may be down. */
function watchedKv(down = false): { watched: Env; reads: () => number } {
  let reads = 0;
  const KV = {
    get: (key: string, type: "text") => {
      reads++;
      return down ? Promise.reject(new Error("KV is down")) : env.KV.get(key, type);
    },
    put: () => Promise.reject(new Error("KV is down")),
  };
  return { watched: { ...env, KV } as unknown as Env, reads: () => reads };
}

beforeEach(freshSystem);

describe("a new system", () => {
  it("takes the shipped model as champion, whoever asks first", async () => {
    const asked = await Promise.all([scoringModels(env), scoringModels(env), scoringModels(env)]);
    for (const { champion, challengers } of asked) {
      expect(champion.identity.sha256).toBe(SHIPPED.card.sha256);
      expect(challengers).toEqual([]);
    }
    expect(await db.select().from(models)).toMatchObject([
      { model_id: SHIPPED.card.model_id, sha256: SHIPPED.card.sha256, status: "champion" },
    ]);
    expect(await db.select().from(modelChanges)).toMatchObject([
      { from_status: null, to_status: "challenger", changed_by: "system" },
      { from_status: "challenger", to_status: "champion", changed_by: "system" },
    ]);
    expect(await env.KV.get(keyOf(SHIPPED.card.sha256))).toBe(SHIPPED.artefact);
  });

  it("ships a card that can be registered", () => {
    expect(modelCard.safeParse(SHIPPED.card).error).toBeUndefined();
  });
});

describe("the models of a unit of work", () => {
  it("are compiled once for an isolate", async () => {
    await scoringModels(env);
    const { watched, reads } = watchedKv();
    expect((await scoringModels(watched)).champion).toBe((await scoringModels(env)).champion);
    expect(reads()).toBe(0);
    forgetModels();
    await scoringModels(watched);
    await scoringModels(watched);
    expect(reads()).toBe(1);
  });

  it("are kept to a few: the one used longest ago goes first", async () => {
    await scoringModels(env);
    const cards = [];
    for (const shift of [1, 2, 3, 4]) {
      const { artefact, card } = otherModel(shift);
      await registerModel(env, { artefact, card });
      await freezeModel(env, { model_id: card.model_id, ...BY });
      cards.push(card);
    }
    for (const { sha256 } of cards) await modelBySha256(env, sha256);
    const { watched, reads } = watchedKv();
    for (const { sha256 } of cards) await modelBySha256(watched, sha256);
    expect(reads()).toBe(0);
    await scoringModels(watched);
    expect(reads()).toBe(1);
  });

  it("come from memory while KV is down; an isolate without them scores nothing", async () => {
    await scoringModels(env);
    const { watched } = watchedKv(true);
    expect((await scoringModels(watched)).champion.identity.sha256).toBe(SHIPPED.card.sha256);
    forgetModels();
    await expect(scoringModels(watched)).rejects.toThrow("KV is down");
  });

  it("do not include a champion whose artefact was altered by one byte", async () => {
    await scoringModels(env);
    const altered = `${SHIPPED.artefact.slice(0, 5_000)}${SHIPPED.artefact[5_000] === "1" ? "2" : "1"}${SHIPPED.artefact.slice(5_001)}`;
    await env.KV.put(keyOf(SHIPPED.card.sha256), altered);
    forgetModels();
    await expect(scoringModels(env)).rejects.toThrow(ModelRefusedError);
    await expect(scoringModels(env)).rejects.toThrow(`registered is ${SHIPPED.card.sha256}`);
    await putArtefact(env, SHIPPED.artefact);
    expect((await scoringModels(env)).champion.identity.model_id).toBe(SHIPPED.card.model_id);
  });

  it("put the shipped artefact back if KV lost it", async () => {
    await scoringModels(env);
    await env.KV.delete(keyOf(SHIPPED.card.sha256));
    forgetModels();
    expect((await scoringModels(env)).champion.identity.sha256).toBe(SHIPPED.card.sha256);
    expect(await env.KV.get(keyOf(SHIPPED.card.sha256))).toBe(SHIPPED.artefact);
  });

  it("leave out a challenger that cannot be loaded, and go on with the champion", async () => {
    const { artefact, card } = otherModel(0.5);
    await registerModel(env, { artefact, card });
    expect((await scoringModels(env)).challengers.map(({ identity }) => identity.sha256)).toEqual([
      card.sha256,
    ]);
    await env.KV.delete(keyOf(card.sha256));
    forgetModels();
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const { champion, challengers } = await scoringModels(env);
    expect(champion.identity.sha256).toBe(SHIPPED.card.sha256);
    expect(challengers).toEqual([]);
    expect(log.mock.calls.join()).toContain(card.model_id);
    log.mockRestore();
    await expect(modelBySha256(env, card.sha256)).rejects.toThrow(ModelRefusedError);
  });

  it("are none once the champion is frozen, and the shipped one does not come back by itself", async () => {
    await scoringModels(env);
    await freezeModel(env, { model_id: SHIPPED.card.model_id, ...BY });
    await expect(scoringModels(env)).rejects.toThrow(NoChampionError);
    await expect(scoringModels(env)).rejects.toThrow(NoChampionError);
    expect((await lastChampion(env))?.status).toBe("frozen");
  });
});

describe("the registry's tables", () => {
  it("refuse a second champion, a changed card, a removed model and a rewritten history", async () => {
    await scoringModels(env);
    await registerModel(env, otherModel(0.5));
    const run = (statement: string) => env.DB.prepare(statement).run();
    for (const [statement, message] of [
      ["UPDATE models SET card = '{}'", "does not change"],
      ["UPDATE models SET sha256 = 'x'", "does not change"],
      ["UPDATE models SET status = 'champion'", "by a row of model_changes"],
      ["DELETE FROM models", "is not removed"],
      ["UPDATE model_changes SET reason = ''", "append-only"],
      ["DELETE FROM model_changes", "append-only"],
      [
        `INSERT INTO model_changes (model_id, from_status, to_status, changed_by, reason, changed_at)
         VALUES ('${SHIPPED.card.model_id}', 'frozen', 'champion', 'x', 'x', 'x')`,
        "another status by now",
      ],
      [
        `INSERT INTO model_changes (model_id, from_status, to_status, changed_by, reason, changed_at)
         VALUES ('${otherModel(0.5).card.model_id}', 'challenger', 'champion', 'x', 'x', 'x')`,
        "UNIQUE constraint failed",
      ],
    ] as const) {
      await expect(run(statement), statement).rejects.toThrow(message);
    }
  });
});
