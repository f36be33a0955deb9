import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PROJECT_ROOT } from "../../../scripts/runtime/layout.ts";

const READY = "AltScore is running";
const START_TIMEOUT_MS = 150_000;

/** What local.json says (issue: "how tools reach the running system"). */
export interface LocalJson {
  base_url: string;
  mtls_url: string;
  ca_cert: string;
  lenders: { lender_id: string; client_id: string; client_secret: string }[];
  services: { client_id: string; client_secret: string; scope: string }[];
  distributors: {
    distributor_id: string;
    api_key: string;
    signing_secret: string;
    cert: string;
    key: string;
    erp_type: "tally_prime" | "sap_b1";
  }[];
  phone_pepper: string;
  notices: { notice_id: string; notice_version: string; language: string }[];
  whatsapp: { app_secret: string; verify_token: string };
}

/** A server started as `npm start` starts it, in a process group of its own. */
export interface Server {
  pid: number;
  local: LocalJson;
  /** What it printed up to the moment it was ready. */
  output: string;
  /** Ends it as Ctrl-C does; resolves with its exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL to the server and to workerd alike: a power cut. */
  kill(): Promise<void>;
}

/** A new folder for a server's state, and the way to remove it. */
export function newStateDir(): { dir: string; remove: () => void } {
  const dir = mkdtempSync(join(tmpdir(), "altscore-e2e-"));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** Starts the server on free ports and waits until it says that it runs. Throws with its output if it does not. */
export async function startServer(state_dir: string, ...options: string[]): Promise<Server> {
  const args = ["scripts/start.ts", "--port", "0", "--tls-port", "0", "--state", state_dir, ...options];
  const child = spawn(process.execPath, args, { cwd: PROJECT_ROOT, detached: true, stdio: "pipe" });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const output = await untilReady(child);
  return {
    pid: child.pid!,
    local: JSON.parse(readFileSync(join(state_dir, "local.json"), "utf8")) as LocalJson,
    output,
    async stop() {
      child.kill("SIGINT");
      return await exited;
    },
    async kill() {
      process.kill(-child.pid!, "SIGKILL");
      await exited;
    },
  };
}

function untilReady(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`the server did not get ready:\n${output}`));
    }, START_TIMEOUT_MS);
    const hear = (chunk: Buffer): void => {
      output += chunk.toString("utf8");
      if (!output.includes(READY)) return;
      clearTimeout(timer);
      // The few lines after it come with it or right behind it.
      setTimeout(() => resolve(output), 50);
    };
    child.stdout?.on("data", hear);
    child.stderr?.on("data", hear);
    child.once("exit", (code) => {
      clearTimeout(timer);
      reject(new Error(`the server ended with ${code}:\n${output}`));
    });
  });
}
