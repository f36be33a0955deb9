import { applyD1Migrations, reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import { vi } from "vitest";
import { statementAt, usualTermsAt } from "../../scripts/lib/statements.ts";
import { forgetKeys } from "../../src/auth/keys.ts";
import type { Env } from "../../src/env.ts";
import { sha256Hex } from "../../src/lib/bytes.ts";
import { istDay } from "../../src/lib/days.ts";
import { nowMs } from "../../src/lib/seams.ts";
import { forgetModels, putArtefact } from "../../src/models/artefacts.ts";
import { type ModelCard, modelCard } from "../../src/models/card.ts";
import { registerModel } from "../../src/models/lifecycle.ts";
import { changeStatements, newModel, scoringModels } from "../../src/models/registry.ts";
import { shadowRows } from "../../src/models/shadow.ts";
import { SHIPPED } from "../../src/models/shipped.ts";
import { models } from "../../src/models/tables.ts";
import { scoreRow } from "../../src/pipeline/score-retailer.ts";
import { storeScores } from "../../src/score/store.ts";
import type { NewScore } from "../../src/score/tables.ts";
import { generateLedger } from "../../src/synthetic/kirana.ts";
import { rowsOfLedger } from "../../training/statements.ts";

export const DAY_MS = 86_400_000;

/** Figures that pass every gate of a promotion against a champion of AUROC 0.78. */
export const GOOD_METRICS = {
  auroc: 0.8,
  ks: 0.8,
  brier: 0.04,
  calibration_by_band: {
    A: { mean_pd: 0.02, bad_rate: 0.02, rows: 500 },
    B: { mean_pd: 0.08, bad_rate: 0.09, rows: 300 },
    C: { mean_pd: 0.18, bad_rate: 0.17, rows: 200 },
    D: { mean_pd: 0.5, bad_rate: 0.51, rows: 100 },
  },
  air: { small_shops: 0.93, new_shops: 0.85 },
  psi_base: [0, 0.02, 0.03, 0.05, 0.06, 0.08, 0.1, 0.12, 0.14, 0.16, 0.14, 0.1],
} satisfies ModelCard["metrics"];

/** Another model: the shipped one with every leaf of its first tree moved by `shift` margin units. */
export function otherModel(
  shift: number,
  changes: Partial<ModelCard> = {},
): { artefact: string; card: ModelCard } {
  const model = JSON.parse(SHIPPED.artefact);
  const tree = model.learner.gradient_booster.model.trees[0];
  tree.left_children.forEach((left: number, node: number) => {
    if (left === -1) tree.split_conditions[node] += shift;
  });
  const artefact = JSON.stringify(model);
  const sha256 = sha256Hex(artefact);
  const model_id = `mdl_${sha256.slice(0, 16)}`;
  const card = modelCard.parse({
    ...SHIPPED.card,
    model_id,
    version: "1.1.0",
    sha256,
    metrics: GOOD_METRICS,
    ...changes,
  });
  return { artefact, card };
}

/** An empty system, as a test file finds it; the isolate remembers no model. */
export async function freshSystem(): Promise<void> {
  await reset();
  forgetKeys();
  forgetModels();
  await applyD1Migrations(env.DB, env.TEST_MIGRATIONS ?? []);
}

/** A fresh system whose champion is the shipped artefact, with figures that do not change when it is trained anew. */
export async function freshSystemWithChampion(): Promise<ModelCard> {
  await freshSystem();
  const card = modelCard.parse({ ...SHIPPED.card, metrics: { ...GOOD_METRICS, auroc: 0.78 } });
  const { model_id } = card;
  const change = { model_id, changed_by: "system", reason: "first" };
  const db = drizzle(env.DB);
  await putArtefact(env, SHIPPED.artefact);
  await db.batch([
    db.insert(models).values(newModel(card, SHIPPED.artefact)),
    ...changeStatements(db, { ...change, from_status: null, to_status: "challenger" }),
    ...changeStatements(db, { ...change, from_status: "challenger", to_status: "champion" }),
  ]);
  return card;
}

/** Scores of made-up shops of every kind as of today by the present models, with their shadows; nothing is stored. */
export async function computeScores(retailers: number, seed = "registry") {
  const as_of_day = istDay(nowMs());
  // Some of the shops have not ordered yet.
  const made_up = Math.ceil(1.02 * retailers) + 1;
  const ledger = generateLedger({
    seed,
    retailers: made_up,
    distributors: 3,
    months: 14,
    end_day: as_of_day,
  });
  const books = rowsOfLedger(ledger);
  const terms = usualTermsAt(books.values(), as_of_day);
  const { champion, challengers } = await scoringModels(env);
  const rows = [...books].slice(0, retailers).map(([index, shop]): NewScore => {
    const retailer_id = `ret_${sha256Hex(`${seed} ${index}`).slice(0, 16)}`;
    const statement = statementAt(retailer_id, shop, terms, as_of_day, "tally_prime");
    const profile = { retailer_id, aliases: [retailer_id], distributor_ids: [], identity_verified: true };
    return scoreRow({ profile, statement, watermarks: { dist_0000000000000001: 1 } }, as_of_day, champion);
  });
  return { rows, shadows: shadowRows(rows, challengers) };
}

/** Computes and stores scores of made-up shops; the cache of served scores is left out. */
export async function seedScores(retailers: number, seed?: string): Promise<NewScore[]> {
  const { rows, shadows } = await computeScores(retailers, seed);
  const KV = { put: async () => {} };
  const uncached = { ...env, KV } as unknown as Env;
  for (let start = 0; start < rows.length; start += 50) {
    const slice = rows.slice(start, start + 50);
    const ids = new Set(slice.map(({ score_id }) => score_id));
    await storeScores(
      uncached,
      slice,
      shadows.filter(({ score_id }) => ids.has(score_id)),
    );
  }
  return rows;
}

/** Registers a model as if it had been 31 days ago; leaves the clock as it was, but faked. */
export async function registerLongAgo(model: { artefact: string; card: ModelCard }) {
  const now = nowMs();
  vi.useFakeTimers({ toFake: ["Date"], now: now - 31 * DAY_MS });
  try {
    return await registerModel(env, model);
  } finally {
    vi.setSystemTime(now);
  }
}

/** Who answers for a change, in tests. */
export const BY = { by: "Asha Rao", reason: "model committee of the quarter" };
