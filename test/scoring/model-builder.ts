import fc from "fast-check";

/** A tree written by hand: a leaf with its share of the training weight, or a split. */
export type TreeSketch =
  | { leaf: number; cover: number }
  | { feature: number; threshold: number; default_left: boolean; left: TreeSketch; right: TreeSketch };

interface TreeJson {
  left_children: number[];
  right_children: number[];
  split_indices: number[];
  split_conditions: number[];
  default_left: number[];
  sum_hessian: number[];
  split_type: number[];
  categories: number[];
  tree_param: { size_leaf_vector: string };
}

function coverOf(sketch: TreeSketch): number {
  return "leaf" in sketch ? sketch.cover : coverOf(sketch.left) + coverOf(sketch.right);
}

/** XGBoost's JSON of one tree, nodes in breadth-first order as XGBoost writes them. */
export function treeJson(root: TreeSketch): TreeJson {
  const nodes: TreeSketch[] = [root];
  const tree: TreeJson = {
    left_children: [],
    right_children: [],
    split_indices: [],
    split_conditions: [],
    default_left: [],
    sum_hessian: [],
    split_type: [],
    categories: [],
    tree_param: { size_leaf_vector: "1" },
  };
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[i]!;
    const is_leaf = "leaf" in node;
    tree.left_children.push(is_leaf ? -1 : nodes.length);
    tree.right_children.push(is_leaf ? -1 : nodes.length + 1);
    tree.split_indices.push(is_leaf ? 0 : node.feature);
    tree.split_conditions.push(is_leaf ? node.leaf : node.threshold);
    tree.default_left.push(!is_leaf && node.default_left ? 1 : 0);
    tree.sum_hessian.push(coverOf(node));
    tree.split_type.push(0);
    if (!is_leaf) nodes.push(node.left, node.right);
  }
  return tree;
}

/** A whole model as XGBoost writes it; `change` edits the parsed JSON before it becomes text. */
export function modelText(
  feature_names: readonly string[],
  trees: readonly TreeSketch[],
  // biome-ignore lint/suspicious/noExplicitAny: tests break the model in arbitrary places
  change: (model: any) => void = () => {},
): string {
  const model = {
    version: [1, 7, 4],
    learner: {
      feature_names: [...feature_names],
      feature_types: feature_names.map(() => "float"),
      learner_model_param: {
        base_score: "5E-1",
        num_class: "0",
        num_feature: String(feature_names.length),
        num_target: "1",
      },
      objective: { name: "binary:logistic" },
      gradient_booster: { name: "gbtree", model: { trees: trees.map(treeJson) } },
    },
  };
  change(model);
  return JSON.stringify(model);
}

const leaf = fc.record({
  leaf: fc.float({ min: -2, max: 2, noNaN: true }),
  cover: fc.float({ min: 0.5, max: 100, noNaN: true }),
});

/** Random trees over `features` features whose thresholds and values share a small grid, so that ties happen. */
export function anyTree(features: number, depth: number): fc.Arbitrary<TreeSketch> {
  if (depth === 0) return leaf;
  const below = anyTree(features, depth - 1);
  const split = fc.record({
    feature: fc.nat(features - 1),
    threshold: fc.integer({ min: -3, max: 3 }).map((n) => n / 2),
    default_left: fc.boolean(),
    left: below,
    right: below,
  });
  return fc.oneof({ weight: 1, arbitrary: leaf }, { weight: 4, arbitrary: split });
}

/** A row of `features` values on the thresholds' grid or beyond all of them, some missing. */
export function anyRow(features: number): fc.Arbitrary<(number | null)[]> {
  const on_grid = fc.integer({ min: -3, max: 3 }).map((n) => n / 2);
  const extreme = fc.constantFrom(-0, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
  const value = fc.option(fc.oneof({ weight: 6, arbitrary: on_grid }, { weight: 1, arbitrary: extreme }), {
    freq: 4,
  });
  return fc.array(value, { minLength: features, maxLength: features });
}
