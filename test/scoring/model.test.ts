import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { logit32 } from "../../src/scoring/float32.ts";
import { loadModel, modelRow, predictMargin, sigmoid } from "../../src/scoring/model.ts";
import { ModelRefusedError, parseBaseScore } from "../../src/scoring/model-json.ts";
import { anyRow, anyTree, modelText, type TreeSketch } from "./model-builder.ts";

const NAMES = ["a", "b", "c"];
const STUMP: TreeSketch = {
  feature: 1,
  threshold: 0.1,
  default_left: false,
  left: { leaf: -1, cover: 2 },
  right: { leaf: 1, cover: 3 },
};

describe("a model's margin", () => {
  it("compares in float32, strictly below goes left", () => {
    const model = loadModel(modelText(NAMES, [STUMP]));
    expect(predictMargin(model, modelRow([0, 0.1, 0]))).toBe(1);
    // Just below 0.1 as a double, but the same float32: it is not below.
    expect(predictMargin(model, modelRow([0, 0.1 - 1e-12, 0]))).toBe(1);
    expect(predictMargin(model, modelRow([0, 0.0999, 0]))).toBe(-1);
  });

  it("sends a missing value the default way", () => {
    expect(predictMargin(loadModel(modelText(NAMES, [STUMP])), modelRow([0, null, 0]))).toBe(1);
    const left = loadModel(modelText(NAMES, [{ ...STUMP, default_left: true }]));
    expect(predictMargin(left, modelRow([0, null, 0]))).toBe(-1);
  });

  it("adds leaves to the base margin in tree order, rounding to float32 each time", () => {
    fc.assert(
      fc.property(fc.array(anyTree(3, 3), { minLength: 1, maxLength: 8 }), anyRow(3), (trees, row) => {
        const text = modelText(NAMES, trees, (model) => {
          model.learner.learner_model_param.base_score = "[1.7E-1]";
        });
        const walk = (tree: TreeSketch): number => {
          if ("leaf" in tree) return Math.fround(tree.leaf);
          const x = row[tree.feature]!;
          const left = x === null ? tree.default_left : Math.fround(x) < Math.fround(tree.threshold);
          return walk(left ? tree.left : tree.right);
        };
        const expected = trees.reduce((sum, tree) => Math.fround(sum + walk(tree)), logit32(0.17));
        expect(predictMargin(loadModel(text), modelRow(row))).toBe(expected);
      }),
      { numRuns: 1000 },
    );
  });

  it("takes rows in another order of names than the model's own", () => {
    const model = loadModel(modelText(NAMES, [STUMP]), ["x", "b", "a", "c"]);
    expect(predictMargin(model, modelRow([5, -1, 5, 5]))).toBe(-1);
  });
});

describe("base_score", () => {
  it.each([
    ["0.5", 0.5],
    ["5E-1", 0.5],
    ["4.2E-2", 0.042],
    ["[4.2E-2]", 0.042],
    [0.25, 0.25],
  ])("%s is the probability %d", (written, probability) => {
    expect(parseBaseScore(written)).toBe(probability);
  });

  it.each([
    "0",
    "1",
    "-0.2",
    "[0.1,0.2]",
    "",
    "half",
    "NaN",
    // 1 and 0 in 32 bits.
    "0.99999999",
    "1e-300",
    undefined,
    null,
    Number.NaN,
    ["0.5"],
  ])("%s is refused", (written) => {
    expect(() => parseBaseScore(written)).toThrow(ModelRefusedError);
  });

  it("becomes XGBoost's own float32 margin", () => {
    // base_score and the margin of an empty model, from XGBoost 1.7.4; the last two differ from fround(Math.log).
    expect(logit32(0.5)).toBe(0);
    expect(logit32(4.0183294e-1)).toBe(-0.3978336751461029);
    expect(logit32(2.9564378e-1)).toBe(-0.8681288957595825);
    expect(logit32(8.4630436e-1)).toBe(1.7059049606323242);
    expect(logit32(5.037953e-1)).toBe(0.015181642025709152);
    expect(logit32(5.15125e-1)).toBe(0.06051841750741005);
  });
});

describe("a model is refused", () => {
  const refuses = (message: RegExp, change: (model: ReturnType<typeof JSON.parse>) => void) => () =>
    expect(() => loadModel(modelText(NAMES, [STUMP], change), NAMES)).toThrow(
      expect.objectContaining({ name: "ModelRefusedError", message: expect.stringMatching(message) }),
    );
  const tree = (model: ReturnType<typeof JSON.parse>) => model.learner.gradient_booster.model.trees[0];

  /** STUMP's JSON with one number replaced by text that JSON.stringify would not write. */
  const refusesText = (message: RegExp, written: string, instead: string) => () => {
    const text = modelText(NAMES, [{ ...STUMP, left: { leaf: -0.125, cover: 2 } }]);
    expect(text.split(written)).toHaveLength(2);
    expect(() => loadModel(text.replace(written, instead))).toThrow(ModelRefusedError);
    expect(() => loadModel(text.replace(written, instead))).toThrow(message);
  };

  /** A chain: every right child splits again. */
  const chain = (depth: number): TreeSketch =>
    depth === 0 ? { leaf: 1, cover: 1 } : { ...STUMP, left: { leaf: 0, cover: 1 }, right: chain(depth - 1) };
  const bush = (depth: number): TreeSketch =>
    depth === 0 ? { leaf: 1, cover: 1 } : { ...STUMP, left: bush(depth - 1), right: bush(depth - 1) };

  it("when it is no JSON, or not XGBoost's", () => {
    expect(() => loadModel("{")).toThrow(/not JSON/);
    expect(() => loadModel('{"learner": NaN}')).toThrow(/not JSON/);
    expect(() => loadModel("[]")).toThrow(ModelRefusedError);
    expect(() => loadModel("{}")).toThrow(/learner/);
  });
  it(
    "with a dart booster",
    refuses(/booster dart/, (m) => {
      m.learner.gradient_booster.name = "dart";
    }),
  );
  it(
    "with a linear booster",
    refuses(/booster gblinear/, (m) => {
      m.learner.gradient_booster.name = "gblinear";
    }),
  );
  it(
    "with several classes",
    refuses(/multi-class/, (m) => {
      m.learner.learner_model_param.num_class = "3";
    }),
  );
  it(
    "with another objective",
    refuses(/objective reg:squarederror/, (m) => {
      m.learner.objective.name = "reg:squarederror";
    }),
  );
  it(
    "with categorical splits",
    refuses(/categorical/, (m) => {
      tree(m).split_type[0] = 1;
    }),
  );
  it(
    "with categorical features",
    refuses(/categorical/, (m) => {
      m.learner.feature_types[0] = "c";
    }),
  );
  it(
    "with vector leaves",
    refuses(/vector leaves/, (m) => {
      tree(m).tree_param.size_leaf_vector = "2";
    }),
  );
  it(
    "with a feature that the rows do not have",
    refuses(/unknown feature: z/, (m) => {
      m.learner.feature_names[1] = "z";
    }),
  );
  it(
    "with a feature named twice",
    refuses(/twice/, (m) => {
      m.learner.feature_names[1] = "a";
    }),
  );
  it(
    "without feature names",
    refuses(/name its features/, (m) => {
      m.learner.feature_names = [];
    }),
  );
  it(
    "with a number of features that is not the names'",
    refuses(/declares 7/, (m) => {
      m.learner.learner_model_param.num_feature = "7";
    }),
  );
  it(
    "with a cycle",
    refuses(/cycle/, (m) => {
      tree(m).left_children[0] = 0;
    }),
  );
  it(
    "with a node of two parents",
    refuses(/node 2 has two parents/, (m) => {
      tree(m).left_children[0] = 2;
    }),
  );
  it(
    "with half a child",
    refuses(/outside the tree/, (m) => {
      tree(m).left_children[0] = 0.5;
    }),
  );
  it(
    "with a child outside the tree",
    refuses(/outside the tree/, (m) => {
      tree(m).right_children[0] = 9;
    }),
  );
  it(
    "with one child only",
    refuses(/outside the tree/, (m) => {
      tree(m).right_children[0] = -1;
    }),
  );
  it(
    "with a split on no feature",
    refuses(/splits on feature 3/, (m) => {
      tree(m).split_indices[0] = 3;
    }),
  );
  it(
    "with a null leaf",
    refuses(/not a finite number/, (m) => {
      tree(m).split_conditions[1] = null;
    }),
  );
  it(
    "with a leaf beyond float32",
    refuses(/32-bit/, (m) => {
      tree(m).split_conditions[1] = 1e39;
    }),
  );
  it("with NaN in a leaf", refusesText(/not JSON/, "-0.125", "NaN"));
  it("with infinity in a leaf", refusesText(/not a finite number/, "-0.125", "-1e999"));
  it("with infinity in a threshold", refusesText(/not a finite number/, "[0.1,", "[1e999,"));
  it("with infinity in a cover", refusesText(/not a finite number/, "[5,2,3]", "[5,1e999,3]"));
  it("with a text in a leaf", refusesText(/not a finite number/, "-0.125", '"0.125"'));
  it(
    "with a default direction that is none",
    refuses(/default_left holds something other/, (m) => {
      tree(m).default_left[0] = 2;
    }),
  );
  it(
    "with a list missing",
    refuses(/sum_hessian is not a list/, (m) => {
      delete tree(m).sum_hessian;
    }),
  );
  it(
    "with a tree that is none",
    refuses(/tree 0 is not an object/, (m) => {
      m.learner.gradient_booster.model.trees[0] = 7;
    }),
  );
  it(
    "with several targets",
    refuses(/several targets/, (m) => {
      m.learner.learner_model_param.num_target = "2";
    }),
  );
  it(
    "without a base_score",
    refuses(/base_score is missing/, (m) => {
      delete m.learner.learner_model_param.base_score;
    }),
  );
  it("for rows that name a feature twice", () => {
    expect(() => loadModel(modelText(NAMES, [STUMP]), ["a", "b", "c", "b"])).toThrow(/rows name .* b twice/);
  });
  it("deeper than 64, with more than 20,000 nodes in a tree, 10,000 trees or 500,000 nodes", () => {
    expect(loadModel(modelText(NAMES, [chain(64)])).depths).toEqual(Int32Array.of(64));
    expect(() => loadModel(modelText(NAMES, [chain(65)]))).toThrow(/deeper than 64/);
    expect(() => loadModel(modelText(NAMES, [bush(14)]))).toThrow(/tree 0 has 32767 nodes/);
    const repeated = (sketch: TreeSketch, trees: number) =>
      modelText(NAMES, [sketch], (m) => {
        m.learner.gradient_booster.model.trees = new Array(trees).fill(tree(m));
      });
    expect(() => loadModel(repeated(STUMP, 10_001))).toThrow(/10001 trees/);
    expect(() => loadModel(repeated(bush(9), 489))).toThrow(/more than 500000 nodes/);
  });
  it(
    "with lists of different lengths",
    refuses(/entries for 3 nodes/, (m) => {
      tree(m).sum_hessian.pop();
    }),
  );
  it.each([0, -1, 1e-60, 1e39])("with a cover of %d", (cover) => {
    refuses(/sum_hessian of node 2 is not above 0/, (m) => {
      tree(m).sum_hessian[2] = cover;
    })();
  });
  it(
    "without trees",
    refuses(/0 trees/, (m) => {
      m.learner.gradient_booster.model.trees = [];
    }),
  );
});

describe("the logistic function", () => {
  it("is stable at both ends and symmetric", () => {
    expect(sigmoid(-800)).toBe(0);
    expect(sigmoid(800)).toBe(1);
    expect(sigmoid(0)).toBe(0.5);
    expect(sigmoid(2) + sigmoid(-2)).toBeCloseTo(1, 15);
  });
});
