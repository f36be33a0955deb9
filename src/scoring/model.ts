import { logit32 } from "./float32.ts";
import { ModelRefusedError, type ParsedModel, type ParsedTree, parseModelJson } from "./model-json.ts";

/**
 * A tree ensemble in flat arrays. Tree k is the nodes from roots[k] up to roots[k + 1], breadth first: a parent comes
 * before its children, a left child just before its right sibling. An evaluation does not branch on the data, which
 * no processor could predict: a step is `right[at] - (x < threshold[at])`, and a leaf leads to itself.
 */
export interface CompiledModel {
  /** Names of the inputs, in the order of the rows that `predictMargin` takes. */
  feature_names: readonly string[];
  /** logit(base_score) in float32. */
  base_margin: number;
  /** The trees' first nodes, and the end of the last tree. */
  roots: Int32Array;
  /** Depth of each tree; 0 for a single leaf. */
  depths: Int32Array;
  /** Position of the split's feature in `splitRow`; 0 at leaves. */
  feature: Int32Array;
  /** NaN at leaves. */
  threshold: Float32Array;
  /** The right child; the left one is just before it. A leaf names itself. */
  right: Int32Array;
  /** Leaf value; 0 at inner nodes. */
  value: Float32Array;
  /**
   * Share of the training weight that reaches a node: sum_hessian at a leaf, at an inner node the sum of its
   * children, so that the shares of two children always add to exactly their parent's.
   */
  cover: Float64Array;
  /** base_margin + the cover-weighted mean of every tree: what SHAP calls the bias. */
  bias: number;
  /** What `splitRow` fills; a model is evaluated by one thread, one row at a time. */
  row: Float32Array;
}

/** Where each of the model's features sits in a row; refuses one that the rows do not have, or have twice. */
function rowPositions(model_names: readonly string[], row_names: readonly string[]): Int32Array {
  const position = new Map<string, number>();
  row_names.forEach((name, i) => {
    if (position.has(name)) throw new ModelRefusedError(`the rows name the feature ${name} twice`);
    position.set(name, i);
  });
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

  constructor(parsed: ParsedModel, row_names: readonly string[]) {
    const nodes = parsed.trees.reduce((sum, tree) => sum + reachableNodes(tree), 0);
    this.position = rowPositions(parsed.feature_names, row_names);
    this.model = {
      feature_names: row_names,
      base_margin: logit32(parsed.base_score),
      roots: new Int32Array(parsed.trees.length + 1),
      depths: new Int32Array(parsed.trees.length),
      feature: new Int32Array(nodes),
      threshold: new Float32Array(nodes).fill(Number.NaN),
      right: new Int32Array(nodes),
      value: new Float32Array(nodes),
      cover: new Float64Array(nodes),
      bias: 0,
      row: new Float32Array(2 * row_names.length),
    };
  }

  compile(parsed: ParsedModel): CompiledModel {
    const { model } = this;
    model.bias = model.base_margin;
    parsed.trees.forEach((tree, k) => {
      const root = model.roots[k]!;
      model.roots[k + 1] = this.place(tree, k, root);
      model.bias += this.weigh(root, model.roots[k + 1]!);
    });
    return model;
  }

  /** Lays tree `k` out from node `root` on; returns where it ends. */
  private place(tree: ParsedTree, k: number, root: number): number {
    const { model } = this;
    const pending = [{ node: 0, depth: 0 }];
    // Grows while it is walked: a node's children go to its end, and their places are known by its length.
    for (let i = 0; i < pending.length; i++) {
      const { node, depth } = pending[i]!;
      const at = root + i;
      model.depths[k] = depth;
      const left = tree.left_children[node]!;
      if (left < 0) {
        model.right[at] = at;
        model.value[at] = tree.split_conditions[node]!;
        model.cover[at] = tree.sum_hessian[node]!;
        continue;
      }
      const position = this.position[tree.split_indices[node]!]!;
      model.feature[at] = position + (tree.default_left[node]! ? model.feature_names.length : 0);
      model.threshold[at] = tree.split_conditions[node]!;
      pending.push({ node: left, depth: depth + 1 }, { node: tree.right_children[node]!, depth: depth + 1 });
      model.right[at] = root + pending.length - 1;
    }
    return root + pending.length;
  }

  /** Fills in the covers of a tree's inner nodes; returns the tree's cover-weighted mean. */
  private weigh(root: number, end: number): number {
    const { right, cover, value } = this.model;
    const total = new Float64Array(end - root);
    for (let at = end - 1; at >= root; at--) {
      const right_at = right[at]!;
      if (right_at === at) {
        total[at - root] = value[at]! * cover[at]!;
        continue;
      }
      cover[at] = cover[right_at - 1]! + cover[right_at]!;
      total[at - root] = total[right_at - 1 - root]! + total[right_at - root]!;
    }
    return total[0]! / cover[root]!;
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

/**
 * The row as splits read it, valid until the next call: once as it is, where a missing value (NaN) compares false and
 * goes right, and once with -Infinity for missing values, which compares true and goes left. A split's `feature` points
 * into the half of its default direction.
 */
export function splitRow(model: CompiledModel, values: Float32Array): Float32Array {
  const { row } = model;
  const count = model.feature_names.length;
  for (let i = 0; i < count; i++) {
    const x = values[i]!;
    row[i] = x;
    row[count + i] = Number.isNaN(x) ? Number.NEGATIVE_INFINITY : x;
  }
  return row;
}

/** XGBoost's margin of a row, bit for bit: the base margin, then every leaf in tree order, all in float32. */
export function predictMargin(model: CompiledModel, values: Float32Array): number {
  const { roots, depths, feature, threshold, right, value } = model;
  const row = splitRow(model, values);
  let margin = model.base_margin;
  for (let k = 0; k < depths.length; k++) {
    let at = roots[k]!;
    for (let level = depths[k]!; level > 0; level--) {
      at = right[at]! - +(row[feature[at]!]! < threshold[at]!);
    }
    margin = Math.fround(margin + value[at]!);
  }
  return margin;
}

/** Logistic function, stable at both ends. */
export function sigmoid(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const e = Math.exp(x);
  return e / (1 + e);
}
