import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { compactVerify, createLocalJWKSet, type JWK } from "jose";
import type { ConsentRecord } from "../src/consent/record.ts";
import { verifyExport } from "../src/consent/verify.ts";
import { OperationError, reportError, UsageError } from "./lib/errors.ts";

const USAGE = "npm run -s verify:consent -- EXPORT JWKS";
const HELP = `Checks an exported consent history offline, with nothing but two files: nothing in it was changed, dropped, reordered
or added, every signature is right, every step is a legal one, no consent outlives 12 months, and the notices are the
ones that were shown.

Usage: ${USAGE}

  EXPORT   what GET /v1/consent/export gave, as JSON or as a JWS (Accept: application/jose)
  JWKS     the public keys: GET /.well-known/jwks.json, kept from the day of the export

Exit code 0: whole; 1: something is wrong, what and where on stderr; 2: wrong usage.
`;

/** The two paths; null if the help was asked for. Throws UsageError. */
function readArguments(args: string[]): [string, string] | null {
  let parsed: { values: { help?: boolean }; positionals: string[] };
  try {
    parsed = parseArgs({ args, options: { help: { type: "boolean" } }, allowPositionals: true });
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\nUsage: ${USAGE}`);
  }
  if (parsed.values.help) return null;
  const [exported, jwks, ...more] = parsed.positionals;
  if (exported === undefined || jwks === undefined || more.length > 0) {
    throw new UsageError(`Give an EXPORT and a JWKS.\nUsage: ${USAGE}`);
  }
  return [exported, jwks];
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    throw new OperationError(`${path} cannot be read: ${(error as Error).message}`);
  }
}

function readObject(path: string, text: string, what: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // Reported below, like a file that holds something else.
  }
  throw new OperationError(`${path} is not ${what}`);
}

/** The export in a JWS or in plain JSON; a JWS must be signed by one of the keys. */
async function readExport(path: string, jwks: { keys: JWK[] }): Promise<object> {
  const text = readText(path);
  const is_jws = /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text);
  if (!is_jws) return readObject(path, text, "an export: neither JSON nor a compact JWS");
  let payload: Uint8Array;
  try {
    ({ payload } = await compactVerify(text, createLocalJWKSet(jwks), { algorithms: ["ES256"] }));
  } catch (error) {
    throw new OperationError(
      `${path}: its JWS is not signed by any of the given keys: ${(error as Error).message}`,
    );
  }
  return readObject(path, new TextDecoder().decode(payload), "a JWS of an export");
}

async function main(args: string[]): Promise<void> {
  const given = readArguments(args);
  if (given === null) {
    process.stdout.write(HELP);
    return;
  }
  const [export_path, jwks_path] = given;
  const jwks = readObject(jwks_path, readText(jwks_path), "a JWKS") as { keys: JWK[] };
  if (!Array.isArray(jwks.keys)) throw new OperationError(`${jwks_path} is not a JWKS`);
  const exported = await readExport(export_path, jwks);
  const { valid, problems } = await verifyExport(exported, jwks);
  if (!valid) throw new OperationError(problems.map((problem) => `${export_path}: ${problem}`).join("\n"));
  process.stdout.write(`${export_path}: ${summary((exported as { records: ConsentRecord[] }).records)}\n`);
}

/** What the history comes to, e.g. `6 records of 2 consents, whole; now 1 REVOKED, 1 EXPIRED`. */
function summary(records: readonly ConsentRecord[]): string {
  const status = new Map(records.map((record) => [record.consent_id, record.status]));
  const counts = [...Map.groupBy(status.values(), (each) => each)].map(
    ([each, of]) => `${of.length} ${each}`,
  );
  const now = counts.length > 0 ? `; now ${counts.join(", ")}` : "";
  return `${records.length} records of ${status.size} consents, whole${now}`;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = reportError(error);
}
