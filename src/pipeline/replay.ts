import type { Env } from "../env.ts";
import { canonicalJson } from "../lib/jcs.ts";
import { modelBySha256 } from "../models/registry.ts";
import { newestScoreIds, storedScores } from "../score/population.ts";
import type { StoredScore } from "../score/tables.ts";
import { type CompiledChampion, ENGINE_VERSION, replayCard } from "../scoring/engine.ts";
import type { ReplayInputs, Scorecard } from "../scoring/types.ts";

/** Scores read at a time: some 10 kB each. */
const PAGE = 100;

/** Whether a stored score comes out again, and if not, what is in the way. */
export interface Replay {
  identical: boolean;
  problems: string[];
}

/** How many of some scores came out again, and the others with what is in the way. */
export interface Replays {
  replayed: number;
  identical: number;
  different: { score_id: string; problems: string[] }[];
}

/**
 * Computes a stored score again from its stored inputs, by the model it was made with, whatever that model's status is
 * now, and compares every field (scoring.md §8). Problems: unknown score, a model that is not registered or another
 * engine than the one at hand, or the members of the card that differ. Throws ModelRefusedError if the artefact is
 * lost or altered.
 */
export async function replayScore(env: Env, score_id: string): Promise<Replay> {
  const { different } = await replayMany(env, [score_id]);
  const problems = different[0]?.problems ?? [];
  return { identical: problems.length === 0, problems };
}

/** `replayScore` of many scores. */
export async function replayMany(env: Env, score_ids: readonly string[]): Promise<Replays> {
  const different: Replays["different"] = [];
  const models = new Map<string, CompiledChampion | null>();
  for (let start = 0; start < score_ids.length; start += PAGE) {
    const page = score_ids.slice(start, start + PAGE);
    const rows = new Map((await storedScores(env, page)).map((row) => [row.score_id, row]));
    for (const score_id of page) {
      const row = rows.get(score_id);
      const problems = row ? await problemsOf(env, row, models) : ["no such score"];
      if (problems.length > 0) different.push({ score_id, problems });
    }
  }
  return { replayed: score_ids.length, identical: score_ids.length - different.length, different };
}

/** `replayScore` of the scores stored last. */
export async function replayNewest(env: Env, count: number): Promise<Replays> {
  return replayMany(env, await newestScoreIds(env, count));
}

async function problemsOf(
  env: Env,
  row: StoredScore,
  models: Map<string, CompiledChampion | null>,
): Promise<string[]> {
  if (row.engine_version !== ENGINE_VERSION) return ["made by another engine version"];
  const sha256 = row.model_sha256;
  if (!models.has(sha256)) models.set(sha256, await modelBySha256(env, sha256));
  const model = models.get(sha256);
  if (!model) return ["made by a model that is not registered"];
  const replayed = replayCard(JSON.parse(row.replay_inputs) as ReplayInputs, model);
  return [
    ...differingMembers(JSON.parse(row.scorecard) as object, replayed),
    ...differingColumns(row, replayed),
  ];
}

/** The columns that repeat a member of the card, where they say something else. */
function differingColumns(row: StoredScore, card: Scorecard): string[] {
  const scored = card.status === "scored" ? card : null;
  const expected = {
    as_of_day: card.as_of_day,
    status: card.status,
    altscore: scored?.altscore ?? null,
    risk_band: scored?.risk_band ?? null,
    probability_of_default: scored?.probability_of_default ?? null,
  };
  return Object.entries(expected)
    .filter(([name, value]) => row[name as keyof typeof expected] !== value)
    .map(([name]) => `column ${name}`);
}

function differingMembers(stored: object, replayed: object): string[] {
  const left = new Map(Object.entries(stored));
  const right = new Map(Object.entries(replayed));
  const members = [...new Set([...left.keys(), ...right.keys()])].sort();
  return members.filter(
    (member) => canonicalJson(left.get(member) ?? null) !== canonicalJson(right.get(member) ?? null),
  );
}
