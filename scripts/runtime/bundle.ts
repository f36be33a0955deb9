import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, extname, join } from "node:path";
import type { V4ModuleDefinition, V4ModuleRule, V4ModuleRuleType } from "miniflare";
import { OperationError } from "../lib/errors.ts";
import { readJson } from "../lib/files.ts";
import { PROJECT_ROOT } from "./layout.ts";
import type { Migration } from "./migrations.ts";

const BUNDLE_DIR = join(PROJECT_ROOT, ".local", "build");
const CONFIG_PATH = join(PROJECT_ROOT, "wrangler.toml");
const MIGRATIONS_DIR = join(PROJECT_ROOT, "migrations");
const ENTRY = "index.js";
const SETTINGS = "settings.json";
/** What the bundle is made of: newer than the bundle means it must be made again. */
const SOURCES = [
  "src",
  "durable-objects",
  "migrations",
  "models",
  "wrangler.toml",
  "package-lock.json",
  // This file decides what is kept beside the bundle.
  join("scripts", "runtime", "bundle.ts"),
];

/** Switches off everything in wrangler that talks to the network or to the terminal. */
const QUIET_WRANGLER = {
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_HIDE_BANNER: "true",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
};

/** wrangler.toml as the simulator takes it. Kept beside the bundle: loading wrangler takes over a second. */
interface Settings {
  /** Paths in the settings are absolute: a project that was moved needs new ones. */
  project_root: string;
  /** Bindings, queues, compatibility: passed on as they are. */
  worker: Record<string, unknown> & { bindings?: Record<string, string>; compatibilityDate?: string };
  rules: V4ModuleRule[];
  crons: string[];
  /** D1's migrations in the order of their names, cut into statements. */
  migrations: Migration[];
}

/** The Worker as a deployment would upload it, with its configuration. */
export interface Bundle {
  dir: string;
  /** The entry first. */
  modules: V4ModuleDefinition[];
  settings: Settings;
}

/**
 * The Worker's bundle: made by wrangler's dry run if a source is newer, else taken as it is. OperationError with
 * wrangler's own words if the build fails.
 */
export async function ensureBundle(onBuild: () => void): Promise<Bundle> {
  if (!isFresh()) {
    onBuild();
    await build();
  }
  const settings = readJson<Settings | null>(join(BUNDLE_DIR, SETTINGS), null);
  if (settings === null) throw new OperationError(`${BUNDLE_DIR} is damaged: remove it and start again.`);
  return { dir: BUNDLE_DIR, modules: bundleModules(BUNDLE_DIR, settings.rules, ENTRY), settings };
}

async function build(): Promise<void> {
  // Built aside and moved into place, so that another process never loads half a bundle.
  const building = `${BUNDLE_DIR}.${process.pid}`;
  mkdirSync(dirname(BUNDLE_DIR), { recursive: true });
  bundleInto(building);
  writeFileSync(join(building, SETTINGS), JSON.stringify(await readSettings()));
  const previous = `${building}.previous`;
  if (existsSync(BUNDLE_DIR)) renameSync(BUNDLE_DIR, previous);
  renameSync(building, BUNDLE_DIR);
  rmSync(previous, { recursive: true, force: true });
}

/** wrangler's dry run into a folder. OperationError, and no folder, if it fails. */
function bundleInto(dir: string, entry: readonly string[] = []): void {
  const wrangler = join(PROJECT_ROOT, "node_modules", "wrangler", "bin", "wrangler.js");
  const result = spawnSync(process.execPath, [wrangler, "deploy", ...entry, "--dry-run", "--outdir", dir], {
    cwd: PROJECT_ROOT,
    env: { ...process.env, ...QUIET_WRANGLER },
    encoding: "utf8",
  });
  if (result.status === 0) return;
  rmSync(dir, { recursive: true, force: true });
  throw new OperationError(`The Worker could not be built:\n${result.stdout}${result.stderr}`);
}

/**
 * The bundle of another entry (path from the project's root, ending in worker.ts) with the configuration of
 * wrangler.toml, made anew in `dir`. OperationError with wrangler's own words if the build fails.
 */
export async function bundleOf(entry: string, dir: string): Promise<Bundle> {
  bundleInto(dir, [entry]);
  const settings = await readSettings();
  return { dir, modules: bundleModules(dir, settings.rules, "worker.js"), settings };
}

async function readSettings(): Promise<Settings> {
  Object.assign(process.env, QUIET_WRANGLER);
  const { unstable_getMiniflareWorkerOptions, unstable_readConfig, unstable_splitSqlQuery } = await import(
    "wrangler"
  );
  const { workerOptions } = unstable_getMiniflareWorkerOptions(CONFIG_PATH);
  // The bundle's files are listed one by one; with the rules the simulator would look for them a second time. The
  // asset router is left out as well: every path goes to the Worker first and none is served from assets, while
  // the simulator's router costs about 0.4 ms of CPU a request.
  const { modulesRules = [], assets: _assets, ...worker } = workerOptions;
  return {
    project_root: PROJECT_ROOT,
    worker: worker as Settings["worker"],
    rules: modulesRules,
    crons: unstable_readConfig({ config: CONFIG_PATH }).triggers.crons ?? [],
    migrations: readdirSync(MIGRATIONS_DIR)
      .filter((name) => name.endsWith(".sql"))
      .sort()
      .map((name) => ({
        name,
        statements: unstable_splitSqlQuery(readFileSync(join(MIGRATIONS_DIR, name), "utf8")),
      })),
  };
}

function isFresh(): boolean {
  const settings = readJson<Settings | null>(join(BUNDLE_DIR, SETTINGS), null);
  if (settings?.project_root !== PROJECT_ROOT) return false;
  const built_ms = statSync(join(BUNDLE_DIR, ENTRY)).mtimeMs;
  return SOURCES.every((source) => newestChangeMs(join(PROJECT_ROOT, source)) < built_ms);
}

function newestChangeMs(path: string): number {
  if (!existsSync(path)) return 0;
  const status = statSync(path);
  if (!status.isDirectory()) return status.mtimeMs;
  // A folder's own time tells of files that were removed.
  return Math.max(status.mtimeMs, ...readdirSync(path).map((name) => newestChangeMs(join(path, name))));
}

/** The bundle's files as modules, each of the type that wrangler's rules give its ending. */
function bundleModules(dir: string, rules: V4ModuleRule[], entry: string): V4ModuleDefinition[] {
  const types = new Map<string, V4ModuleRuleType>([[".js", "ESModule"]]);
  for (const { type, include } of rules) for (const glob of include) types.set(extname(glob), type);
  const modules = readdirSync(dir).flatMap((file) => {
    const type = types.get(extname(file));
    return type === undefined ? [] : [{ type, path: join(dir, file) }];
  });
  return modules.sort((a, b) => Number(b.path.endsWith(entry)) - Number(a.path.endsWith(entry)));
}
