import { env } from "cloudflare:workers";
import { beforeEach, expect, it } from "vitest";
import type { Env } from "../../src/env.ts";
import { forgetModelWarning, modelWarning } from "../../src/models/frozen.ts";
import { freezeModel } from "../../src/models/lifecycle.ts";
import { lastChampion } from "../../src/models/registry.ts";
import type { ScoreAnswer } from "../../src/score/schemas.ts";
import { askScore, seedScene } from "../support/scene.ts";

beforeEach(forgetModelWarning);

it("serves the last scores of a frozen model with a warning, within a second", async () => {
  const { lender, retailer_id } = await seedScene();
  const ask = async () => {
    const response = await askScore(lender, { retailer_id, purpose: "term_loan" });
    expect(response.status).toBe(200);
    return response.json<ScoreAnswer>();
  };
  expect((await ask()).warnings).not.toContain("model_frozen");
  const champion = await lastChampion(env);
  await freezeModel(env, { model_id: champion!.model_id, by: "Asha Rao", reason: "drill" });
  const until_ms = Date.now() + 1_000;
  let answer = await ask();
  while (!answer.warnings.includes("model_frozen") && Date.now() < until_ms + 500) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    answer = await ask();
  }
  expect(answer.warnings).toContain("model_frozen");
});

it("warns that the status is not known while the registry cannot be read", async () => {
  const broken = new Proxy(env, {
    get(target, name) {
      if (name === "DB") throw new Error("D1 is down");
      return Reflect.get(target, name);
    },
  }) as Env;
  expect(await modelWarning(broken)).toBe("model_status_unknown");
});
