import { type CompiledModel, predictMargin } from "./model.ts";
import { ShapPaths } from "./shap-paths.ts";
import { ShapTables } from "./shap-tables.ts";

/** An isolate has 128 MB and may hold a champion and two challengers. */
const MAX_TABLE_BYTES = 32 * 2 ** 20;

/**
 * Exact path-dependent SHAP values of one model, row after row: by tables (built at the first call, in some ten
 * milliseconds) where they fit into memory, else by walking the trees. Both equal Shapley's definition to float64's
 * rounding.
 */
export class ShapExplainer {
  private readonly model: CompiledModel;
  private evaluator: ShapTables | ShapPaths | null = null;

  constructor(model: CompiledModel) {
    this.model = model;
  }

  /**
   * Contribution of every input to the margin, into `out` (length of the row, overwritten). Their sum and
   * `model.bias` make the margin.
   */
  explain(row: Float32Array, out: Float64Array): void {
    if (this.evaluator === null) {
      const paths = new ShapPaths(this.model);
      this.evaluator = ShapTables.build(this.model, paths, MAX_TABLE_BYTES) ?? paths;
    }
    out.fill(0);
    this.evaluator.explain(row, out);
  }

  /**
   * As `explain`, with the float32 margin and a bias that together add up: margin = bias + sum(out) to float64.
   * The margin is a float32 sum over the trees, the contributions are exact, so they differ by rounding (about 1e-8
   * a tree); that difference is spread over the terms in proportion to their size.
   */
  explainMargin(row: Float32Array, out: Float64Array): { margin: number; bias: number } {
    this.explain(row, out);
    const margin = predictMargin(this.model, row);
    let total = this.model.bias;
    let size = Math.abs(this.model.bias);
    for (let i = 0; i < out.length; i++) {
      total += out[i]!;
      size += Math.abs(out[i]!);
    }
    if (size === 0) return { margin, bias: margin };
    const rounding = (margin - total) / size;
    for (let i = 0; i < out.length; i++) out[i] = out[i]! + rounding * Math.abs(out[i]!);
    return { margin, bias: this.model.bias + rounding * Math.abs(this.model.bias) };
  }
}
