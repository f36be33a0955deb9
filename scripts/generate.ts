import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { app } from "../src/app.ts";
import { ERRORS } from "../src/http/errors.ts";
import { openApiDocument } from "../src/http/openapi.ts";
import { featuresPage } from "./generate/features-page.ts";
import { type ReliabilityBin, reliabilityPicture } from "./generate/reliability.ts";
import { scoreScalePicture } from "./generate/score-scale.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

const usage = `Usage: npm run generate [-- --check]

Writes what is generated from the code: docs/openapi.json, docs/errors.md, docs/features.md, the pictures in
docs/img, and a new D1 migration if a table in src/*/tables.ts changed. With --check nothing is written; exits with 1 if anything is out of date.`;

/** docs/errors.md from the one error table. */
function errorsPage(): string {
  const rows = Object.entries(ERRORS)
    .sort(([a, left], [b, right]) => left.status - right.status || a.localeCompare(b))
    .map(([code, row]) => `| ${row.status} | \`${code}\` | ${row.title} | ${row.action} |`);
  return `# Errors

Generated from \`src/http/errors.ts\` by \`npm run generate\`. Every error is an RFC 9457 problem document
(\`application/problem+json\`) with \`type\`, \`title\`, \`status\`, \`detail\`, \`error_code\`, \`request_id\` and \`action\`.

| status | error_code | meaning | what to do |
|---|---|---|---|
${rows.join("\n")}
`;
}

/** Names of migrations that drizzle-kit would add to `out`; with a copy of migrations/ nothing is left behind. */
function newMigrations(out: string): string[] {
  const before = new Set(readdirSync(out));
  const result = spawnSync(
    join(root, "node_modules/.bin/drizzle-kit"),
    ["generate", "--dialect", "sqlite", "--schema", "./src/*/tables.ts", "--out", relative(root, out)],
    { cwd: root, encoding: "utf8" },
  );
  if (result.status !== 0) throw new Error(`drizzle-kit failed:\n${result.stdout}${result.stderr}`);
  return readdirSync(out).filter((name) => !before.has(name) && name.endsWith(".sql"));
}

function migrationDrift(): string[] {
  const copy = mkdtempSync(join(tmpdir(), "altscore-migrations-"));
  try {
    cpSync(join(root, "migrations"), copy, { recursive: true });
    return newMigrations(copy).length > 0 ? ["migrations/"] : [];
  } finally {
    rmSync(copy, { recursive: true });
  }
}

const { values } = parseArgs({ options: { check: { type: "boolean" }, help: { type: "boolean" } } });
if (values.help) {
  console.log(usage);
  process.exit(0);
}

const validation = JSON.parse(readFileSync(join(root, "models/validation.json"), "utf8")) as {
  reliability: ReliabilityBin[];
};
const pages: Record<string, string> = {
  "docs/errors.md": errorsPage(),
  "docs/features.md": featuresPage(),
  "docs/img/reliability.svg": reliabilityPicture(validation.reliability),
  "docs/img/score-scale.svg": scoreScalePicture(),
  "docs/openapi.json": `${JSON.stringify(openApiDocument(app), null, 2)}\n`,
};
const current = (path: string) => {
  try {
    return readFileSync(join(root, path), "utf8");
  } catch {
    return "";
  }
};
const stale = Object.keys(pages).filter((path) => current(path) !== pages[path]);

if (values.check) {
  const out_of_date = [...stale, ...migrationDrift()];
  if (out_of_date.length > 0) {
    console.error(`Out of date: ${out_of_date.join(", ")}. Run \`npm run generate\` and commit the result.`);
    process.exit(1);
  }
  console.log("Generated files are up to date.");
} else {
  for (const path of stale) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), pages[path] as string);
  }
  const added = newMigrations(join(root, "migrations"));
  console.log([...stale, ...added.map((name) => `migrations/${name}`)].join("\n") || "Nothing to do.");
}
