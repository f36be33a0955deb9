import meta from "../../models/champion.meta.json";
import artefact from "../../models/champion.xgb";
import { type CompiledChampion, compileChampion } from "../scoring/engine.ts";

let compiled: CompiledChampion | undefined;

/**
 * The champion, verified against the SHA-256 of its card and compiled on first use, then kept for the isolate's
 * life. Throws ModelRefusedError if artefact and card do not belong together, so that nothing is scored by it.
 */
export function champion(): CompiledChampion {
  compiled ??= compileChampion(artefact, meta);
  return compiled;
}
