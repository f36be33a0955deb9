import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { startProgress } from "../lib/progress.ts";
import { bundleOf } from "../runtime/bundle.ts";
import { applyMigrations } from "../runtime/migrations.ts";
import { watchChildren } from "../runtime/watchdog.ts";
import { cpuMs } from "./cpu.ts";
import type { PipelineTask } from "./pipeline/worker.ts";

/** Shops a call works on: what a queue's consumer would take in a few seconds. */
const SHOPS_PER_CALL = 500;

/** CPU and wall time per shop of one lane at one size. */
export interface PipelineRound {
  lane: PipelineTask["lane"];
  shops: number;
  invoices: number;
  cpu_ms: number;
  ms: number;
}

/** What is measured: so many shops with so many invoices each; `ledgers` also reads them from their ledgers. */
export interface PipelineSize {
  shops: number;
  invoices: number;
  ledgers: boolean;
}

/**
 * The way from statements to stored score rows, on workerd with D1, each size from empty stores. The cost of
 * making the statements up is measured as well and has to be taken off. CPU is that of the whole process.
 */
export async function benchPipeline(sizes: readonly PipelineSize[]): Promise<PipelineRound[]> {
  const dir = mkdtempSync(join(tmpdir(), "altscore-bench-pipeline-"));
  try {
    const bundle = await bundleOf("scripts/bench/pipeline/worker.ts", join(dir, "build"));
    const rounds: PipelineRound[] = [];
    for (const [i, size] of sizes.entries())
      rounds.push(...(await measured(bundle, size, join(dir, `${i}`))));
    return rounds;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function measured(
  bundle: Awaited<ReturnType<typeof bundleOf>>,
  { shops, invoices, ledgers }: PipelineSize,
  data_dir: string,
): Promise<PipelineRound[]> {
  const children = watchChildren();
  const name = "pipeline-bench";
  const mf = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      cf: false,
      resourcePersistencePath: data_dir,
      telemetry: { enabled: false },
      workers: [{ ...bundle.settings.worker, name, modules: bundle.modules, modulesRoot: bundle.dir }],
    }),
  );
  try {
    await mf.ready;
    await applyMigrations(await mf.getD1Database("DB", name), bundle.settings.migrations);
    const lane = async (task: PipelineTask["lane"]): Promise<PipelineRound> => {
      const run = async (from: number, count: number): Promise<void> => {
        const body = JSON.stringify({ lane: task, from, count, invoices } satisfies PipelineTask);
        const answer = await mf.dispatchFetch("http://bench/", { method: "POST", body });
        if (!answer.ok) throw new Error(`${task}: ${answer.status} ${await answer.text()}`);
      };
      // Apart from the shops that are measured: compiled code, an open database, a first page.
      if (task !== "fill") await run(task === "ledgers" ? 0 : 10_000_000, 50);
      const bar = startProgress(`${shops} shops, ${task}`, shops);
      const [before_ms, began_ms] = [cpuMs(children.pid()), performance.now()];
      for (let from = 0; from < shops; from += SHOPS_PER_CALL) {
        await run(from, Math.min(SHOPS_PER_CALL, shops - from));
        bar.update(Math.min(shops, from + SHOPS_PER_CALL));
      }
      bar.finish();
      const [cpu_ms, ms] = [cpuMs(children.pid()) - before_ms, performance.now() - began_ms];
      return { lane: task, shops, invoices, cpu_ms: cpu_ms / shops, ms: ms / shops };
    };
    const rounds = [await lane("generate"), await lane("rows")];
    if (ledgers) {
      await lane("fill");
      rounds.push(await lane("ledgers"));
    }
    return rounds;
  } finally {
    await mf.dispose();
    children.release();
  }
}

/** The rounds as a Markdown table; the statements' own making is taken off the lane that makes them. */
export function pipelineTable(rounds: readonly PipelineRound[]): string {
  const made = (round: PipelineRound) =>
    rounds.find(
      ({ lane, shops, invoices }) =>
        lane === "generate" && shops === round.shops && invoices === round.invoices,
    )!;
  const lines = rounds
    .filter(({ lane }) => lane !== "generate")
    .map((round) => {
      const taken_off = round.lane === "rows" ? made(round).cpu_ms : 0;
      const cpu_ms = round.cpu_ms - taken_off;
      const way = round.lane === "rows" ? "statements to rows" : "ledgers to rows and cache";
      const per_s = (1_000 / cpu_ms).toFixed(0);
      return `| ${way} | ${round.shops} | ${round.invoices} | ${cpu_ms.toFixed(2)} | ${per_s} |`;
    });
  return [
    "| way | retailers | invoices each | CPU ms a retailer | retailers a second of CPU |",
    "|---|--:|--:|--:|--:|",
    ...lines,
  ].join("\n");
}
