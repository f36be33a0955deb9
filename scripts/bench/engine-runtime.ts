import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type CompiledModel, loadModel, predictMargin } from "../../src/scoring/model.ts";
import { ShapExplainer } from "../../src/scoring/shap.ts";
import { ShapPaths } from "../../src/scoring/shap-paths.ts";
import { cpuUs } from "./engine-cpu.ts";
import type { BenchModel } from "./engine-models.ts";
import type { XgboostSide } from "./engine-xgboost.ts";
import { median } from "./load.ts";

/** What one model costs in CPU time; per row in microseconds, medians over the rounds. */
export interface RuntimeFigures {
  shape: string;
  nodes: number;
  load_ms: number;
  /** The first explanation, which builds the tables. */
  tables_ms: number;
  /** Typed arrays of the compiled model and its tables. */
  memory_mb: number;
  shap_us: number;
  /** By walking the trees, as where tables do not fit. */
  paths_us: number;
  margin_us: number;
  xgboost: {
    shap_batch_us: number;
    shap_single_us: number;
    margin_batch_us: number;
    margin_single_us: number;
  } | null;
  /** Largest differences over all rows: to XGBoost's float32 answers, or where there are none to the paths' float64. */
  shap_difference: number;
  margin_difference: number | null;
}

export const ROUNDS = 7;
const WARM_UP_PASSES = 10;
/** A round of XGBoost's takes hundreds of milliseconds; several passes bring ours nearer to that. */
const PASSES = 5;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

function arrayBytes(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

function usPerRow(rows: readonly Float32Array[], passes: number, run: (row: Float32Array) => void): number {
  const us = cpuUs(() => {
    for (let pass = 0; pass < passes; pass++) for (const row of rows) run(row);
  });
  return us / (passes * rows.length);
}

/** Measures one model against XGBoost, both in turn within every round; `progress` is told of each round. */
export async function benchRuntime(
  { shape, text, rows, expected }: BenchModel,
  xgboost: XgboostSide | null,
  progress: () => void,
): Promise<RuntimeFigures> {
  const bytes_before = arrayBytes();
  let model!: CompiledModel;
  const load_us = cpuUs(() => {
    model = loadModel(text);
  });
  const explainer = new ShapExplainer(model);
  const out = new Float64Array(model.feature_names.length);
  const tables_us = cpuUs(() => explainer.explain(rows[0]!, out));
  const memory_mb = (arrayBytes() - bytes_before) / 1e6;

  const paths = new ShapPaths(model);
  const explain = (row: Float32Array) => explainer.explain(row, out);
  const walk = (row: Float32Array) => paths.explain(row, out.fill(0));
  // A sum that is used, so that no margin is left out as dead code.
  let sum = 0;
  const margin = (row: Float32Array) => {
    sum += predictMargin(model, row);
  };

  let shap_difference = 0;
  let margin_difference = 0;
  rows.forEach((row, i) => {
    walk(row);
    const reference = expected?.contributions[i] ?? Float64Array.from(out);
    explain(row);
    out.forEach((value, f) => {
      shap_difference = Math.max(shap_difference, Math.abs(value - reference[f]!));
    });
    if (expected === null) return;
    margin_difference = Math.max(
      margin_difference,
      Math.abs(predictMargin(model, row) - expected.margins[i]!),
    );
  });
  for (const run of [explain, walk, margin]) usPerRow(rows, WARM_UP_PASSES, run);

  const times: Record<string, number[]> = {};
  const add = (name: string, us: number) => {
    times[name] ??= [];
    times[name].push(us);
  };
  for (let round = 0; round < ROUNDS; round++) {
    add("shap", usPerRow(rows, PASSES, explain));
    add("margin", usPerRow(rows, PASSES, margin));
    add("paths", usPerRow(rows, 1, walk));
    for (const mode of ["batch", "single"] as const) {
      for (const quantity of ["shap", "margin"] as const) {
        if (xgboost !== null) add(`${quantity} ${mode}`, await xgboost.round(shape, mode, quantity));
      }
    }
    progress();
  }
  if (!Number.isFinite(sum)) throw new Error(`${shape}: a margin is not finite`);
  const us = (name: string) => median(times[name]!);
  return {
    shape,
    nodes: model.right.length,
    load_ms: load_us / 1000,
    tables_ms: tables_us / 1000,
    memory_mb,
    shap_us: us("shap"),
    paths_us: us("paths"),
    margin_us: us("margin"),
    xgboost:
      xgboost === null
        ? null
        : {
            shap_batch_us: us("shap batch"),
            shap_single_us: us("shap single"),
            margin_batch_us: us("margin batch"),
            margin_single_us: us("margin single"),
          },
    shap_difference,
    margin_difference: expected === null ? null : margin_difference,
  };
}
