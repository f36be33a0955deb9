import { sha256Hex } from "../lib/bytes.ts";

/**
 * An isolation forest as models/anomaly.json holds it: text and whole numbers only, so that JSON.stringify gives the
 * file's own bytes again. Trees follow one another in preorder, a left child right after its parent.
 */
export interface ForestFile {
  version: string;
  /** What a row holds, in its order. */
  measures: string[];
  /** Rows that each tree was grown on. */
  sample_size: number;
  trees: number;
  /** Isolation score, in millionths, above which behaviour is flagged. */
  flag_above_ppm: number;
  /** Position of the split's measure; -1 at a leaf. */
  split: number[];
  /** The split's threshold in thousandths; at a leaf the rows of the sample that ended there. */
  value: number[];
}

/** A forest in flat arrays; node 0 of tree k is at roots[k]. */
export interface CompiledForest {
  flag_above: number;
  roots: Int32Array;
  split: Int8Array;
  /** Threshold at a split; at a leaf its depth plus the path that its rows would still have needed. */
  value: Float64Array;
  right: Int32Array;
  /** Mean path of a search in a tree of as many rows as the sample: what depths are compared with. */
  usual_path: number;
  measures: number;
}

/** A forest that is not the registered one, or not a forest. */
export class ForestRefusedError extends Error {
  override name = "ForestRefusedError";
}

/** Mean path length of an unsuccessful search in a binary tree of `rows` (Liu, Ting and Zhou 2008, equation 1). */
function averagePath(rows: number): number {
  if (rows <= 1) return 0;
  if (rows === 2) return 1;
  // Euler's constant.
  return 2 * (Math.log(rows - 1) + 0.5772156649015329) - (2 * (rows - 1)) / rows;
}

/** Lays the trees out; every node is read once, in the file's order. */
function placeTrees(file: ForestFile, forest: CompiledForest): void {
  let next = 0;
  const place = (depth: number): void => {
    const at = next++;
    const split = file.split[at];
    const value = file.value[at];
    if (split === undefined || value === undefined)
      throw new ForestRefusedError("the forest ends within a tree");
    if (split >= file.measures.length) throw new ForestRefusedError(`no measure ${split} to split by`);
    forest.split[at] = split;
    if (split < 0) {
      forest.value[at] = depth + averagePath(value);
      return;
    }
    forest.value[at] = value / 1000;
    place(depth + 1);
    forest.right[at] = next;
    place(depth + 1);
  };
  for (let tree = 0; tree < file.trees; tree++) {
    forest.roots[tree] = next;
    place(0);
  }
  if (next !== file.split.length) throw new ForestRefusedError("the forest has nodes outside its trees");
}

/**
 * Verifies a forest and compiles it for rows of `measures`. Throws ForestRefusedError when its SHA-256 or its measures
 * differ from what is registered, or when its trees are not whole.
 */
export function compileForest(file: ForestFile, sha256: string, measures: readonly string[]): CompiledForest {
  const found = sha256Hex(`${JSON.stringify(file)}\n`);
  if (found !== sha256)
    throw new ForestRefusedError(`the forest's SHA-256 is ${found}, registered is ${sha256}`);
  if (file.measures.join() !== measures.join()) {
    throw new ForestRefusedError(
      `the forest is grown on ${file.measures.join()}, measured are ${measures.join()}`,
    );
  }
  const nodes = file.split.length;
  const forest = {
    flag_above: file.flag_above_ppm / 1e6,
    roots: new Int32Array(file.trees),
    split: new Int8Array(nodes),
    value: new Float64Array(nodes),
    right: new Int32Array(nodes),
    usual_path: averagePath(file.sample_size),
    measures: measures.length,
  };
  placeTrees(file, forest);
  return forest;
}

/**
 * Isolation score (0-1, higher is stranger) of a row, as scikit-learn's -score_samples: 2^(-mean path / usual path).
 * Values are rounded to float32 first, as scikit-learn does. Null if a value is missing or not finite.
 */
export function isolationScore(forest: CompiledForest, row: readonly (number | null)[]): number | null {
  if (row.length !== forest.measures) return null;
  const values = new Float32Array(row.length);
  for (let i = 0; i < row.length; i++) {
    const value = row[i];
    if (value === null || value === undefined || !Number.isFinite(value)) return null;
    values[i] = value;
  }
  const { roots, split, value, right } = forest;
  let path = 0;
  for (let tree = 0; tree < roots.length; tree++) {
    let at = roots[tree]!;
    for (let measure = split[at]!; measure >= 0; measure = split[at]!) {
      at = values[measure]! <= value[at]! ? at + 1 : right[at]!;
    }
    path += value[at]!;
  }
  return 2 ** (-path / (roots.length * forest.usual_path));
}
