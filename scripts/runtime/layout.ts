import { createHash } from "node:crypto";
import { chmodSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder that holds package.json and wrangler.toml. */
export const PROJECT_ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** Unix socket paths are limited to about 104 bytes; longer ones move to the system's temporary folder. */
const SOCKET_PATH_LIMIT = 100;

/** Where each part of the local state lives. All paths are absolute. */
export interface StateLayout {
  dir: string;
  /** Secrets of the Worker, made once. */
  secrets: string;
  /** What was provisioned for the demonstration, with its credentials. */
  parties: string;
  /** Which uploads and consents are done. */
  progress: string;
  /** When each daily schedule last ran. */
  schedule: string;
  /** Serial numbers of revoked client certificates. */
  revoked: string;
  /** CA, server and client certificates with their keys. */
  certificates: string;
  /** SQLite files of D1, KV and the Durable Objects. */
  data: string;
  /** The Worker's log: one JSON line per request. */
  log: string;
  /** How tools reach the running system. */
  local_json: string;
  control_socket: string;
}

/** The state folder's layout; makes the folder (mode 700) if it is absent. */
export function openLayout(state_dir: string): StateLayout {
  const dir = resolve(state_dir);
  mkdirSync(dir, { recursive: true });
  chmodSync(dir, 0o700);
  const certificates = join(dir, "certificates");
  mkdirSync(certificates, { recursive: true });
  const socket = join(dir, "control.sock");
  const short = join(
    tmpdir(),
    `altscore-${createHash("sha256").update(dir).digest("hex").slice(0, 16)}.sock`,
  );
  return {
    dir,
    secrets: join(dir, "secrets.json"),
    parties: join(dir, "parties.json"),
    progress: join(dir, "progress.json"),
    schedule: join(dir, "schedule.json"),
    revoked: join(dir, "revoked-serials.json"),
    certificates,
    data: join(dir, "data"),
    log: join(dir, "worker.log"),
    local_json: join(dir, "local.json"),
    control_socket: Buffer.byteLength(socket) <= SOCKET_PATH_LIMIT ? socket : short,
  };
}
