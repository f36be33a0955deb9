import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { PROJECT_ROOT } from "../runtime/layout.ts";
import type { BenchModel } from "./engine-models.ts";

/** Debian's, where python3-xgboost installs to; another python3 on the path seldom has it. */
const PYTHON = "/usr/bin/python3";

/** What training/speed.py can be asked to time: all rows in one matrix, or rows in a matrix each. */
export type Mode = "batch" | "single";
export type Quantity = "shap" | "margin";

/** XGBoost's C++ in a process of its own, waiting to be asked for a round. */
export interface XgboostSide {
  models: BenchModel[];
  /** Microseconds of CPU per row of one round on one thread. */
  round(shape: string, mode: Mode, quantity: Quantity): Promise<number>;
  stop(): void;
}

function readFloats(path: string): Float32Array {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / Float32Array.BYTES_PER_ELEMENT);
}

/** `count` rows of equal length out of one array. */
function rowsOf(floats: Float32Array, count: number): Float32Array[] {
  const width = floats.length / count;
  return Array.from({ length: count }, (_, i) => floats.subarray(i * width, (i + 1) * width));
}

/** Lines of a process, one at a time; null when it ended. */
function lineReader(child: ChildProcess): () => Promise<string | null> {
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  return async () => {
    const next = await lines.next();
    return next.done ? null : next.value;
  };
}

/**
 * Has training/speed.py train its models into `dir`, which takes a quarter of a minute. Null where Python or XGBoost
 * is missing; throws what else goes wrong.
 */
export async function startXgboost(dir: string): Promise<XgboostSide | null> {
  const probe = spawn(PYTHON, ["-c", "import numpy, xgboost"], { stdio: "ignore" });
  const found = await once(probe, "close").then(
    ([code]) => code === 0,
    () => false,
  );
  if (!found) return null;

  const child = spawn(PYTHON, [join(PROJECT_ROOT, "training", "speed.py"), dir], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const nextLine = lineReader(child);
  const answer = async (): Promise<string> => {
    const line = await nextLine();
    if (line === null) throw new Error("training/speed.py ended early");
    return line;
  };
  const ready = JSON.parse(await answer()) as { rows: number; shapes: string[] };
  const rows = rowsOf(readFloats(join(dir, "rows.f32")), ready.rows);
  return {
    models: ready.shapes.map((shape) => ({
      shape,
      text: readFileSync(join(dir, `${shape}.json`), "utf8"),
      rows,
      expected: {
        margins: readFloats(join(dir, `${shape}.margins.f32`)),
        contributions: rowsOf(readFloats(join(dir, `${shape}.contribs.f32`)), ready.rows),
      },
    })),
    async round(shape, mode, quantity) {
      child.stdin.write(`${shape} ${mode} ${quantity}\n`);
      return Number(await answer());
    },
    stop() {
      child.stdin.end();
    },
  };
}
