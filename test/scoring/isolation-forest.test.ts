import { describe, expect, it } from "vitest";
import shipped from "../../models/anomaly.json" with { type: "json" };
import vectors from "../../models/anomaly.vectors.csv?raw";
import { sha256Hex } from "../../src/lib/bytes.ts";
import { anomalyForest } from "../../src/scoring/anomaly.ts";
import { BEHAVIOUR_MEASURES } from "../../src/scoring/behaviour.ts";
import { compileForest, type ForestFile, isolationScore } from "../../src/scoring/isolation-forest.ts";

/** Two trees over x and y: one splits x at 0.5 and then y at 2, the other is a single leaf. */
const SMALL: ForestFile = {
  version: "1",
  measures: ["x", "y"],
  sample_size: 5,
  trees: 2,
  flag_above_ppm: 600_000,
  split: [0, -1, 1, -1, -1, -1],
  value: [500, 2, 2000, 1, 2, 5],
};

function compiled(change: Partial<ForestFile> = {}) {
  const file = { ...SMALL, ...change };
  return compileForest(file, sha256Hex(`${JSON.stringify(file)}\n`), ["x", "y"]);
}

describe("an isolation forest", () => {
  it("gives scikit-learn's own scores to 1e-9, also exactly on thresholds", () => {
    const [header, ...lines] = vectors.trim().split("\n");
    expect(header).toBe([...BEHAVIOUR_MEASURES, "score"].join(","));
    expect(lines.length).toBe(200);
    for (const line of lines) {
      const cells = line.split(",").map(Number);
      const score = isolationScore(anomalyForest(), cells.slice(0, -1));
      expect(Math.abs(score! - cells.at(-1)!)).toBeLessThanOrEqual(1e-9);
    }
  });

  it("scores by the mean depth at which a row stands alone", () => {
    const path = (rows: number) => 2 * (Math.log(rows - 1) + 0.5772156649015329) - (2 * (rows - 1)) / rows;
    const score = (...depths: number[]) => 2 ** (-(depths[0]! + depths[1]!) / (2 * path(5)));
    const forest = compiled();
    // Two rows of the sample share the leaf: a search among two takes one step more.
    expect(isolationScore(forest, [0.5, 9])).toBeCloseTo(score(1 + 1, path(5)), 12);
    expect(isolationScore(forest, [0.6, 2])).toBeCloseTo(score(2, path(5)), 12);
    expect(isolationScore(forest, [0.6, 2.1])).toBeCloseTo(score(2 + 1, path(5)), 12);
    expect(forest.flag_above).toBe(0.6);
  });

  it("has no score for a row with a missing or infinite value, or of another length", () => {
    for (const row of [[null, 1], [1, Number.NaN], [Number.POSITIVE_INFINITY, 1], [1]]) {
      expect(isolationScore(compiled(), row)).toBeNull();
    }
  });

  it("is refused unless it is the registered one, byte for byte", () => {
    const sha256 = sha256Hex(`${JSON.stringify(shipped)}\n`);
    expect(() => compileForest(shipped, sha256, BEHAVIOUR_MEASURES)).not.toThrow();
    const softer = { ...shipped, flag_above_ppm: shipped.flag_above_ppm + 1 };
    expect(() => compileForest(softer, sha256, BEHAVIOUR_MEASURES)).toThrow(/SHA-256/);
    expect(() => compileForest(shipped, sha256, [...BEHAVIOUR_MEASURES].reverse())).toThrow(/grown on/);
  });

  it.each<[string, Partial<ForestFile>, RegExp]>([
    ["a tree that is cut off", { split: [0, -1, 1, -1], value: [500, 2, 2000, 1] }, /ends within a tree/],
    ["fewer values than nodes", { value: [500, 2, 2000] }, /ends within a tree/],
    ["nodes after the last tree", { trees: 1 }, /outside its trees/],
    ["a split by a measure that rows do not have", { split: [0, -1, 2, -1, -1, -1] }, /no measure 2/],
  ])("is refused with %s", (_, change, message) => {
    expect(() => compiled(change)).toThrow(message);
  });
});
