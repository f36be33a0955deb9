import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PROJECT_ROOT } from "../../scripts/runtime/layout.ts";
import { asLender, tlsClient } from "./support/batches.ts";
import { newStateDir, type Server, startServer } from "./support/server.ts";

/** Ingestion requests in the Worker's log: only they name a distributor. */
function ingestionRequests(state_dir: string): number {
  const lines = readFileSync(join(state_dir, "worker.log"), "utf8").split("\n");
  return lines.filter((line) => line.includes('"distributor_id"') && line.includes('"method":"POST"')).length;
}

/** The commands that the start printed for pasting, run by a shell; their output, line by line. */
function paste(output: string): string[] {
  const start = output.indexOf("# Next steps");
  const script = output.slice(start, output.indexOf("AltScore is running"));
  return execFileSync("/bin/sh", ["-c", script], { cwd: PROJECT_ROOT, encoding: "utf8" }).trim().split("\n");
}

const hasTool = (name: string, argument: string): boolean => spawnSync(name, [argument]).status === 0;

describe("npm start with the small demonstration", () => {
  const state = newStateDir();
  let server: Server;

  beforeAll(async () => {
    server = await startServer(state.dir, "--demo", "small");
  });
  afterAll(async () => {
    await server.stop();
    state.remove();
  });

  it("uploads the ledger over mTLS, records consents, and scores every shop", () => {
    expect(server.output).toMatch(/Batches over mTLS (\d+)\/\1 13\d{3} records\n/);
    expect(server.output).toMatch(/Consents 60\/60/);
    expect(server.output).toMatch(/Scores 60\/60/);
  });

  it("prints one answer with score, band, limit and reasons in English and Hindi", () => {
    expect(server.output).toMatch(/AltScore [3-9]\d\d {3}band [A-D] {3}probability of default \d+\.\d\d %/);
    expect(server.output).toMatch(/Recommended limit {3}₹[\d,]+/);
    const reasons = server.output.split("\n").filter((line) => /^ {3}[+−] /.test(line));
    expect(reasons.filter((line) => line.includes("+ ")).length).toBeGreaterThanOrEqual(3);
    expect(reasons.filter((line) => line.includes("− ")).length).toBeGreaterThanOrEqual(2);
    for (const line of reasons) expect(line).toMatch(/[A-Za-z]{3,}.*[\u0900-\u097f]{2,}/);
  });

  it("writes local.json for its owner only, in the published shape", () => {
    const { local } = server;
    expect(statSync(join(state.dir, "local.json")).mode & 0o777).toBe(0o600);
    expect(Object.keys(local).sort()).toEqual(
      [
        "base_url",
        "ca_cert",
        "distributors",
        "lenders",
        "mtls_url",
        "notices",
        "phone_pepper",
        "services",
        "whatsapp",
      ].sort(),
    );
    expect(local.lenders).toHaveLength(3);
    expect(local.distributors.map((distributor) => distributor.erp_type).sort()).toEqual([
      "sap_b1",
      "tally_prime",
    ]);
    for (const lender of local.lenders) {
      expect(Object.keys(lender)).toEqual(["lender_id", "client_id", "client_secret"]);
    }
    for (const distributor of local.distributors) {
      const names = ["distributor_id", "api_key", "signing_secret", "cert", "key", "erp_type"];
      expect(Object.keys(distributor)).toEqual(names);
    }
    expect(local.phone_pepper).toMatch(/^[0-9a-f]{64}$/);
    expect(local.notices.map((notice) => notice.language).sort()).toEqual(["en", "hi"]);
  });

  // A machine may have nothing but Node, npm and git.
  it.runIf(hasTool("curl", "--version") && hasTool("openssl", "version"))(
    "answers the printed commands: score, Hindi, history, lookup, batch, revocation, then 403",
    () => {
      const answers = paste(server.output).map((line) => JSON.parse(line) as Record<string, unknown>);
      const [english, hindi, history, lookup, batch, revoked, refused] = answers;
      expect(answers).toHaveLength(7);
      expect(english).toMatchObject({
        altscore: expect.any(Number),
        risk_band: expect.stringMatching(/^[A-D]$/),
      });
      expect(JSON.stringify((hindi!.reason_codes as { label: string }[])[0]!.label)).toMatch(
        /[\u0900-\u097f]/,
      );
      expect((history!.history as unknown[]).length).toBeGreaterThan(0);
      expect(lookup).toEqual({ retailer_id: english!.retailer_id, consent_active: true });
      expect(batch).toMatchObject({ accepted: 1, quarantined: 0, status: "processing" });
      expect(revoked).toMatchObject({ status: "revoked" });
      expect(refused).toMatchObject({ status: 403, error_code: "CONSENT_NOT_GRANTED" });
    },
  );

  it("gives a lender nothing about a retailer it has no consent for", async () => {
    const lender = await asLender(server.local, 1);
    const answer = await lender.send("POST", "/v1/score", {
      retailer_id: "ret_0123456789abcdef",
      purpose: "working_capital_loan",
    });
    expect(answer).toMatchObject({ status: 403, body: { error_code: "CONSENT_NOT_GRANTED" } });
  });

  it("keeps its keys and parties and uploads nothing twice when it is started again", async () => {
    const before = server.local;
    expect(await server.stop()).toBe(0);
    const uploaded = ingestionRequests(state.dir);
    expect(uploaded).toBeGreaterThan(10);
    const started_ms = performance.now();
    server = await startServer(state.dir, "--demo", "small");
    expect(performance.now() - started_ms).toBeLessThan(20_000);
    expect(server.output).toContain("were uploaded before");
    expect(ingestionRequests(state.dir)).toBe(uploaded);
    const { base_url: _base, mtls_url: _mtls, ...kept } = before;
    expect(server.local).toMatchObject(kept);
  });

  it("refuses a second server on the same state", async () => {
    await expect(startServer(state.dir, "--demo", "none")).rejects.toThrow(/already running/);
    const answer = await tlsClient(server.local).send({ method: "GET", path: "/.well-known/jwks.json" });
    expect(answer.status).toBe(200);
  });
});
