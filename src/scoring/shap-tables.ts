import { orderKey } from "./float32.ts";
import type { CompiledModel } from "./model.ts";
import { type LeafGroup, leafGroups, tableSize } from "./shap-groups.ts";
import type { ShapPaths } from "./shap-paths.ts";

const LOWEST_KEY = -(2 ** 31);
const HIGHEST_KEY = 2 ** 31 - 1;

/**
 * SHAP values by look-up. For each group of leaves, a table holds what the group contributes to each of its inputs: a
 * line for every combination of outcomes of its splits. A row then costs one comparison per split of a group and the
 * addition of one line per group. The lines come from `ShapPaths`, so they are as exact as it is. Fast TreeSHAP v2
 * (Yang 2021) does the same for single leaves.
 *
 * All that a row needs but the tables is in one array, the program, since a loop over several arrays is bound by
 * finding and checking them. It begins with the row's values as `orderKey`s, twice as in `splitRow`. Then follows for
 * each group: where its table starts; for each split the place of the row's key and the threshold's key; its inputs.
 */
export class ShapTables {
  private readonly input_count: number;
  private readonly program: Int32Array;
  /** Groups of the same shape follow each other, so that their inner loops are alike. */
  private readonly shapes: readonly { splits: number; inputs: number; groups: number }[];
  private readonly table: Float64Array;

  /**
   * Tables of at most `max_bytes`; null if they do not fit. Lets groups reach two levels up from the deepest leaves, or
   * else one; taller ones would take more memory without being faster.
   */
  static build(model: CompiledModel, paths: ShapPaths, max_bytes: number): ShapTables | null {
    const depth = model.depths.reduce((deepest, one) => Math.max(deepest, one), 0);
    const max_entries = max_bytes / Float64Array.BYTES_PER_ELEMENT;
    for (const max_splits of [depth + 1, depth]) {
      const groups = leafGroups(model, paths, max_splits, max_entries);
      if (groups !== null) return new ShapTables(model, paths, groups);
    }
    return null;
  }

  private constructor(model: CompiledModel, paths: ShapPaths, groups: readonly LeafGroup[]) {
    this.input_count = model.feature_names.length;
    const by_shape = Map.groupBy(groups, ({ splits, inputs }) => `${splits.length} ${inputs.length}`);
    const ordered = [...by_shape.values()];
    this.shapes = ordered.map((alike) => ({
      splits: alike[0]!.splits.length,
      inputs: alike[0]!.inputs.length,
      groups: alike.length,
    }));
    this.table = new Float64Array(groups.reduce((sum, group) => sum + tableSize(group), 0));
    const program = new Array<number>(2 * this.input_count).fill(0);
    const out = new Float64Array(this.input_count);
    let start = 0;
    for (const group of ordered.flat()) {
      program.push(start);
      for (const at of group.splits) program.push(model.feature[at]!, orderKey(model.threshold[at]!));
      program.push(...group.inputs);
      this.fill(group, start, paths, out);
      start += tableSize(group);
    }
    this.program = Int32Array.from(program);
  }

  /** Writes a group's table from entry `next` on; `out` is scratch, zero before and after. */
  private fill(
    { root, edges, splits, inputs }: LeafGroup,
    next: number,
    paths: ShapPaths,
    out: Float64Array,
  ) {
    for (let outcomes = 0; outcomes < 1 << splits.length; outcomes++) {
      for (let i = 0; i < splits.length; i++) {
        paths.goes_left[splits[i]!] = (outcomes >> (splits.length - 1 - i)) & 1;
      }
      paths.explainEdges(root, edges, 0, edges.length, out);
      for (const input of inputs) {
        this.table[next++] = out[input]!;
        out[input] = 0;
      }
    }
  }

  /** Adds the contribution of every input to the margin of `values` to `out` (an entry per input). */
  explain(values: Float32Array, out: Float64Array): void {
    const { program, input_count } = this;
    for (let i = 0; i < input_count; i++) {
      const x = values[i]!;
      const missing = Number.isNaN(x);
      const key = orderKey(x);
      program[i] = missing ? HIGHEST_KEY : key;
      program[input_count + i] = missing ? LOWEST_KEY : key;
    }
    this.addLines(program, this.table, out);
  }

  private addLines(program: Int32Array, table: Float64Array, out: Float64Array): void {
    let next = 2 * this.input_count;
    for (const shape of this.shapes) {
      const split_length = 2 * shape.splits;
      const columns = shape.inputs;
      const shape_end = next + shape.groups * (1 + split_length + columns);
      while (next < shape_end) {
        const start = program[next++]!;
        let outcomes = 0;
        for (const end = next + split_length; next < end; next += 2) {
          outcomes = (outcomes << 1) | +(program[program[next]!]! < program[next + 1]!);
        }
        let entry = start + outcomes * columns;
        for (const end = next + columns; next < end; next++) {
          const input = program[next]!;
          out[input] = out[input]! + table[entry++]!;
        }
      }
    }
  }
}
