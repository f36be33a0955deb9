import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { JWK } from "jose";
import type { Link } from "../src/audit/chain.ts";
import { readExportedLine } from "../src/audit/rows.ts";
import { type Anchor, anchorProblem, verifyStream } from "../src/audit/verify.ts";
import { OperationError, reportError, UsageError } from "./lib/errors.ts";

const USAGE = "npm run -s verify:audit -- FILE [--anchor FILE] [--jwks FILE]";
const HELP = `Checks an exported audit stream with nothing but its file: no row was changed, dropped, reordered or added.

Usage: ${USAGE}

  FILE           the stream, JSON lines from its first row on: npm run -s provision -- export-audit --stream NAME
  --anchor FILE  an anchor kept from an earlier day: shows also a cut-off end and a stream that was written anew;
                 npm run -s provision -- export-anchor
  --jwks FILE    the public keys (GET /.well-known/jwks.json, kept with the anchor): shows a forged anchor

Exit code 0: whole; 1: something is wrong, what and where on stderr; 2: wrong usage.
`;

interface Arguments {
  file: string;
  anchor?: string;
  jwks?: string;
}

/** What was asked for; null if it is the help. Throws UsageError. */
function readArguments(args: string[]): Arguments | null {
  const options = {
    anchor: { type: "string" },
    jwks: { type: "string" },
    help: { type: "boolean" },
  } as const;
  let parsed: ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>;
  try {
    parsed = parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\nUsage: ${USAGE}`);
  }
  const { help, ...values } = parsed.values;
  if (help) return null;
  const [file, ...more] = parsed.positionals;
  if (file === undefined || more.length > 0) throw new UsageError(`Give one FILE.\nUsage: ${USAGE}`);
  if (values.jwks !== undefined && values.anchor === undefined) {
    throw new UsageError(`--jwks checks the signature of --anchor.\nUsage: ${USAGE}`);
  }
  return { file, ...values };
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new OperationError(`${path} cannot be read: ${(error as Error).message}`);
  }
}

function readJsonFile<T>(path: string, isIt: (value: Partial<T>) => boolean, what: string): T {
  let value: Partial<T> | null = null;
  try {
    value = JSON.parse(readText(path)) as Partial<T> | null;
  } catch (error) {
    if (error instanceof OperationError) throw error;
  }
  if (value === null || !isIt(value)) throw new OperationError(`${path} is not ${what}`);
  return value as T;
}

function readStream(path: string): Link[] {
  const lines = readText(path).split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line, index) => {
    const link = readExportedLine(line);
    if (link) return link;
    throw new OperationError(`${path}: row ${index + 1}: is not a row as it is exported`);
  });
}

async function readAnchor(path: string, jwks_path: string | undefined): Promise<Anchor> {
  const anchor = readJsonFile<Anchor>(path, ({ heads }) => Array.isArray(heads), "an anchor");
  const jwks =
    jwks_path === undefined
      ? undefined
      : readJsonFile<{ keys: JWK[] }>(jwks_path, ({ keys }) => Array.isArray(keys), "a JWKS");
  const problem = await anchorProblem(anchor, jwks);
  if (problem) throw new OperationError(`${path}: the anchor is not genuine: ${problem}`);
  return anchor;
}

async function main(args: string[]): Promise<void> {
  const given = readArguments(args);
  if (given === null) {
    process.stdout.write(HELP);
    return;
  }
  const anchor = given.anchor === undefined ? undefined : await readAnchor(given.anchor, given.jwks);
  const rows = readStream(given.file);
  const { stream, problem, anchored_seq } = verifyStream(rows, anchor);
  if (problem) throw new OperationError(`${given.file}: ${stream === null ? "" : `${stream}: `}${problem}`);
  process.stdout.write(
    `${stream}: ${rows.length} rows, whole. ${vouched(anchor, anchored_seq, given.jwks)}\n`,
  );
}

/** Up to where the anchor shows that nothing is missing, in words. */
function vouched(anchor: Anchor | undefined, anchored_seq: number | null, jwks: string | undefined): string {
  if (!anchor) return "Without an anchor a cut-off end cannot be seen.";
  const name = `the anchor of ${anchor.anchored_at}${jwks === undefined ? " (signature not checked)" : ""}`;
  if (anchored_seq === null) return `It is not in ${name}: a cut-off end cannot be seen.`;
  return `Row ${anchored_seq} is the one of ${name}.`;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = reportError(error);
}
