import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startBareInsert } from "./bench/bare-insert.ts";
import { type BatchRound, benchBatch } from "./bench/batch-post.ts";
import { median } from "./bench/load.ts";
import { benchPipeline, pipelineTable } from "./bench/pipeline.ts";
import { benchRevocation, REVOCATIONS, revocationTable } from "./bench/revocation.ts";
import { benchScore, type Round } from "./bench/score-call.ts";
import { DEMO_BOOK } from "./demo/demo.ts";
import { demoLedger, recordsOf } from "./demo/ledger.ts";
import { type Desk, loadBook } from "./demo/load-book.ts";
import { ensureParties } from "./demo/parties.ts";
import { createHttpClient } from "./lib/http-client.ts";
import { startProgress } from "./lib/progress.ts";
import { startRuntime } from "./runtime/runtime.ts";
import { watchChildren } from "./runtime/watchdog.ts";

const HELP = `Measures the hot paths on workerd, without TLS front and dev proxy, beside a yardstick in the same run.

Usage: npm run bench [-- --score | --batch | --revoke | --pipeline]

  --score     POST /v1/score on hot retailers, beside a bare c.json() route of the same server
  --batch     1,000-record batches, beside a bare json_each insert of the same rows
  --revoke    how long a revocation takes to take effect, while the lender asks for the score all the time
  --pipeline  from statements to stored score rows: 1,000 and 10,000 retailers of 300 invoices each, with and
              without reading them from their ledgers; --retailers N adds a size (100,000 takes some minutes)
  --help      this text

Takes about five minutes. CPU is that of the whole workerd process (Linux only).
`;

const { values } = parseArgs({
  options: {
    score: { type: "boolean" },
    batch: { type: "boolean" },
    revoke: { type: "boolean" },
    pipeline: { type: "boolean" },
    retailers: { type: "string" },
    help: { type: "boolean" },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const all = !values.score && !values.batch && !values.revoke && !values.pipeline;

process.stdout.write(`${cpus()[0]?.model ?? "unknown processor"}, ${cpus().length} cores\n`);
if (all || values.pipeline) await measurePipeline();
if (!all && !values.score && !values.batch && !values.revoke) process.exit(0);

const state_dir = mkdtempSync(join(tmpdir(), "altscore-bench-"));
const bare_dir = mkdtempSync(join(tmpdir(), "altscore-bench-bare-"));
const runtime = await startRuntime({ state_dir, http_port: 0, tls_port: 0 });
// Each watch follows the newest workerd: take the Worker's id before the yardstick starts its own.
const worker_pid = runtime.workerdPid();
const bare_children = watchChildren();
const bare = await startBareInsert(bare_dir);
try {
  const { parties } = await ensureParties(runtime);
  const desk = parties.desk as Desk;
  const distributors = Object.values(parties.distributors);
  const retailer_ids = all || values.score || values.revoke ? await hotRetailers(desk) : [];
  if (all || values.score) await measureScore(desk, retailer_ids);
  if (all || values.batch) await measureBatch();
  if (all || values.revoke) await measureRevocation(desk, retailer_ids);

  /** Scored retailers of the demo book, and a lender that may ask as often as it likes. */
  async function hotRetailers({ lender, service }: Desk): Promise<string[]> {
    const { consents, scores } = await loadBook(
      runtime,
      {
        name: DEMO_BOOK,
        records: (day) =>
          distributors.map((distributor, index) => ({
            distributor,
            records: recordsOf(demoLedger(day), index),
          })),
        consents: (day) =>
          demoLedger(day).retailers.map(({ phone }) => ({
            phone,
            distributor_id: distributors[0]!.distributor_id,
            lender_ids: [lender.lender_id],
          })),
      },
      { lender, service },
    );
    const limits = { score_per_minute: 10_000_000, score_per_day: 100_000_000 };
    await runtime.provisioning("setLenderLimits", { lender_id: lender.lender_id, ...limits });
    return consents
      .map((consent) => consent.retailer_id)
      .filter((id) => "score" in (scores.get(id) ?? {}))
      .slice(0, 20);
  }

  async function measureScore({ lender }: Desk, retailer_ids: string[]): Promise<void> {
    const bar = startProgress("Rounds of score calls", 7);
    const rounds = await benchScore(
      {
        port: runtime.workerd_port,
        pid: worker_pid,
        access_token: await accessToken(lender.client_id, lender.client_secret),
        lender_id: lender.lender_id,
        retailer_ids,
      },
      (done) => bar.update(done),
    );
    bar.finish();
    printScore(rounds);
  }

  async function measureRevocation({ lender, service }: Desk, retailer_ids: string[]): Promise<void> {
    const bar = startProgress("Revocations", REVOCATIONS);
    const times = await benchRevocation(
      {
        port: runtime.workerd_port,
        lender_id: lender.lender_id,
        lender_token: await accessToken(lender.client_id, lender.client_secret),
        service_id: service.client_id,
        service_token: await accessToken(service.client_id, service.client_secret),
        distributor_id: distributors[0]!.distributor_id,
        retailer_ids,
      },
      (done) => bar.update(done),
    );
    bar.finish();
    console.log(`\n${revocationTable(times)}`);
  }

  async function measureBatch(): Promise<void> {
    const distributor = distributors[0]!;
    await runtime.provisioning("setDistributorLimits", {
      distributor_id: distributor.distributor_id,
      batches_per_hour: 1_000,
    });
    const bar = startProgress("Batches", 26);
    const rounds = await benchBatch(
      {
        port: runtime.workerd_port,
        pid: worker_pid,
        distributor,
        bare_port: bare.port,
        bare_pid: bare_children.pid(),
      },
      (done) => bar.update(done),
    );
    bar.finish();
    printBatch(rounds);
  }
} finally {
  await bare.mf.dispose();
  bare_children.release();
  await runtime.stop();
  rmSync(state_dir, { recursive: true, force: true });
  rmSync(bare_dir, { recursive: true, force: true });
}

async function measurePipeline(): Promise<void> {
  const asked = values.retailers === undefined ? [] : [Number(values.retailers)];
  if (asked.some((shops) => !Number.isInteger(shops) || shops < 1)) {
    throw new Error("--retailers takes a whole number of at least 1");
  }
  const rounds = await benchPipeline([
    { shops: 1_000, invoices: 30, ledgers: true },
    { shops: 1_000, invoices: 300, ledgers: true },
    { shops: 1_000, invoices: 3_000, ledgers: false },
    { shops: 10_000, invoices: 300, ledgers: false },
    ...asked.map((shops) => ({ shops, invoices: 300, ledgers: false })),
  ]);
  console.log(`\nFrom statements to stored score rows, one core:\n\n${pipelineTable(rounds)}`);
}

async function accessToken(client_id: string, client_secret: string): Promise<string> {
  const http = createHttpClient(runtime.base_url);
  const answer = await http.send({
    method: "POST",
    path: "/v1/auth/token",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ client_id, client_secret }),
  });
  http.close();
  return (answer.body as { access_token: string }).access_token;
}

function printScore(rounds: Record<string, Round[]>): void {
  const bare_cpu_ms = median(rounds.bare!.map((round) => round.cpu_ms));
  const bare_p50_ms = median(rounds.bare!.map((round) => round.p50_ms));
  console.log("\n4 connections, 7 rounds of 3,000 calls each in turn, medians:\n");
  console.log("| call | requests/s | p50 ms | p99 ms | CPU ms | CPU / bare | p50 / bare |");
  console.log("|---|--:|--:|--:|--:|--:|--:|");
  for (const [name, list] of Object.entries(rounds)) {
    const of = (pick: (round: Round) => number) => median(list.map(pick));
    const cpu_ms = of((round) => round.cpu_ms);
    const p50_ms = of((round) => round.p50_ms);
    const figures = [
      of((round) => round.requests_per_s).toFixed(0),
      p50_ms.toFixed(2),
      of((round) => round.p99_ms).toFixed(2),
      cpu_ms.toFixed(3),
      (cpu_ms / bare_cpu_ms).toFixed(1),
      (p50_ms / bare_p50_ms).toFixed(1),
    ];
    console.log(`| ${name} | ${figures.join(" | ")} |`);
  }
}

function printBatch(rounds: { batch: BatchRound[]; bare: BatchRound[] }): void {
  console.log(
    "\n1,000-record batches (600 invoices, 400 payments, 100 shops), 21 of each in turn, medians:\n",
  );
  console.log("| call | batches/s | ms | CPU ms | CPU / bare |");
  console.log("|---|--:|--:|--:|--:|");
  const bare_cpu_ms = median(rounds.bare.map((round) => round.cpu_ms));
  for (const [name, list] of [
    ["bare json_each insert", rounds.bare],
    ["POST /v1/ingest/batch", rounds.batch],
  ] as const) {
    const ms = median(list.map((round) => round.ms));
    const cpu_ms = median(list.map((round) => round.cpu_ms));
    const figures = [
      (1000 / ms).toFixed(0),
      ms.toFixed(1),
      cpu_ms.toFixed(1),
      (cpu_ms / bare_cpu_ms).toFixed(1),
    ];
    console.log(`| ${name} | ${figures.join(" | ")} |`);
  }
}
