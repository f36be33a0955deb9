import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ChampionMeta, type CompiledChampion, compileChampion } from "../../src/scoring/engine.ts";
import { ModelRefusedError } from "../../src/scoring/model-json.ts";
import { OperationError } from "../lib/errors.ts";
import { PROJECT_ROOT } from "../runtime/layout.ts";
import { readable } from "./table.ts";

/**
 * The champion that ships with the project, verified against its card. OperationError if a file is missing or the
 * artefact is not the registered one.
 */
export function shippedChampion(folder = join(PROJECT_ROOT, "models")): CompiledChampion {
  const path = join(folder, "champion.xgb");
  const text = readable(path, () => readFileSync(path, "utf8"));
  const meta = shippedMeta(folder);
  try {
    return compileChampion(text, meta);
  } catch (error) {
    if (error instanceof ModelRefusedError) throw new OperationError(`${path}: ${error.message}`);
    throw error;
  }
}

/** What is registered about the shipped champion. OperationError if the file is missing. */
export function shippedMeta(folder = join(PROJECT_ROOT, "models")): ChampionMeta {
  const path = join(folder, "champion.meta.json");
  return JSON.parse(readable(path, () => readFileSync(path, "utf8"))) as ChampionMeta;
}
