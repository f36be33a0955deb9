import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { PROJECT_ROOT } from "../../scripts/runtime/layout.ts";
import { newStateDir } from "./support/server.ts";
import { smallBook } from "./support/small-book.ts";

function run(...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, args, { cwd: PROJECT_ROOT, encoding: "utf8" });
}

describe("npm start -- --receivables FILE --once", () => {
  const state = newStateDir();
  afterAll(() => state.remove());

  it("takes a gzipped book through the whole path, prints and writes the table, and ends", () => {
    const file = join(state.dir, "small.csv.gz");
    writeFileSync(file, gzipSync(smallBook({ PUNCTUAL: -5, LATE: 45 })));
    const args = ["scripts/start.ts", "--port", "0", "--tls-port", "0", "--state", state.dir];
    const result = run(...args, "--receivables", file, "--once");
    expect(result.stderr).toBe("");
    expect(result.status).toBe(0);
    expect(result.stdout).toMatch(/Batches over mTLS 1\/1 200 records/);
    expect(result.stdout).toMatch(/PUNCTUAL +\d{3} +[A-D] +\d+\.\d\d % +0 %\n/);
    const lines = readFileSync(join(state.dir, "receivables-small.csv"), "utf8").trim().split("\n");
    expect(lines[0]).toBe("customer,altscore,risk_band,probability_of_default,share_paid_late");
    const rows = lines.slice(1).map((line) => line.split(","));
    expect(rows.map((row) => row[0])).toEqual(["PUNCTUAL", "LATE"]);
    expect(rows.map((row) => row[4])).toEqual(["0.0000", "1.0000"]);
    expect(Number(rows[0]![1])).toBeGreaterThan(Number(rows[1]![1]));
  });

  it("says what is wrong with a file before it starts anything", () => {
    for (const [file, message] of [
      ["missing.csv", "There is no file missing.csv."],
      ["package.json", "The book is not readable as CSV"],
    ] as const) {
      const result = run("scripts/start.ts", "--receivables", file);
      expect(result).toMatchObject({ status: 1, stdout: "" });
      expect(result.stderr).toContain(message);
    }
  });
});

describe("the command lines", () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, args, { cwd: PROJECT_ROOT, encoding: "utf8" });

  it("explain themselves with --help", () => {
    expect(run("scripts/start.ts", "--help")).toMatchObject({ status: 0, stderr: "" });
    expect(run("scripts/provision.ts", "--help")).toMatchObject({ status: 0, stderr: "" });
    const help = run("scripts/provision.ts", "create-lender", "--help");
    expect(help.stdout).toMatch(/--name TEXT .*\(required\)/);
  });

  it.each([
    ["scripts/start.ts --bogus", "--bogus"],
    ["scripts/start.ts --port 99999", "--port"],
    ["scripts/start.ts --demo large", "--demo takes small or none"],
    ["scripts/provision.ts", ""],
    ["scripts/provision.ts create-everything", "no command create-everything"],
    ["scripts/provision.ts create-lender", "needs --name"],
    ["scripts/provision.ts set-lender-limits --lender-id x --score-per-minute many", "whole number"],
    ["scripts/provision.ts promote-model --by Asha --reason good", "needs MODEL_ID"],
    ["scripts/provision.ts retire-model one two --by Asha --reason bad", "more than one MODEL_ID"],
    ["scripts/provision.ts list-models one", "Unexpected argument"],
    ["scripts/provision.ts replay", "takes SCORE_ID or --last N"],
    ["scripts/provision.ts replay --last many", "whole number"],
  ])("refuse `%s` with exit code 2", (line, message) => {
    const result = run(...line.split(" "));
    expect(result.status).toBe(2);
    expect(result.stderr).toContain(message);
  });
});

describe("npm run provision without a running server", () => {
  const state = newStateDir();
  afterAll(() => state.remove());

  it("opens the state itself, prints one JSON object, and refuses with exit code 1", () => {
    const create = ["scripts/provision.ts", "create-lender", "--name", "Kosi", "--lender-id", "lender_kosi"];
    const made = run(...create, "--state", state.dir);
    expect(JSON.parse(made.stdout)).toMatchObject({
      lender_id: "lender_kosi",
      client_secret: expect.any(String),
    });
    const again = run(...create, "--state", state.dir);
    expect(again).toMatchObject({ status: 1, stdout: "" });
    expect(again.stderr).toContain("LENDER_EXISTS");
  });

  it("takes a model through registration, the gates and retirement", () => {
    const provision = (...args: string[]) => run("scripts/provision.ts", ...args, "--state", state.dir);
    const champion = join(PROJECT_ROOT, "models", "champion");
    const model = JSON.parse(readFileSync(`${champion}.xgb`, "utf8"));
    model.learner.gradient_booster.model.trees.reverse();
    const artefact = JSON.stringify(model);
    const sha256 = createHash("sha256").update(artefact).digest("hex");
    const model_id = `mdl_${sha256.slice(0, 16)}`;
    const card = JSON.parse(readFileSync(`${champion}.meta.json`, "utf8"));
    const files = { model: join(state.dir, "other.xgb"), meta: join(state.dir, "other.meta.json") };
    writeFileSync(files.model, artefact);
    writeFileSync(files.meta, JSON.stringify({ ...card, model_id, sha256, metrics: {} }));
    const given = ["--model", files.model, "--meta", files.meta];

    const made = provision("register-model", ...given, "--by", "Asha");
    expect(JSON.parse(made.stdout)).toEqual({ model_id, status: "challenger", sha256, shadow_scores: 0 });
    const answerable = ["--by", "Asha", "--reason", "looks good"];
    const promoted = provision("promote-model", model_id, ...answerable);
    expect(promoted).toMatchObject({ status: 1, stdout: "" });
    expect(promoted.stderr).toContain("GATES_FAILED");
    expect(promoted.stderr).toContain("AUROC at least 0.72 (is missing)");
    const retired = provision("retire-model", model_id, ...answerable);
    expect(JSON.parse(retired.stdout)).toEqual({ model_id, status: "retired" });
    const { models } = JSON.parse(provision("list-models").stdout) as { models: { status: string }[] };
    expect(models.map(({ status }) => status).sort()).toEqual(["champion", "retired"]);
    const broken = provision("register-model", "--model", files.model, "--meta", files.model);
    expect(broken.stderr).toContain("INVALID_REQUEST");
    expect(JSON.parse(provision("replay", "--last", "5").stdout)).toMatchObject({ replayed: 0 });
  });
});
