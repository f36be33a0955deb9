import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { loadModel, modelRow, predictMargin } from "../../src/scoring/model.ts";
import { ShapExplainer } from "../../src/scoring/shap.ts";
import { leafGroups } from "../../src/scoring/shap-groups.ts";
import { ShapPaths } from "../../src/scoring/shap-paths.ts";
import { gaussLegendre } from "../../src/scoring/shap-quadrature.ts";
import { ShapTables } from "../../src/scoring/shap-tables.ts";
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

/** The ways to explain a model, each forced; tables of a height that does not exist are left out. */
function evaluators(text: string): (ShapPaths | ShapTables)[] {
  const model = loadModel(text);
  const paths = new ShapPaths(model);
  const depth = Math.max(...model.depths);
  const sizes = [depth, depth + 1].map((max_splits) =>
    leafGroups(model, paths, max_splits, Number.POSITIVE_INFINITY)!.reduce(
      (sum, group) => sum + group.inputs.length * 2 ** group.splits.length * 8,
      0,
    ),
  );
  return [paths, ...sizes.map((bytes) => ShapTables.build(model, paths, bytes)!)];
}

describe("SHAP values", () => {
  it("equal Shapley's definition on small random models, by paths and by tables of either height", () => {
    fc.assert(
      fc.property(...cases, (trees, row) => {
        const expected = bruteForce(trees, row);
        for (const evaluator of evaluators(modelText(NAMES, trees))) {
          const out = new Float64Array(FEATURES);
          evaluator.explain(modelRow(row), out);
          for (let i = 0; i < FEATURES; i++) expect(Math.abs(out[i]! - expected[i]!)).toBeLessThan(1e-12);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("equal Shapley's definition through the explainer", () => {
    fc.assert(
      fc.property(...cases, (trees, row) => {
        const expected = bruteForce(trees, row);
        const out = new Float64Array(FEATURES).fill(7);
        new ShapExplainer(loadModel(modelText(NAMES, trees))).explain(modelRow(row), out);
        for (let i = 0; i < FEATURES; i++) expect(Math.abs(out[i]! - expected[i]!)).toBeLessThan(1e-12);
      }),
      { numRuns: 1000 },
    );
  });

  it("split a deep path's value evenly among features that do the same", () => {
    // Each of 40 splits sends half of the weight on; only the last leaf is worth something: (1 - 2^-40) / 40 for each.
    const depth = 40;
    const names = Array.from({ length: depth }, (_, i) => `f${i}`);
    const chain = (feature: number): TreeSketch =>
      feature === depth
        ? { leaf: 1, cover: 2 ** -depth }
        : {
            feature,
            threshold: 0,
            default_left: true,
            left: { leaf: 0, cover: 2 ** -(feature + 1) },
            right: chain(feature + 1),
          };
    const model = loadModel(modelText(names, [chain(0)]));
    expect(ShapTables.build(model, new ShapPaths(model), 2 ** 30)).toBeNull();
    const out = new Float64Array(depth);
    new ShapExplainer(model).explain(new Float32Array(depth).fill(1), out);
    for (const phi of out) expect(Math.abs(phi * depth - (1 - 2 ** -depth))).toBeLessThan(1e-12);
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

describe("groups of leaves", () => {
  it("cover every leaf once and depend on no more splits than allowed", () => {
    fc.assert(
      fc.property(cases[0], fc.nat(3), (trees, extra) => {
        const model = loadModel(modelText(NAMES, trees));
        const max_splits = Math.max(...model.depths) + extra;
        const groups = leafGroups(model, new ShapPaths(model), max_splits, Number.POSITIVE_INFINITY)!;
        const leaves = groups.flatMap((group) => [...group.edges].filter((at) => model.right[at] === at));
        const single = [...model.roots.slice(0, -1)].filter((root) => model.right[root] === root);
        const all = [...model.right.keys()].filter((at) => model.right[at] === at);
        expect([...leaves, ...single].sort((a, b) => a - b)).toEqual(all);
        for (const group of groups) expect(group.splits.length).toBeLessThanOrEqual(max_splits);
      }),
    );
  });

  it("are none when their tables would be larger than allowed", () => {
    const stump: TreeSketch = {
      feature: 0,
      threshold: 0,
      default_left: true,
      left: { leaf: 1, cover: 1 },
      right: { leaf: 2, cover: 1 },
    };
    const model = loadModel(modelText(NAMES, [stump, stump]));
    // One input, two outcomes: 2 entries a tree.
    expect(leafGroups(model, new ShapPaths(model), 1, 4)).toHaveLength(2);
    expect(leafGroups(model, new ShapPaths(model), 1, 3)).toBeNull();
  });
});

describe("Gauss-Legendre", () => {
  it("integrates the powers below twice its points", () => {
    for (let count = 1; count <= 32; count++) {
      const { points, weights } = gaussLegendre(count);
      for (let power = 0; power < 2 * count; power++) {
        const sum = points.reduce((total, t, q) => total + weights[q]! * t ** power, 0);
        expect(Math.abs(sum - 1 / (power + 1))).toBeLessThan(1e-14);
      }
    }
  });
});
