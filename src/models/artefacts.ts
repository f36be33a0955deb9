import type { Env } from "../env.ts";
import { sha256Hex } from "../lib/bytes.ts";
import { type CompiledChampion, compileChampion } from "../scoring/engine.ts";
import { ModelRefusedError } from "../scoring/model-json.ts";
import type { ModelCard } from "./card.ts";
import { SHIPPED } from "./shipped.ts";

/** Compiled models an isolate keeps: champion, challengers, and one that is replayed. */
const KEPT_MODELS = 4;

/** Compiled models by artefact and id, the one used last at the end. Both are fixed once registered. */
const kept = new Map<string, CompiledChampion>();

const kvKey = (sha256: string) => `model:${sha256}`;

/** Puts an artefact where every isolate finds it; the same text again repairs a lost or damaged copy. */
export async function putArtefact(env: Env, artefact: string): Promise<void> {
  await env.KV.put(kvKey(sha256Hex(artefact)), artefact);
}

/**
 * The artefact of a SHA-256 from KV, verified. Throws ModelRefusedError if it is not there or altered (the shipped one
 * is put back if it is not there), and whatever KV throws if it does not answer.
 */
export async function readArtefact(env: Env, sha256: string): Promise<string> {
  const found = await env.KV.get(kvKey(sha256), "text");
  if (found === null) {
    if (sha256 !== SHIPPED.card.sha256)
      throw new ModelRefusedError(`no artefact of SHA-256 ${sha256} is stored`);
    await putArtefact(env, SHIPPED.artefact);
    return SHIPPED.artefact;
  }
  const actual = sha256Hex(found);
  if (actual !== sha256) {
    throw new ModelRefusedError(`the stored artefact's SHA-256 is ${actual}, registered is ${sha256}`);
  }
  return found;
}

/**
 * The model of a card, ready to score: compiled once per isolate from its verified artefact. Throws as
 * `readArtefact`, and ModelRefusedError if this engine cannot evaluate it exactly.
 */
export async function compiledModel(env: Env, card: ModelCard): Promise<CompiledChampion> {
  const key = `${card.sha256} ${card.model_id}`;
  const compiled = kept.get(key) ?? compileChampion(await readArtefact(env, card.sha256), card);
  kept.delete(key);
  kept.set(key, compiled);
  if (kept.size > KEPT_MODELS) kept.delete(kept.keys().next().value!);
  return compiled;
}

/** Empties the isolate's memory of models. */
export function forgetModels(): void {
  kept.clear();
}
