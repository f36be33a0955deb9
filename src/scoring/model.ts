import { logit32 } from "./float32.ts";
import { ModelRefusedError, type ParsedModel, type ParsedTree, parseModelJson } from "./model-json.ts";

/**
 * A tree ensemble in flat arrays: node i of tree k is at roots[k] + i in preorder, so that a left child follows its
 * parent. A leaf has `right` = -1.
 */
export interface CompiledModel {
  /** Names of the inputs, in the order of the rows that `predictMargin` takes. */
  feature_names: readonly string[];
  /** logit(base_score) in float32. */
  base_margin: number;
  roots: Int32Array;
  /** Position of the split's feature in a row. */
  feature: Int32Array;
  threshold: Float32Array;
  default_left: Uint8Array;
  right: Int32Array;
  /** Leaf value; 0 at inner nodes. */
  value: Float32Array;
  /**
   * Share of the training weight that reaches a node: sum_hessian at a leaf, at an inner node the sum of its
   * children, so that the shares of two children always add to exactly their parent's.
   */
  cover: Float64Array;
  max_depth: number;
  /** base_margin + the cover-weighted mean of every tree: what SHAP calls the bias. */
  bias: number;
}

/** Where each of the model's features sits in a row; refuses a feature that the rows do not have. */
function rowPositions(model_names: readonly string[], row_names: readonly string[]): Int32Array {
  const position = new Map(row_names.map((name, i) => [name, i]));
  return Int32Array.from(model_names, (name) => {
    const found = position.get(name);
    if (found === undefined) throw new ModelRefusedError(`the model uses an unknown feature: ${name}`);
    return found;
  });
}

function reachableNodes(tree: ParsedTree): number {
  let reachable = 0;
  const pending = [0];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    reachable++;
    if (tree.left_children[node]! >= 0) pending.push(tree.left_children[node]!, tree.right_children[node]!);
  }
  return reachable;
}

class Compiler {
  private readonly model: CompiledModel;
  private readonly position: Int32Array;
  private used = 0;

  constructor(parsed: ParsedModel, row_names: readonly string[]) {
    const nodes = parsed.trees.reduce((sum, tree) => sum + reachableNodes(tree), 0);
    this.position = rowPositions(parsed.feature_names, row_names);
    this.model = {
      feature_names: row_names,
      base_margin: logit32(parsed.base_score),
      roots: new Int32Array(parsed.trees.length),
      feature: new Int32Array(nodes),
      threshold: new Float32Array(nodes),
      default_left: new Uint8Array(nodes),
      right: new Int32Array(nodes).fill(-1),
      value: new Float32Array(nodes),
      cover: new Float64Array(nodes),
      max_depth: 0,
      bias: 0,
    };
  }

  compile(parsed: ParsedModel): CompiledModel {
    const { model } = this;
    model.bias = model.base_margin;
    for (let k = 0; k < parsed.trees.length; k++) {
      const root = this.used;
      model.roots[k] = root;
      const total = this.place(parsed.trees[k]!, 0, 0);
      model.bias += total / model.cover[root]!;
    }
    return model;
  }

  /** Lays a subtree out in preorder; returns the sum of leaf value * cover below it. */
  private place(tree: ParsedTree, node: number, depth: number): number {
    const { model } = this;
    const at = this.used++;
    model.max_depth = Math.max(model.max_depth, depth);
    const left = tree.left_children[node]!;
    if (left < 0) {
      model.value[at] = tree.split_conditions[node]!;
      model.cover[at] = tree.sum_hessian[node]!;
      return model.value[at]! * model.cover[at]!;
    }
    model.feature[at] = this.position[tree.split_indices[node]!]!;
    model.threshold[at] = tree.split_conditions[node]!;
    model.default_left[at] = tree.default_left[node]! ? 1 : 0;
    const left_total = this.place(tree, left, depth + 1);
    const right_at = this.used;
    model.right[at] = right_at;
    const right_total = this.place(tree, tree.right_children[node]!, depth + 1);
    model.cover[at] = model.cover[at + 1]! + model.cover[right_at]!;
    return left_total + right_total;
  }
}

/**
 * Reads and compiles an XGBoost JSON model for rows whose values are named `row_names` (by default the model's own
 * names in its own order). Throws ModelRefusedError for what it cannot evaluate exactly.
 */
export function loadModel(text: string, row_names?: readonly string[]): CompiledModel {
  const parsed = parseModelJson(text);
  return new Compiler(parsed, row_names ?? parsed.feature_names).compile(parsed);
}

/** A row for the model: float32, NaN where the value is null. */
export function modelRow(values: readonly (number | null)[]): Float32Array {
  return Float32Array.from(values, (value) => value ?? Number.NaN);
}

/** The child of inner node `at` that a value takes: x < threshold goes left, a missing value the default way. */
export function childOf(model: CompiledModel, at: number, row: Float32Array): number {
  const x = row[model.feature[at]!]!;
  // A comparison with NaN is false, so the default direction needs asking only for a missing value.
  const goes_left = x < model.threshold[at]! || (Number.isNaN(x) && model.default_left[at] === 1);
  return goes_left ? at + 1 : model.right[at]!;
}

/** XGBoost's margin of a row, bit for bit: the base margin, then every leaf in tree order, all in float32. */
export function predictMargin(model: CompiledModel, row: Float32Array): number {
  let margin = model.base_margin;
  for (let k = 0; k < model.roots.length; k++) {
    let at = model.roots[k]!;
    while (model.right[at]! >= 0) at = childOf(model, at, row);
    margin = Math.fround(margin + model.value[at]!);
  }
  return margin;
}

/** Logistic function, stable at both ends. */
export function sigmoid(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const e = Math.exp(x);
  return e / (1 + e);
}
