import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PROJECT_ROOT } from "../../scripts/runtime/layout.ts";
import { EMPTY_HEAD, type Link, nextLink } from "../../src/audit/chain.ts";
import { exportedLine } from "../../src/audit/rows.ts";
import { signEs256 } from "../../src/lib/es256.ts";
import { newStateDir } from "./support/server.ts";
import { smallBook } from "./support/small-book.ts";

const folder = newStateDir();
afterAll(() => folder.remove());

function run(...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, args, { cwd: PROJECT_ROOT, encoding: "utf8" });
}
const verify = (...args: string[]): SpawnSyncReturns<string> => run("scripts/verify-audit.ts", ...args);

let files = 0;
/** Writes a file and returns its path. */
function file(text: string): string {
  const path = join(folder.dir, String(++files));
  writeFileSync(path, text);
  return path;
}

const rows: Link[] = [];
for (let seq = 1; seq <= 5; seq++) {
  const row = { stream: "events:7", seq, type: "grievance.filed", outcome: `step ${seq}` };
  rows.push(nextLink(rows.at(-1)?.row_hash ?? EMPTY_HEAD.row_hash, row));
}
const lines = rows.map(exportedLine);
const streamFile = (some: readonly string[]): string => file(`${some.join("\n")}\n`);

let anchor: Record<string, unknown>;
let jwks: string;

beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const jwk = await exportJWK(publicKey);
  const key_id = await calculateJwkThumbprint(jwk);
  jwks = file(JSON.stringify({ keys: [{ ...jwk, kid: key_id }] }));
  const heads = [{ stream: "events:7", seq: 4, row_hash: rows[3]!.row_hash }];
  const content = { version: 1, seq: 1, anchored_at: "2026-11-20T02:10:00.000Z", heads, problems: [] };
  const { canonical, row_hash } = nextLink(EMPTY_HEAD.row_hash, content);
  const signature = await signEs256(privateKey, canonical);
  anchor = { ...JSON.parse(canonical), anchor_hash: row_hash, signature, key_id };
});

const anchorFile = (changes: object = {}): string => file(JSON.stringify({ ...anchor, ...changes }, null, 2));

describe("npm run verify:audit", () => {
  it("passes a whole stream, and says how far the anchor vouches for it", () => {
    const whole = streamFile(lines);
    expect(verify(whole)).toMatchObject({
      status: 0,
      stdout: "events:7: 5 rows, whole. Without an anchor a cut-off end cannot be seen.\n",
    });
    const name = "the anchor of 2026-11-20T02:10:00.000Z";
    expect(verify(whole, "--anchor", anchorFile(), "--jwks", jwks)).toMatchObject({
      status: 0,
      stdout: `events:7: 5 rows, whole. Row 4 is the one of ${name}.\n`,
    });
    expect(verify(whole, "--anchor", anchorFile()).stdout).toContain("(signature not checked)");
  });

  it.each<[string, (whole: string[]) => string[], string]>([
    [
      "changed",
      (l) => l.with(1, l[1]!.replace("step 2", "step 9")),
      "events:7: row 2: its hash does not match its content",
    ],
    ["reformatted", (l) => l.with(1, l[1]!.replace(":", ": ")), "row 2: is not a row as it is exported"],
    ["dropped", (l) => l.toSpliced(2, 1), "events:7: row 3: does not follow the row before it"],
    ["swapped", (l) => l.with(2, l[3]!).with(3, l[2]!), "events:7: row 3: does not follow the row before it"],
    ["cut off", (l) => l.slice(0, 2), "events:7: rows 3 to 4 are missing: the anchor knows row 4"],
    ["emptied", () => [], "it has no rows: a stream has at least one"],
  ])("says what is wrong with a stream that was %s", (_how, tamper, message) => {
    const tampered = tamper(lines);
    const path = tampered.length === 0 ? file("") : streamFile(tampered);
    expect(verify(path, "--anchor", anchorFile(), "--jwks", jwks)).toMatchObject({
      status: 1,
      stdout: "",
      stderr: `${path}: ${message}\n`,
    });
  });

  it("takes no anchor that is not genuine", () => {
    const whole = streamFile(lines);
    for (const [changes, problem] of [
      [{ heads: [] }, "its hash does not match its content"],
      [{ signature: "0".repeat(128) }, "its signature does not match"],
      [{ key_id: "another" }, "its key is not among the given ones"],
    ] as const) {
      const { status, stderr } = verify(whole, "--anchor", anchorFile(changes), "--jwks", jwks);
      expect([status, stderr]).toEqual([1, expect.stringContaining(`the anchor is not genuine: ${problem}`)]);
    }
    expect(verify(whole, "--anchor", whole).stderr).toMatch(/is not an anchor\n$/);
  });

  it("tells wrong usage from wrong files", () => {
    expect(verify("--help")).toMatchObject({ status: 0, stderr: "" });
    expect(verify().status).toBe(2);
    expect(verify("a", "b").status).toBe(2);
    expect(verify("a", "--jwks", jwks).status).toBe(2);
    expect(verify("a", "--strange").status).toBe(2);
    expect(verify("missing")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("missing cannot be read"),
    });
  });
});

describe("npm run provision -- export-audit", () => {
  it("gives a stream of the running system that passes", () => {
    const book = join(folder.dir, "book.csv");
    writeFileSync(book, smallBook({ PUNCTUAL: -5, LATE: 45 }));
    const start = ["scripts/start.ts", "--port", "0", "--tls-port", "0", "--state", folder.dir];
    expect(run(...start, "--receivables", book, "--once").status).toBe(0);
    const provision = (...args: string[]) => run("scripts/provision.ts", ...args, "--state", folder.dir);
    const { distributors } = JSON.parse(provision("list").stdout) as {
      distributors: { distributor_id: string }[];
    };
    const ledgers = distributors.map(({ distributor_id }) => `ledger:${distributor_id}`);
    const whole = ["access:lender_demo_desk", ...ledgers].filter((stream) => {
      const { status, stdout } = provision("export-audit", "--stream", stream);
      return (
        status === 0 &&
        verify(file(stdout)).stdout.startsWith(`${stream}: ${stdout.split("\n").length - 1} rows, whole.`)
      );
    });
    // The book came through one of the distributors and was scored for the desk.
    expect(whole).toEqual(["access:lender_demo_desk", expect.stringMatching(/^ledger:dist_/)]);
    expect(provision("export-audit", "--stream", "events:none").stderr).toContain("AUDIT_STREAM_UNKNOWN");
    expect(provision("export-anchor").stderr).toContain("AUDIT_NOT_ANCHORED");
  });
});
