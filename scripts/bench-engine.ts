import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { randomModels } from "./bench/engine-models.ts";
import { benchRuntime, ROUNDS, type RuntimeFigures } from "./bench/engine-runtime.ts";
import { benchStatements, STATEMENT_ROUNDS, type StatementFigures } from "./bench/engine-statements.ts";
import { startXgboost } from "./bench/engine-xgboost.ts";
import { reportError, UsageError } from "./lib/errors.ts";
import { startProgress } from "./lib/progress.ts";

const HELP = `Measures the scoring engine on one thread, beside XGBoost's C++ where Python has it.

Usage: npm run -s bench:engine [-- --help]

Margin and SHAP contributions per row on models of 200 trees of depth 4 and of 300 trees of depth 6, 42 features;
what a compiled model takes in time and memory; how far the answers are from XGBoost's; and features and whole
scores of retailers of 30 to 3,000 invoices.

With Debian's python3-xgboost (/usr/bin/python3) the models are trained on seeded random data, and XGBoost runs on the
same rows in turn with us. Without it the models are random and only our side is measured. Takes two
or three minutes.
Tables are printed on stdout, progress on stderr.
`;

function readArguments(): { help: boolean } {
  try {
    const { values } = parseArgs({ options: { help: { type: "boolean", default: false } } });
    return values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${HELP}`);
  }
}

/** Digits as a reader wants them: three significant, no more than two decimals. */
function figure(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value.toFixed(value >= 10 ? 1 : 2);
}

function printTable(columns: readonly string[], rows: readonly (readonly string[])[]): void {
  process.stdout.write(`| ${columns.join(" | ")} |\n|---|${"--:|".repeat(columns.length - 1)}\n`);
  for (const row of rows) process.stdout.write(`| ${row.join(" | ")} |\n`);
  process.stdout.write("\n");
}

function printRuntime(models: readonly RuntimeFigures[]): void {
  const cell = (value: number, unit = ""): string => (Number.isNaN(value) ? "-" : figure(value) + unit);
  const compared = (ours_us: number, batch_us = Number.NaN, single_us = Number.NaN): string[] => [
    cell(ours_us),
    cell(batch_us),
    cell(single_us),
    cell(batch_us / ours_us, "x"),
    cell(single_us / ours_us, "x"),
  ];
  process.stdout.write(`Microseconds of CPU per row, one thread, medians of ${ROUNDS} rounds in turn:\n\n`);
  printTable(
    ["model, what", "AltScore", "XGBoost batch", "XGBoost single", "of batch", "of single"],
    models.flatMap(({ shape, shap_us, paths_us, margin_us, xgboost }) => [
      [`${shape} SHAP`, ...compared(shap_us, xgboost?.shap_batch_us, xgboost?.shap_single_us)],
      [
        `${shape} SHAP without tables`,
        ...compared(paths_us, xgboost?.shap_batch_us, xgboost?.shap_single_us),
      ],
      [`${shape} margin`, ...compared(margin_us, xgboost?.margin_batch_us, xgboost?.margin_single_us)],
    ]),
  );
  process.stdout.write("The compiled model, and the largest difference over all rows and features:\n\n");
  const reference = models.some(({ xgboost }) => xgboost !== null) ? "XGBoost" : "walking the trees";
  printTable(
    ["model", "nodes", "load ms", "tables ms", "memory MB", `SHAP to ${reference}`, "margin to XGBoost"],
    models.map((model) => [
      model.shape,
      String(model.nodes),
      figure(model.load_ms),
      figure(model.tables_ms),
      figure(model.memory_mb),
      model.shap_difference.toExponential(1),
      model.margin_difference === null ? "-" : String(model.margin_difference),
    ]),
  );
}

function printStatements(sizes: readonly StatementFigures[]): void {
  process.stdout.write(
    "From a statement of 36 months to features and to the card, microseconds of CPU per retailer:\n\n",
  );
  printTable(
    ["invoices", "features", "features / invoice", "score", "score / invoice", "scores/s"],
    sizes.map(({ invoices, features_us, score_us }) => [
      String(invoices),
      figure(features_us),
      figure(features_us / invoices),
      figure(score_us),
      figure(score_us / invoices),
      (1e6 / score_us).toFixed(0),
    ]),
  );
}

async function main(): Promise<void> {
  if (readArguments().help) {
    process.stdout.write(HELP);
    return;
  }
  process.stdout.write(`${cpus()[0]?.model ?? "unknown processor"}, Node ${process.versions.node}\n\n`);
  const dir = mkdtempSync(join(tmpdir(), "altscore-bench-engine-"));
  try {
    process.stderr.write("  Training XGBoost's models\n");
    const xgboost = await startXgboost(dir);
    if (xgboost === null) process.stderr.write("  No Python with XGBoost: our side only, on random models\n");
    try {
      const figures: RuntimeFigures[] = [];
      for (const model of xgboost?.models ?? randomModels()) {
        const bar = startProgress(model.shape, ROUNDS, process.stderr);
        let rounds = 0;
        figures.push(await benchRuntime(model, xgboost, () => bar.update(++rounds)));
        bar.finish();
      }
      printRuntime(figures);
    } finally {
      xgboost?.stop();
    }
    const bar = startProgress("Statements", STATEMENT_ROUNDS, process.stderr);
    let rounds = 0;
    const sizes = benchStatements(() => bar.update(++rounds));
    bar.finish();
    printStatements(sizes);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  process.exitCode = reportError(error);
}
