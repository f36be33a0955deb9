import { createRandom, type Random } from "../../src/synthetic/random.ts";

/** A model, the rows to run it on, and where XGBoost was there to ask, its own answers. */
export interface BenchModel {
  /** For example 200x4: 200 trees of depth 4. */
  shape: string;
  text: string;
  rows: Float32Array[];
  expected: {
    margins: Float32Array;
    /** Per row: a contribution per feature, then the bias. */
    contributions: Float32Array[];
  } | null;
}

const FEATURES = 42;
const ROWS = 1_000;
const MISSING_SHARE = 0.05;
const SHAPES = [
  { trees: 200, depth: 4 },
  { trees: 300, depth: 6 },
];

/** XGBoost's JSON of a full tree, breadth first: the children of node i are 2 i + 1 and 2 i + 2. */
function fullTree(random: Random, depth: number) {
  const nodes = 2 ** (depth + 1) - 1;
  const inner = 2 ** depth - 1;
  const ids = Array.from({ length: nodes }, (_, i) => i);
  const sum_hessian = [1000];
  for (const i of ids.slice(0, inner)) {
    const share = random.between(0.1, 0.9);
    sum_hessian.push(sum_hessian[i]! * share, sum_hessian[i]! * (1 - share));
  }
  return {
    left_children: ids.map((i) => (i < inner ? 2 * i + 1 : -1)),
    right_children: ids.map((i) => (i < inner ? 2 * i + 2 : -1)),
    split_indices: ids.map((i) => (i < inner ? random.integer(0, FEATURES - 1) : 0)),
    split_conditions: ids.map((i) => (i < inner ? random.normal() : random.between(-0.1, 0.1))),
    default_left: ids.map(() => Number(random.chance(0.5))),
    sum_hessian,
  };
}

/** Seeded random models and rows of the shapes that training/speed.py trains, for where there is no XGBoost. */
export function randomModels(): BenchModel[] {
  const random = createRandom("bench:engine");
  const rows = Array.from({ length: ROWS }, () =>
    Float32Array.from({ length: FEATURES }, () =>
      random.chance(MISSING_SHARE) ? Number.NaN : random.normal(),
    ),
  );
  return SHAPES.map(({ trees, depth }) => ({
    shape: `${trees}x${depth}`,
    text: JSON.stringify({
      learner: {
        feature_names: Array.from({ length: FEATURES }, (_, i) => `f${i}`),
        learner_model_param: { base_score: "5E-1", num_class: "0", num_feature: String(FEATURES) },
        objective: { name: "binary:logistic" },
        gradient_booster: {
          name: "gbtree",
          model: { trees: Array.from({ length: trees }, () => fullTree(random, depth)) },
        },
      },
    }),
    rows,
    expected: null,
  }));
}
