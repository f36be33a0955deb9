import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { extname, join } from "node:path";
import {
  convertV4MiniflareOptions,
  Log,
  LogLevel,
  Miniflare,
  type V4ModuleDefinition,
  type V4ModuleRule,
  type V4ModuleRuleType,
  type V4WorkerOptions,
} from "miniflare";
import { unstable_getMiniflareWorkerOptions, unstable_readConfig } from "wrangler";
import { ensureBundle, QUIET_WRANGLER } from "./bundle.ts";
import {
  CONTROL_NAME,
  CONTROL_SCRIPT,
  type ProvisioningCall,
  provisioningThrough,
} from "./control-worker.ts";
import { PROJECT_ROOT } from "./layout.ts";
import type { WorkerLog } from "./log.ts";
import { applyMigrations } from "./migrations.ts";
import { watchChildren } from "./watchdog.ts";

const CONFIG_PATH = join(PROJECT_ROOT, "wrangler.toml");

/** The part of wrangler's options that is read here; the rest passes through. */
type WrittenConfig = Record<string, unknown> & {
  modulesRules: V4ModuleRule[];
  bindings?: Record<string, string>;
  compatibilityDate?: string;
};

export interface WorkerOptions {
  /** Folder of the SQLite files of D1, KV and the Durable Objects. */
  data_dir: string;
  /** Secrets and settings over those of wrangler.toml. */
  bindings: Record<string, string>;
  log: WorkerLog;
  onStep: (text: string) => void;
}

/** The Worker running in workerd on a random loopback port. */
export interface RunningWorker {
  mf: Miniflare;
  port: number;
  /** Process id of workerd; changes if it crashed and was started again. */
  pid(): number;
  crons: string[];
  provisioning: ProvisioningCall;
  close(): Promise<void>;
}

/**
 * Starts the Worker exactly as bundled for deployment, with the bindings of wrangler.toml, and brings D1 up to
 * the newest migration. workerd ends with this process, however this process ends.
 */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  Object.assign(process.env, QUIET_WRANGLER);
  const bundle_dir = ensureBundle(() => options.onStep("Building the Worker"));
  options.onStep("Starting the Worker");
  const name = "altscore";
  const { workerOptions } = unstable_getMiniflareWorkerOptions(CONFIG_PATH);
  // wrangler types an indexed record; the simulator checks what is in it.
  const { modulesRules, ...configured } = workerOptions as WrittenConfig;
  const control_token = randomBytes(32).toString("hex");

  const app: V4WorkerOptions = {
    ...configured,
    name,
    modules: bundleModules(bundle_dir, modulesRules),
    modulesRoot: bundle_dir,
    bindings: { ...configured.bindings, ...options.bindings },
  };
  const control: V4WorkerOptions = {
    name: CONTROL_NAME,
    compatibilityDate: configured.compatibilityDate,
    modules: [{ type: "ESModule", path: "control.js", contents: CONTROL_SCRIPT }],
    bindings: { TOKEN: control_token },
    serviceBindings: { PROVISIONING: { name, entrypoint: "Provisioning" } },
  };

  const children = watchChildren();
  const mf = keepingSignalHandlers(
    () =>
      new Miniflare(
        convertV4MiniflareOptions({
          host: "127.0.0.1",
          port: 0,
          cf: false,
          resourcePersistencePath: options.data_dir,
          log: new FileLog(options.log),
          handleStructuredLogs: ({ level, message }) => options.log.write(level, message),
          telemetry: { enabled: false },
          workers: [app, control],
        }),
      ),
  );
  try {
    const url = await mf.ready;
    await applyMigrations(await mf.getD1Database("DB", name), join(PROJECT_ROOT, "migrations"));
    return {
      mf,
      port: Number(url.port),
      pid: () => children.pid(),
      crons: unstable_readConfig({ config: CONFIG_PATH }).triggers.crons ?? [],
      provisioning: provisioningThrough(mf, control_token),
      async close() {
        await mf.dispose();
        children.release();
      },
    };
  } catch (error) {
    await mf.dispose();
    children.release();
    throw error;
  }
}

/**
 * The simulator ends the process on the first SIGINT or SIGTERM; whoever starts the system decides about these,
 * because requests in flight deserve their answers.
 */
function keepingSignalHandlers<T>(work: () => T): T {
  const signals = ["SIGINT", "SIGTERM"] as const;
  const known = signals.map((signal) => new Set(process.listeners(signal)));
  const result = work();
  for (const [i, signal] of signals.entries()) {
    for (const listener of process.listeners(signal)) {
      if (!known[i]!.has(listener)) process.removeListener(signal, listener);
    }
  }
  return result;
}

/** The bundle's files as modules, each of the type that wrangler's rules give its ending; the entry comes first. */
function bundleModules(dir: string, rules: V4ModuleRule[]): V4ModuleDefinition[] {
  const types = new Map<string, V4ModuleRuleType>([[".js", "ESModule"]]);
  for (const { type, include } of rules) for (const glob of include) types.set(extname(glob), type);
  const modules = readdirSync(dir).flatMap((file) => {
    const type = types.get(extname(file));
    return type === undefined ? [] : [{ type, path: join(dir, file) }];
  });
  return modules.sort((a, b) => Number(b.path.endsWith("index.js")) - Number(a.path.endsWith("index.js")));
}

/** Sends the simulator's own messages to the Worker's log file instead of the terminal. */
class FileLog extends Log {
  readonly #log: WorkerLog;

  constructor(log: WorkerLog) {
    super(LogLevel.WARN);
    this.#log = log;
  }

  override log(message: string): void {
    this.#log.write("runtime", message);
  }
}
