import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { DEMO_BOOK, runDemo } from "./demo/demo.ts";
import type { Desk } from "./demo/load-book.ts";
import { writeLocalJson } from "./demo/local-json.ts";
import { ensureParties, type Parties } from "./demo/parties.ts";
import { readProgress, writeProgress } from "./demo/progress-file.ts";
import { endAllowance } from "./demo/upload.ts";
import { reportError, UsageError } from "./lib/errors.ts";
import { openBook, runReceivables } from "./receivables/receivables.ts";
import { PROJECT_ROOT } from "./runtime/layout.ts";
import { type Runtime, startRuntime } from "./runtime/runtime.ts";

const HELP = `AltScore on this machine: starts everything, shows one score, and goes on serving.

Usage: npm start -- [options]

  --port N            port of plain HTTP (default 8787; 0 takes a free one)
  --tls-port N        port of TLS 1.3 with client certificates (default 8788; 0 takes a free one)
  --state DIR         folder of all local state (default .local)
  --demo small|none   small: a made-up ledger of 60 shops goes through the whole path (default);
                      none: parties and notices only
  --receivables FILE  a real receivables book (.csv or .csv.gz) goes through the whole path, in place of the
                      made-up ledger unless --demo small is given too
  --once              stop after that
  --help              this text
`;

interface StartOptions {
  http_port: number;
  tls_port: number;
  state_dir: string;
  demo: "small" | "none";
  receivables: string | null;
  once: boolean;
}

/** Reads the command line; null if only help was asked for. UsageError for anything that is not in HELP. */
function readOptions(args: string[]): StartOptions | null {
  const { values } = parsed(args);
  if (values.help) return null;
  const demo = values.demo ?? (values.receivables === undefined ? "small" : "none");
  if (demo !== "small" && demo !== "none") throw new UsageError("--demo takes small or none.");
  return {
    http_port: port("--port", values.port, 8787),
    tls_port: port("--tls-port", values["tls-port"], 8788),
    state_dir: values.state ?? join(PROJECT_ROOT, ".local"),
    demo,
    receivables: values.receivables ?? null,
    once: values.once ?? false,
  };
}

function parsed(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        port: { type: "string" },
        "tls-port": { type: "string" },
        state: { type: "string" },
        demo: { type: "string" },
        receivables: { type: "string" },
        once: { type: "boolean" },
        help: { type: "boolean" },
      },
    });
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\nSee npm start -- --help`);
  }
}

function port(option: string, given: string | undefined, fallback: number): number {
  const value = given === undefined ? fallback : Number(given);
  if (!Number.isInteger(value) || value < 0 || value > 65_535 || given === "") {
    throw new UsageError(`${option} takes a port number from 0 to 65535.`);
  }
  return value;
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const shown = (path: string): string => relative(process.cwd(), path) || ".";

async function start(options: StartOptions): Promise<void> {
  const began_ms = performance.now();
  // A book that cannot be read should fail before anything is started.
  const book = options.receivables === null ? null : openBook(options.receivables);
  let runtime: Runtime | null = null;
  let stopping = false;
  const stop = async (exit_code: number): Promise<void> => {
    if (stopping) return;
    stopping = true;
    await runtime?.stop();
    process.exit(exit_code);
  };
  process.on("SIGINT", () => void stop(0));
  process.on("SIGTERM", () => void stop(0));

  say("AltScore on this machine");
  try {
    runtime = await startRuntime({
      state_dir: options.state_dir,
      http_port: options.http_port,
      tls_port: options.tls_port,
      onStep: (text) => say(`  ${text}`),
    });
    if (!options.once) stopWithParent(() => void stop(0));
    const { parties, made } = await ensureParties(runtime);
    say(made > 0 ? `  Onboarded ${made} parties with certificates and keys` : "  Parties: known from before");
    const desk = parties.desk as Desk;
    if (options.demo === "small") await runDemo(runtime, parties, desk, !options.once);
    if (book !== null) await runReceivables(runtime, book, desk);
    writeLocalJson(runtime, parties);
    watchAllowances(runtime, parties);
    if (options.once) {
      await stop(0);
      return;
    }
    say(
      `AltScore is running after ${((performance.now() - began_ms) / 1000).toFixed(1)} s. Ctrl-C stops it.`,
    );
    say(`  plain HTTP           ${runtime.base_url}`);
    say(`  TLS 1.3 and mTLS     ${runtime.mtls_url}   (CA: ${shown(runtime.ca_cert)})`);
    say(`  credentials          ${shown(runtime.layout.local_json)}`);
    say(`  requests, one a line ${shown(runtime.layout.log)}`);
  } catch (error) {
    if (stopping) return;
    const exit_code = reportError(error);
    await stop(exit_code);
  }
}

/** Takes the upload allowances back as they end, also those of an earlier start. */
function watchAllowances(runtime: Runtime, parties: Parties): void {
  const books = [DEMO_BOOK, ...Object.keys(parties.books).map((name) => `book ${name}`)];
  for (const book of books) {
    const progress = readProgress(runtime.layout)[book];
    for (const [distributor_id, ends_ms] of Object.entries(progress?.allowance_ends_ms ?? {})) {
      const end = async (): Promise<void> => {
        await endAllowance(runtime, distributor_id);
        const { allowance_ends_ms: _done, ...rest } = readProgress(runtime.layout)[book]!;
        writeProgress(runtime.layout, book, rest);
      };
      setTimeout(() => void end().catch(reportError), Math.max(0, ends_ms - Date.now())).unref();
    }
  }
}

/**
 * npm passes its shell's death on to nobody: a start by npm whose npm is gone stops too, so that no server is
 * left behind that nobody sees.
 */
function stopWithParent(stop: () => void): void {
  if (process.env.npm_lifecycle_event !== "start") return;
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) stop();
  }, 1_000).unref();
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options === null) process.stdout.write(HELP);
  else await start(options);
} catch (error) {
  process.exitCode = reportError(error);
}
