import { sha256Hex } from "../lib/bytes.ts";
import { type Calibration, requireCalibration } from "./calibration.ts";
import { FEATURE_LIST_VERSION, FEATURE_NAMES } from "./feature-table.ts";
import { type CompiledModel, loadModel } from "./model.ts";
import { ModelRefusedError } from "./model-json.ts";
import { ShapExplainer } from "./shap.ts";
import type { ModelIdentity } from "./types.ts";

/** What is registered about a model beside its artefact; further fields (training window, metrics) are for readers. */
export interface ChampionMeta extends ModelIdentity {
  feature_list_version: string;
  calibration: Calibration;
  /** Half width, in margin units, of the interval whose upper end the sparse route takes. */
  sparse_margin_halfwidth: number;
}

/** A model ready to score: verified, compiled, with its explainer. */
export interface CompiledChampion {
  identity: ModelIdentity;
  model: CompiledModel;
  explainer: ShapExplainer;
  calibration: Calibration;
  sparse_margin_halfwidth: number;
}

/**
 * Verifies an artefact against its registration and compiles it. Throws ModelRefusedError when the SHA-256 or the
 * feature list differs, or when the model cannot be evaluated exactly.
 */
export function compileChampion(model_json_text: string, meta: ChampionMeta): CompiledChampion {
  const sha256 = sha256Hex(model_json_text);
  if (sha256 !== meta.sha256) {
    throw new ModelRefusedError(`the model's SHA-256 is ${sha256}, registered is ${meta.sha256}`);
  }
  if (meta.feature_list_version !== FEATURE_LIST_VERSION) {
    throw new ModelRefusedError(
      `the model was trained on feature list ${meta.feature_list_version}, this engine computes ${FEATURE_LIST_VERSION}`,
    );
  }
  const { sparse_margin_halfwidth } = meta;
  if (!(sparse_margin_halfwidth >= 0 && Number.isFinite(sparse_margin_halfwidth))) {
    throw new ModelRefusedError("sparse_margin_halfwidth is not a finite number from 0");
  }
  const model = loadModel(model_json_text, FEATURE_NAMES);
  return {
    identity: { model_id: meta.model_id, version: meta.version, sha256 },
    model,
    explainer: new ShapExplainer(model),
    calibration: requireCalibration(meta.calibration),
    sparse_margin_halfwidth,
  };
}
