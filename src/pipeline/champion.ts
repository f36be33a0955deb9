import artefact from "../../models/champion.json";
import meta from "../../models/champion.meta.json";
import { sha256Hex } from "../lib/bytes.ts";
import { type CompiledChampion, compileChampion } from "../scoring/engine.ts";

let compiled: CompiledChampion | undefined;

/**
 * The champion, compiled on first use and kept for the isolate's life. The artefact is bundled as text and
 * must have the SHA-256 that its card registers; an Error otherwise, so that nothing is scored by it.
 */
export function champion(): CompiledChampion {
  if (compiled) return compiled;
  const sha256 = sha256Hex(artefact);
  if (sha256 !== meta.sha256)
    throw new Error(`champion artefact has SHA-256 ${sha256}, its card says ${meta.sha256}`);
  compiled = compileChampion(artefact, meta);
  return compiled;
}
