import { type CompiledModel, splitRow } from "./model.ts";
import { gaussLegendre } from "./shap-quadrature.ts";

/**
 * Exact path-dependent SHAP values by walking the trees. What a leaf is expected to give when only the features in S
 * are known is
 *
 *   value * product over the features j on its path of (j in S ? one_j : zero_j),
 *
 * one_j being 1 if the row follows every split on j of that path, else 0, and zero_j the share of the training weight
 * that follows them. Shapley's weights |S|! (D - 1 - |S|)! / D! are the integrals of t^|S| (1 - t)^(D - 1 - |S|) from
 * 0 to 1, so the sum over all subsets S of the D - 1 other features is one integral,
 *
 *   phi_i = value * (one_i - zero_i) * integral of the product over j != i of (zero_j (1 - t) + one_j t) dt,
 *
 * of a polynomial of degree D - 1, which Gauss-Legendre gives exactly with D / 2 points. All factors are positive, so
 * dividing one out is safe. All leaves below an edge share its factor, so each edge is handled once, with the sum over
 * those leaves (Linear TreeShap, Yu and others 2022, does this with polynomials).
 *
 * An edge goes by the node that it leads to. Scratch arrays are indexed from the tree's root.
 */
export class ShapPaths {
  private readonly model: CompiledModel;
  private readonly points: Float64Array;
  private readonly weights: Float64Array;
  /** Per node: the input that its split reads, whatever the default direction. */
  readonly input: Int32Array;
  /** Per node: its parent; a root names itself. */
  readonly parent: Int32Array;
  /** Per edge: the nearest edge above on the same feature; else the root, whose factor is 1. */
  private readonly earlier: Int32Array;
  /** Per edge: zero of its feature for the path down to here. */
  private readonly zero: Float64Array;
  /** All nodes in order. */
  private readonly nodes: Int32Array;
  /** Per node: whether the row goes left there; scratch that `explainEdges` reads. */
  readonly goes_left: Uint8Array;
  /** Scratch, per edge: one of its feature for the path down to here. */
  private readonly one: Uint8Array;
  /** Scratch, per edge and point: 1 / factor of its feature for the path down to here. */
  private readonly inverse: Float64Array;
  /** Scratch, per node and point: weight * product of the factors of its path. */
  private readonly product: Float64Array;
  /** Scratch, per node and point: the sum of value * product over the leaves below. */
  private readonly below: Float64Array;

  constructor(model: CompiledModel) {
    const nodes = model.right.length;
    const inputs = model.feature_names.length;
    this.model = model;
    this.input = model.feature.map((position) => position % inputs);
    this.parent = new Int32Array(nodes);
    this.earlier = new Int32Array(nodes);
    this.zero = new Float64Array(nodes).fill(1);
    const { most_features, largest_tree } = this.linkEdges();
    const quadrature = gaussLegendre(Math.max(1, Math.ceil(most_features / 2)));
    this.points = quadrature.points;
    this.weights = quadrature.weights;
    this.nodes = Int32Array.from({ length: nodes }, (_, at) => at);
    this.goes_left = new Uint8Array(nodes);
    this.one = new Uint8Array(largest_tree).fill(1);
    this.inverse = new Float64Array(largest_tree * this.points.length).fill(1);
    this.product = new Float64Array(largest_tree * this.points.length);
    this.below = new Float64Array(largest_tree * this.points.length);
  }

  /** Adds the contribution of every input to the margin of `values` to `out` (an entry per input). */
  explain(values: Float32Array, out: Float64Array): void {
    const { feature, threshold, roots, depths } = this.model;
    const row = splitRow(this.model, values);
    const { goes_left } = this;
    for (let at = 0; at < goes_left.length; at++) goes_left[at] = +(row[feature[at]!]! < threshold[at]!);
    for (let k = 0; k < depths.length; k++) {
      this.explainEdges(roots[k]!, this.nodes, roots[k]! + 1, roots[k + 1]!, out);
    }
  }

  /**
   * Adds to `out` what the leaves reached by edges[from] .. edges[to - 1] contribute, given `goes_left`. The edges are
   * of the tree at `root`, parents before children, with all edges on the way from the root.
   */
  explainEdges(root: number, edges: Int32Array, from: number, to: number, out: Float64Array): void {
    const { points, weights, input, parent, earlier, zero, goes_left, one, inverse, product, below } = this;
    const { right, value } = this.model;
    const count = points.length;
    product.set(weights);
    below.fill(0, 0, count);
    for (let i = from; i < to; i++) {
      const at = edges[i]!;
      const up = parent[at]!;
      const same = earlier[at]! - root;
      const follows = goes_left[up]! ^ +(at === right[up]!);
      const edge_one = one[same]! & follows;
      const edge_zero = zero[at]!;
      const leaf_value = value[at]!;
      one[at - root] = edge_one;
      for (let q = 0; q < count; q++) {
        const slot = (at - root) * count + q;
        const t = points[q]!;
        const factor = edge_zero * (1 - t) + edge_one * t;
        const path = product[(up - root) * count + q]! * factor * inverse[same * count + q]!;
        inverse[slot] = 1 / factor;
        product[slot] = path;
        below[slot] = leaf_value * path;
      }
    }
    for (let i = to - 1; i >= from; i--) {
      const at = edges[i]!;
      const up = parent[at]!;
      const same = earlier[at]!;
      const delta = one[at - root]! - zero[at]!;
      // What the earlier edge adds with its own factor is taken back: the feature's factor is this edge's from here on.
      const earlier_delta = one[same - root]! - zero[same]!;
      let sum = 0;
      for (let q = 0; q < count; q++) {
        const slot = (at - root) * count + q;
        const here = below[slot]!;
        sum += here * (delta * inverse[slot]! - earlier_delta * inverse[(same - root) * count + q]!);
        below[(up - root) * count + q] = below[(up - root) * count + q]! + here;
      }
      out[input[up]!] = out[input[up]!]! + sum;
    }
  }

  /** Fills in `parent`, `earlier` and `zero`; returns the most features on a path and the nodes of the largest tree. */
  private linkEdges(): { most_features: number; largest_tree: number } {
    const { input, parent, earlier, zero } = this;
    const { roots, depths, right, cover } = this.model;
    const features = new Int32Array(right.length);
    let most_features = 0;
    let largest_tree = 0;
    for (let k = 0; k < depths.length; k++) {
      const root = roots[k]!;
      const end = roots[k + 1]!;
      largest_tree = Math.max(largest_tree, end - root);
      parent[root] = root;
      for (let at = root; at < end; at++) {
        if (right[at] !== at) parent[right[at]! - 1] = parent[right[at]!] = at;
        if (at === root) continue;
        const up = parent[at]!;
        let same = up;
        while (same !== root && input[parent[same]!] !== input[up]) same = parent[same]!;
        earlier[at] = same;
        zero[at] = (zero[same]! * cover[at]!) / cover[up]!;
        features[at] = features[up]! + +(same === root);
        most_features = Math.max(most_features, features[at]!);
      }
    }
    return { most_features, largest_tree };
  }
}
