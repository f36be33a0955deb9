import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { OperationError } from "../lib/errors.ts";
import { PROJECT_ROOT } from "./layout.ts";

const BUNDLE_DIR = join(PROJECT_ROOT, ".local", "build");
const ENTRY = "index.js";
/** What the bundle is made of: newer than the bundle means it must be made again. */
const SOURCES = ["src", "durable-objects", "migrations", "models", "wrangler.toml", "package-lock.json"];

/** Switches off everything in wrangler that talks to the network or to the terminal. */
export const QUIET_WRANGLER = {
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_HIDE_BANNER: "true",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
};

/**
 * The folder of the Worker's bundle (index.js and the files it imports), the very one that a deployment would
 * upload. Made by wrangler's dry run if a source is newer, else taken as it is. OperationError with wrangler's
 * own words if the build fails.
 */
export function ensureBundle(onBuild: () => void): string {
  if (isFresh()) return BUNDLE_DIR;
  onBuild();
  // Built aside and moved into place, so that another process never loads half a bundle.
  const building = `${BUNDLE_DIR}.${process.pid}`;
  mkdirSync(dirname(BUNDLE_DIR), { recursive: true });
  const wrangler = join(PROJECT_ROOT, "node_modules", "wrangler", "bin", "wrangler.js");
  const result = spawnSync(process.execPath, [wrangler, "deploy", "--dry-run", "--outdir", building], {
    cwd: PROJECT_ROOT,
    env: { ...process.env, ...QUIET_WRANGLER },
    encoding: "utf8",
  });
  if (result.status !== 0) {
    rmSync(building, { recursive: true, force: true });
    throw new OperationError(`The Worker could not be built:\n${result.stdout}${result.stderr}`);
  }
  rmSync(BUNDLE_DIR, { recursive: true, force: true });
  renameSync(building, BUNDLE_DIR);
  return BUNDLE_DIR;
}

function isFresh(): boolean {
  const entry = join(BUNDLE_DIR, ENTRY);
  if (!existsSync(entry)) return false;
  const built_ms = statSync(entry).mtimeMs;
  return SOURCES.every((source) => newestChangeMs(join(PROJECT_ROOT, source)) < built_ms);
}

function newestChangeMs(path: string): number {
  if (!existsSync(path)) return 0;
  const status = statSync(path);
  if (!status.isDirectory()) return status.mtimeMs;
  // A folder's own time tells of files that were removed.
  return Math.max(status.mtimeMs, ...readdirSync(path).map((name) => newestChangeMs(join(path, name))));
}
