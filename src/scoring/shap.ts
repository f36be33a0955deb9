import { type CompiledModel, childOf, predictMargin } from "./model.ts";

/**
 * Exact path-dependent TreeSHAP (Lundberg, Erion, Lee 2018, algorithm 2) over flat arrays. A path is a run of
 * entries {feature, share of the training weight that follows when the feature is unknown, 1 or 0 when it is known,
 * weight of the subsets of that size}; each depth works on its own copy, laid behind its parent's, so that no node
 * allocates. An explainer is bound to one model and is reused row after row.
 */
export class ShapExplainer {
  private readonly model: CompiledModel;
  private readonly feature: Int32Array;
  private readonly zero: Float64Array;
  private readonly one: Float64Array;
  private readonly weight: Float64Array;
  private row: Float32Array = new Float32Array(0);
  private out: Float64Array = new Float64Array(0);

  constructor(model: CompiledModel) {
    // A path at depth d has d + 1 entries: 1 + 2 + ... + (max_depth + 2) entries are alive at most.
    const entries = ((model.max_depth + 2) * (model.max_depth + 3)) / 2;
    this.model = model;
    this.feature = new Int32Array(entries);
    this.zero = new Float64Array(entries);
    this.one = new Float64Array(entries);
    this.weight = new Float64Array(entries);
  }

  /**
   * Contribution of every input to the margin, into `out` (length of the row, overwritten). Their sum and
   * `model.bias` make the margin.
   */
  explain(row: Float32Array, out: Float64Array): void {
    this.row = row;
    this.out = out;
    out.fill(0);
    for (let k = 0; k < this.model.roots.length; k++) {
      this.descend(this.model.roots[k]!, 0, 0, 1, 1, -1);
    }
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

  /** Adds one split to the path that starts at `base` and has `length` entries. */
  private extend(base: number, length: number, zero: number, one: number, feature: number): void {
    const { weight } = this;
    this.feature[base + length] = feature;
    this.zero[base + length] = zero;
    this.one[base + length] = one;
    weight[base + length] = length === 0 ? 1 : 0;
    const n = length + 1;
    for (let i = length - 1; i >= 0; i--) {
      const w = weight[base + i]!;
      weight[base + i + 1] = weight[base + i + 1]! + (one * w * (i + 1)) / n;
      weight[base + i] = (zero * w * (length - i)) / n;
    }
  }

  /** Takes entry `index` out of a path whose last entry is `last`. */
  private unwind(base: number, last: number, index: number): void {
    const { weight } = this;
    const one = this.one[base + index]!;
    const zero = this.zero[base + index]!;
    const n = last + 1;
    let next = weight[base + last]!;
    for (let i = last - 1; i >= 0; i--) {
      if (one !== 0) {
        const w = weight[base + i]!;
        weight[base + i] = (next * n) / ((i + 1) * one);
        next = w - (weight[base + i]! * zero * (last - i)) / n;
      } else {
        weight[base + i] = (weight[base + i]! * n) / (zero * (last - i));
      }
    }
    for (let i = base + index; i < base + last; i++) {
      this.feature[i] = this.feature[i + 1]!;
      this.zero[i] = this.zero[i + 1]!;
      this.one[i] = this.one[i + 1]!;
    }
  }

  /** Sum of the weights that `unwind` would leave, without changing the path. */
  private unwoundSum(base: number, last: number, index: number): number {
    const { weight } = this;
    const one = this.one[base + index]!;
    const zero = this.zero[base + index]!;
    const n = last + 1;
    let next = weight[base + last]!;
    let sum = 0;
    for (let i = last - 1; i >= 0; i--) {
      if (one !== 0) {
        const w = (next * n) / ((i + 1) * one);
        sum += w;
        next = weight[base + i]! - (w * zero * (last - i)) / n;
      } else {
        sum += (weight[base + i]! * n) / (zero * (last - i));
      }
    }
    return sum;
  }

  private descend(
    at: number,
    parent_base: number,
    length: number,
    zero: number,
    one: number,
    feature: number,
  ): void {
    const { model } = this;
    const base = parent_base + length;
    for (let i = 0; i < length; i++) {
      this.feature[base + i] = this.feature[parent_base + i]!;
      this.zero[base + i] = this.zero[parent_base + i]!;
      this.one[base + i] = this.one[parent_base + i]!;
      this.weight[base + i] = this.weight[parent_base + i]!;
    }
    this.extend(base, length, zero, one, feature);

    if (model.right[at]! < 0) {
      const value = model.value[at]!;
      for (let i = 1; i <= length; i++) {
        const f = this.feature[base + i]!;
        const share = this.unwoundSum(base, length, i) * (this.one[base + i]! - this.zero[base + i]!);
        this.out[f] = this.out[f]! + share * value;
      }
      return;
    }

    const split = model.feature[at]!;
    const hot = childOf(model, at, this.row);
    const cold = hot === at + 1 ? model.right[at]! : at + 1;
    let last = length;
    let split_zero = 1;
    let split_one = 1;
    // A feature met again on the way down is one player still: its earlier entry is undone and merged.
    for (let i = 1; i <= last; i++) {
      if (this.feature[base + i] !== split) continue;
      split_zero = this.zero[base + i]!;
      split_one = this.one[base + i]!;
      this.unwind(base, last, i);
      last--;
      break;
    }
    const cover = model.cover[at]!;
    this.descend(hot, base, last + 1, (split_zero * model.cover[hot]!) / cover, split_one, split);
    this.descend(cold, base, last + 1, (split_zero * model.cover[cold]!) / cover, 0, split);
  }
}
