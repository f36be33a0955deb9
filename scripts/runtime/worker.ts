import { randomBytes } from "node:crypto";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare, type V4WorkerOptions } from "miniflare";
import { ensureBundle } from "./bundle.ts";
import {
  CONTROL_NAME,
  CONTROL_SCRIPT,
  type ProvisioningCall,
  provisioningThrough,
} from "./control-worker.ts";
import type { WorkerLog } from "./log.ts";
import { applyMigrations } from "./migrations.ts";
import { watchChildren } from "./watchdog.ts";

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
  const bundle = await ensureBundle(() => options.onStep("Building the Worker"));
  options.onStep("Starting the Worker");
  const name = "altscore";
  const control_token = randomBytes(32).toString("hex");
  const { worker: configured, crons, migrations } = bundle.settings;
  const app: V4WorkerOptions = {
    ...configured,
    name,
    modules: bundle.modules,
    modulesRoot: bundle.dir,
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
    await applyMigrations(await mf.getD1Database("DB", name), migrations);
    return {
      mf,
      port: Number(url.port),
      pid: () => children.pid(),
      crons,
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
