import type { CompiledModel } from "./model.ts";
import type { ShapPaths } from "./shap-paths.ts";

/**
 * A subtree taken as one. What its leaves contribute together depends on nothing but the outcomes of the splits on the
 * way to it and of its own splits.
 */
export interface LeafGroup {
  root: number;
  /** The edges on the way to the subtree and its own, parents first, as `ShapPaths.explainEdges` takes them. */
  edges: Int32Array;
  /** The splits in the same order: first those above, shared with other groups, then its own. */
  splits: readonly number[];
  /** The distinct inputs that these splits read: all that the leaves contribute to. */
  inputs: readonly number[];
}

/** Table entries of a group: a value per input for every combination of outcomes. */
export function tableSize(group: LeafGroup): number {
  return group.inputs.length * 2 ** group.splits.length;
}

/** Per node, the splits at and below it. */
function countSplits({ roots, depths, right }: CompiledModel): Int32Array {
  const splits = new Int32Array(right.length);
  for (let at = roots[depths.length]! - 1; at >= 0; at--) {
    if (right[at] !== at) splits[at] = 1 + splits[right[at]! - 1]! + splits[right[at]!]!;
  }
  return splits;
}

function groupAt(model: CompiledModel, paths: ShapPaths, root: number, top: number): LeafGroup {
  const edges: number[] = [];
  for (let at = top; at !== root; at = paths.parent[at]!) edges.unshift(at);
  const splits = edges.map((at) => paths.parent[at]!);
  const nodes = [top];
  // Grows while it is walked.
  for (const at of nodes) {
    const right = model.right[at]!;
    if (right === at) continue;
    splits.push(at);
    nodes.push(right - 1, right);
    edges.push(right - 1, right);
  }
  const inputs = [...new Set(splits.map((at) => paths.input[at]!))];
  return { root, edges: Int32Array.from(edges), splits, inputs };
}

/**
 * Divides the leaves of a model into the largest subtrees that depend on at most `max_splits` splits each (at least
 * the depth of the deepest tree). Null when their tables would have more than `max_entries` entries together. A tree
 * without splits has no group.
 */
export function leafGroups(
  model: CompiledModel,
  paths: ShapPaths,
  max_splits: number,
  max_entries: number,
): LeafGroup[] | null {
  const splits = countSplits(model);
  const groups: LeafGroup[] = [];
  let entries = 0;
  for (let k = 0; k < model.depths.length; k++) {
    const root = model.roots[k]!;
    const pending = splits[root]! > 0 ? [{ top: root, above: 0 }] : [];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const { top, above } = next;
      if (above + splits[top]! > max_splits) {
        const right = model.right[top]!;
        pending.push({ top: right, above: above + 1 }, { top: right - 1, above: above + 1 });
        continue;
      }
      const group = groupAt(model, paths, root, top);
      entries += tableSize(group);
      if (entries > max_entries) return null;
      groups.push(group);
    }
  }
  return groups;
}
