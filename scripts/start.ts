import { join } from "node:path";
import { parseArgs } from "node:util";
import { reportError, UsageError } from "./lib/errors.ts";
import { PROJECT_ROOT } from "./runtime/layout.ts";
import type { StartOptions } from "./serve.ts";

const HELP = `AltScore on this machine: starts everything, shows one score, and goes on serving.

Usage: npm start -- [options]

  --port N            port of plain HTTP (default 8787; 0 takes a free one)
  --tls-port N        port of TLS 1.3 with client certificates (default 8788; 0 takes a free one)
  --state DIR         folder of all local state (default .local)
  --demo small|none   small: a made-up ledger of 60 shops goes through the whole path (default);
                      none: parties and notices only
  --receivables FILE  a real receivables book (.csv or .csv.gz) goes through the whole path, in place of the
                      made-up ledger unless --demo small is given too
  --local-webhooks    webhooks may go to plain HTTP and to this machine, to try a receiver
  --once              stop after that
  --help              this text
`;

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
    local_webhooks: values["local-webhooks"] ?? false,
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
        "local-webhooks": { type: "boolean" },
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

try {
  const options = readOptions(process.argv.slice(2));
  if (options === null) {
    process.stdout.write(HELP);
  } else {
    // Loaded late: wrong usage should be told at once.
    const { serve } = await import("./serve.ts");
    await serve(options);
  }
} catch (error) {
  process.exitCode = reportError(error);
}
