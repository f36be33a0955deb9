import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { loadModel, modelRow, predictMargin } from "../../src/scoring/model.ts";
import { ShapExplainer } from "../../src/scoring/shap.ts";
import { anyRow, anyTree, modelText, type TreeSketch } from "./model-builder.ts";

const FEATURES = 4;
const NAMES = ["a", "b", "c", "d"];

function coverOf(tree: TreeSketch): number {
  return "leaf" in tree ? Math.fround(tree.cover) : coverOf(tree.left) + coverOf(tree.right);
}

/** What a tree expects of a row of which only the features in `known` (bits) are seen. */
function expectation(tree: TreeSketch, row: readonly (number | null)[], known: number): number {
  if ("leaf" in tree) return Math.fround(tree.leaf);
  if ((known >> tree.feature) & 1) {
    const x = row[tree.feature]!;
    const left = x === null ? tree.default_left : x < tree.threshold;
    return expectation(left ? tree.left : tree.right, row, known);
  }
  const [left, right] = [coverOf(tree.left), coverOf(tree.right)];
  return (
    (left * expectation(tree.left, row, known) + right * expectation(tree.right, row, known)) / (left + right)
  );
}

function factorial(n: number): number {
  return n <= 1 ? 1 : n * factorial(n - 1);
}

/** Shapley values by their definition: every subset of the other features, weighted. */
function bruteForce(trees: readonly TreeSketch[], row: readonly (number | null)[]): number[] {
  const value = (known: number) => trees.reduce((sum, tree) => sum + expectation(tree, row, known), 0);
  return NAMES.map((_, i) => {
    let phi = 0;
    for (let subset = 0; subset < 1 << FEATURES; subset++) {
      if ((subset >> i) & 1) continue;
      const size = [...subset.toString(2)].filter((bit) => bit === "1").length;
      const weight = (factorial(size) * factorial(FEATURES - size - 1)) / factorial(FEATURES);
      phi += weight * (value(subset | (1 << i)) - value(subset));
    }
    return phi;
  });
}

const cases = [fc.array(anyTree(FEATURES, 5), { minLength: 1, maxLength: 4 }), anyRow(FEATURES)] as const;

describe("TreeSHAP", () => {
  it("equals Shapley's definition on small random models", () => {
    fc.assert(
      fc.property(...cases, (trees, row) => {
        const model = loadModel(modelText(NAMES, trees));
        const out = new Float64Array(FEATURES);
        new ShapExplainer(model).explain(modelRow(row), out);
        const expected = bruteForce(trees, row);
        for (let i = 0; i < FEATURES; i++) expect(out[i]).toBeCloseTo(expected[i]!, 9);
      }),
      { numRuns: 1000 },
    );
  });

  it("adds up to the float32 margin, and leaves unused features at 0", () => {
    fc.assert(
      fc.property(...cases, (trees, row) => {
        const names = [...NAMES, "unused"];
        const model = loadModel(modelText(names, trees));
        const out = new Float64Array(names.length);
        const values = modelRow([...row, 1]);
        const { margin, bias } = new ShapExplainer(model).explainMargin(values, out);
        expect(margin).toBe(predictMargin(model, values));
        expect(out.reduce((sum, term) => sum + term, bias)).toBeCloseTo(margin, 12);
        expect(out[FEATURES]).toBe(0);
      }),
      { numRuns: 1000 },
    );
  });

  it("gives the same row the same answer, whatever was explained in between", () => {
    fc.assert(
      fc.property(...cases, anyRow(FEATURES), (trees, row, other) => {
        const explainer = new ShapExplainer(loadModel(modelText(NAMES, trees)));
        const [first, again] = [new Float64Array(FEATURES), new Float64Array(FEATURES)];
        explainer.explain(modelRow(row), first);
        explainer.explain(modelRow(other), again);
        explainer.explain(modelRow(row), again);
        expect(again).toEqual(first);
      }),
    );
  });
});
