import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CompactSign } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PROJECT_ROOT } from "../../scripts/runtime/layout.ts";
import { exportOf, lifeOf, newSigner, type TestSigner } from "../consent/chains.ts";

let dir: string;
let signer: TestSigner;
let exported: Awaited<ReturnType<typeof exportOf>>;

const write = (name: string, value: unknown) =>
  writeFileSync(join(dir, name), typeof value === "string" ? value : JSON.stringify(value));

async function jwsOf(value: unknown): Promise<string> {
  const payload = new TextEncoder().encode(JSON.stringify(value));
  return new CompactSign(payload).setProtectedHeader({ alg: "ES256", kid: signer.kid }).sign(signer.key);
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "altscore-consent-"));
  symlinkSync(join(PROJECT_ROOT, "node_modules"), join(dir, "node_modules"));
  signer = await newSigner("key-1");
  exported = await exportOf(await lifeOf(signer), signer);
  write("jwks.json", { keys: [signer.jwk] });
  write("export.json", exported);
  write("export.jose", await jwsOf(exported));
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

function verify(...args: string[]) {
  const script = join(PROJECT_ROOT, "scripts/verify-consent.ts");
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    cwd: dir,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

describe("npm run verify:consent", () => {
  it.each(["export.json", "export.jose"])("finds %s whole, by the JWKS alone", (file) => {
    expect(verify(file, "jwks.json")).toEqual({
      status: 0,
      stdout: `${file}: 6 records of 2 consents, whole; now 1 REVOKED, 1 EXPIRED\n`,
      stderr: "",
    });
  });

  it("says what is wrong and where", async () => {
    const records = exported.records.map((record, index) =>
      index === 1 ? { ...record, lender_id: "lender_x" } : record,
    );
    write("changed.json", { ...exported, records });
    expect(verify("changed.json", "jwks.json")).toMatchObject({ status: 1, stdout: "" });
    expect(verify("changed.json", "jwks.json").stderr.split("\n")).toEqual(
      expect.arrayContaining([
        "changed.json: its seal does not match: something in it was changed, added or left out",
        "changed.json: ret_00000000000000aa record 2: its hash does not match its content",
        "changed.json: ret_00000000000000aa record 2: its signature does not match",
      ]),
    );
    write("cut.json", { ...exported, records: exported.records.slice(0, -1) });
    expect(verify("cut.json", "jwks.json").stderr).toBe(
      "cut.json: its seal does not match: something in it was changed, added or left out\n",
    );
  });

  it("trusts nobody but the JWKS, whatever keys the export brings along", async () => {
    const forger = await newSigner("key-1");
    write("forged.json", await exportOf(await lifeOf(forger), forger));
    expect(verify("forged.json", "jwks.json").status).toBe(1);
    write("other.json", { keys: [forger.jwk] });
    expect(verify("export.jose", "other.json")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("its JWS is not signed by any of the given keys"),
    });
  });

  it("says so of files that are something else", () => {
    write("text.json", "no JSON at all");
    write("array.json", []);
    expect(verify("missing.json", "jwks.json").stderr).toMatch(/^missing\.json cannot be read/);
    expect(verify("text.json", "jwks.json").stderr).toMatch(/^text\.json is not an export/);
    expect(verify("array.json", "jwks.json").stderr).toBe(
      "array.json: it is not an export: it has no records\n",
    );
    expect(verify("export.json", "text.json").stderr).toBe("text.json is not a JWKS\n");
    expect(verify("export.json", "array.json").stderr).toBe("array.json is not a JWKS\n");
  });

  it("explains itself, and refuses wrong usage with exit code 2", () => {
    expect(verify("--help")).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("Usage:"),
      stderr: "",
    });
    for (const args of [[], ["export.json"], ["a", "b", "c"], ["--bogus"]]) {
      expect(verify(...args)).toMatchObject({
        status: 2,
        stdout: "",
        stderr: expect.stringContaining("Usage:"),
      });
    }
  });
});

describe("the commands in docs/consent.md", () => {
  const page = readFileSync(join(PROJECT_ROOT, "docs/consent.md"), "utf8");
  const blocks = (kind: string) =>
    [...page.matchAll(new RegExp(`^\`\`\`${kind}\\n(.*?)^\`\`\``, "gms"))].map((match) => match[1] as string);
  const inShell = (command: string) =>
    spawnSync("sh", ["-c", command], { cwd: dir, encoding: "utf8" }).stdout;
  const inNode = (name: string, source: string) => {
    write(name, source);
    return spawnSync(process.execPath, [name], { cwd: dir, encoding: "utf8" }).stdout;
  };

  it("verify a record by openssl alone, and see a change", () => {
    const [command] = blocks("sh openssl") as [string];
    expect(inShell(command)).toBe("hash: right\nVerified OK\n");
    write("export.json", { ...exported, records: [{ ...exported.records[0], lender_id: "lender_x" }] });
    expect(inShell(command)).toBe("Verification failure\n");
    write("export.json", exported);
  });

  it("verify the export and a record by jose alone, and see a change", async () => {
    const [whole, one] = blocks("js jose") as [string, string];
    expect(inNode("whole.mjs", whole)).toBe("6 records, signature right\n");
    expect(inNode("one.mjs", one)).toBe("record signature right\n");
    write("export.json", { ...exported, records: [{ ...exported.records[0], lender_id: "lender_x" }] });
    expect(inNode("one.mjs", one)).toBe("record signature WRONG\n");
    write("export.json", exported);
  });
});
