import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DEMO_BOOK, runDemo } from "./demo/demo.ts";
import type { Desk } from "./demo/load-book.ts";
import { writeLocalJson } from "./demo/local-json.ts";
import { ensureParties, type Parties } from "./demo/parties.ts";
import { readProgress, writeProgress } from "./demo/progress-file.ts";
import { endAllowance } from "./demo/upload.ts";
import { reportError } from "./lib/errors.ts";
import { shownPath } from "./lib/paths.ts";
import { openBook, runReceivables } from "./receivables/receivables.ts";
import { PROJECT_ROOT } from "./runtime/layout.ts";
import { type Runtime, startRuntime } from "./runtime/runtime.ts";

/** What `npm start` was asked for. */
export interface StartOptions {
  /** 0 takes a free port. */
  http_port: number;
  tls_port: number;
  state_dir: string;
  demo: "small" | "none";
  /** Path of a real book, or null. */
  receivables: string | null;
  /** Webhooks may go to plain HTTP and to this machine. */
  local_webhooks: boolean;
  /** Stop after the demonstration. */
  once: boolean;
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/**
 * Starts everything, onboards the parties, takes the asked-for books through the whole path, writes local.json,
 * and serves until SIGINT or SIGTERM; ends the process itself. OperationError before that if the book cannot be read.
 */
export async function serve(options: StartOptions): Promise<void> {
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
      local_webhooks: options.local_webhooks,
      onStep: (text) => say(`  ${text}`),
    });
    if (!options.once) stopWithNpm(() => void stop(0));
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
    say(`  TLS 1.3 and mTLS     ${runtime.mtls_url}   (CA: ${shownPath(runtime.ca_cert)})`);
    say(`  credentials          ${shownPath(runtime.layout.local_json)}`);
    say(`  requests, one a line ${shownPath(runtime.layout.log)}`);
    say("Play a shop's WhatsApp chat, in another terminal:");
    say(
      `  npm run -s whatsapp -- invite${stateOption(options)}, then npm run -s whatsapp -- say "हाँ"${stateOption(options)}`,
    );
  } catch (error) {
    if (stopping) return;
    const exit_code = reportError(error);
    await stop(exit_code);
  }
}

/** What a command needs to find this server, if its state is not in the usual folder. */
function stateOption({ state_dir }: StartOptions): string {
  return state_dir === join(PROJECT_ROOT, ".local") ? "" : ` --state ${shownPath(state_dir)}`;
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
 * npm killed outright takes nobody with it: it leaves its shell and this process behind. A start by npm whose npm
 * is gone stops too, so that no server is left that nobody sees.
 */
function stopWithNpm(stop: () => void): void {
  if (process.env.npm_lifecycle_event !== "start") return;
  const shell = process.ppid;
  const npm = parentOf(shell);
  setInterval(() => {
    if (process.ppid !== shell || parentOf(shell) !== npm) stop();
  }, 1_000).unref();
}

/** The parent's process id, as Linux tells it; null elsewhere. */
function parentOf(pid: number): number | null {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, "utf8");
    // "pid (name) state ppid ...": the name may hold anything, its closing parenthesis is the last one.
    return Number(status.slice(status.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return null;
  }
}
