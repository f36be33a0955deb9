import type { Env } from "../env.ts";
import { canonicalJson } from "../lib/jcs.ts";
import { storedScore } from "../score/store.ts";
import { ENGINE_VERSION, replayCard } from "../scoring/engine.ts";
import type { ReplayInputs } from "../scoring/types.ts";
import { champion } from "./champion.ts";

/** Whether a stored score comes out again, and if not, what is in the way. */
export interface Replay {
  identical: boolean;
  problems: string[];
}

/**
 * Computes a stored score again from its stored inputs and compares every field (scoring.md §8). Problems: unknown
 * score, another model or engine than the one at hand, or the members of the card that differ.
 */
export async function replayScore(env: Env, score_id: string): Promise<Replay> {
  const row = await storedScore(env, score_id);
  if (!row) return { identical: false, problems: ["no such score"] };
  const model = champion();
  if (row.model_sha256 !== model.identity.sha256)
    return { identical: false, problems: ["made by another model"] };
  if (row.engine_version !== ENGINE_VERSION)
    return { identical: false, problems: ["made by another engine version"] };
  const replayed = replayCard(JSON.parse(row.replay_inputs) as ReplayInputs, model);
  const problems = differingMembers(JSON.parse(row.scorecard) as object, replayed);
  return { identical: problems.length === 0, problems };
}

function differingMembers(stored: object, replayed: object): string[] {
  const left = new Map(Object.entries(stored));
  const right = new Map(Object.entries(replayed));
  const members = [...new Set([...left.keys(), ...right.keys()])].sort();
  return members.filter(
    (member) => canonicalJson(left.get(member) ?? null) !== canonicalJson(right.get(member) ?? null),
  );
}
