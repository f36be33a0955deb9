import type { Miniflare } from "miniflare";
import { OperationError } from "../lib/errors.ts";
import { certificateFiles, ensureCertificates } from "./certificates.ts";
import { type ControlHandler, controlIsServed, serveControl } from "./control-socket.ts";
import { startFront } from "./front.ts";
import { openLayout, type StateLayout } from "./layout.ts";
import { openLog } from "./log.ts";
import { type Provisioning, typedProvisioning } from "./provisioning.ts";
import { openRevokedSerials } from "./revoked.ts";
import { startSchedule } from "./schedule.ts";
import { type LocalSecrets, loadSecrets } from "./secrets.ts";
import { readChat } from "./whatsapp-chat.ts";
import { type RunningWorker, startWorker } from "./worker.ts";

export interface StateOptions {
  /** Folder of all local state; made if absent. */
  state_dir: string;
  /** Webhooks may go to plain HTTP and to this machine. */
  local_webhooks?: boolean;
  /** Called as each slower step begins. */
  onStep?: (text: string) => void;
}

export interface RuntimeOptions extends StateOptions {
  /** Port of the plain HTTP listener; 0 takes a free one. */
  http_port: number;
  /** Port of the TLS 1.3 listener; 0 takes a free one. */
  tls_port: number;
}

/** The Worker over one state folder, reachable from this process only. */
export interface OpenState {
  layout: StateLayout;
  secrets: LocalSecrets;
  /** Path of the local CA's certificate (PEM). */
  ca_cert: string;
  /** workerd's internal port: without the front, so a caller states its own `request.cf`. */
  workerd_port: number;
  /** Process id of workerd at this moment. */
  workerdPid(): number;
  provisioning: Provisioning;
  /** Answers a command of the control socket: a Provisioning method, or one of the local runtime's own. */
  control: ControlHandler;
  mf: Miniflare;
  stop(): Promise<void>;
}

/** The whole local system. */
export interface Runtime extends OpenState {
  /** Plain HTTP, without client certificates. */
  base_url: string;
  /** TLS 1.3 that asks for a client certificate. */
  mtls_url: string;
}

/**
 * Opens a state folder: secrets, CA, Worker, migrations. For work without listeners; `startRuntime` adds them.
 * OperationError if a server already runs on this folder (two would write the same files).
 */
export async function openState(options: StateOptions): Promise<OpenState> {
  const { state } = await open(options);
  return state;
}

/**
 * Starts the whole local system: the Worker, the front with both listeners, the cron triggers and the control
 * socket. Everything persists in the state folder; `stop()` ends it in order.
 */
export async function startRuntime(options: RuntimeOptions): Promise<Runtime> {
  const { state, worker, certificates, revoked, log } = await open(options);
  const undo: (() => void | Promise<void>)[] = [() => state.stop()];
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const front = await startFront({
      http_port: options.http_port,
      tls_port: options.tls_port,
      cert: certificates.server.cert_pem,
      key: certificates.server.key_pem,
      client_ca: certificates.ca.cert_pem,
      workerd_port: worker.port,
      revoked,
    });
    undo.push(() => front.close());
    undo.push(startSchedule(worker.mf, worker.crons, state.layout.schedule, log));
    undo.push(await serveControl(state.layout.control_socket, state.control));
    return { ...state, base_url: front.base_url, mtls_url: front.mtls_url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function open(options: StateOptions) {
  const layout = openLayout(options.state_dir);
  if (await controlIsServed(layout.control_socket)) {
    throw new OperationError(
      `A server is already running on ${layout.dir}: stop it first, or choose another folder with --state.`,
    );
  }
  const secrets = loadSecrets(layout);
  const certificates = await ensureCertificates(layout);
  const revoked = openRevokedSerials(layout);
  const log = openLog(layout.log);
  const worker: RunningWorker = await startWorker({
    data_dir: layout.data,
    bindings: {
      ENVIRONMENT: "local",
      WEBHOOKS_ALLOW_LOCAL: String(options.local_webhooks ?? false),
      ...secrets,
      CLIENT_CA_CERT: certificates.ca.cert_pem,
      CLIENT_CA_KEY: certificates.ca.key_pem,
    },
    log,
    onStep: options.onStep ?? (() => {}),
  });
  const control: ControlHandler = async (method, input) => {
    if (method === "ping") return "pong";
    if (method === "whatsappChat") {
      return await readChat(worker.mf, (input as { phone_hash: string }).phone_hash);
    }
    if (method === "revokeCertificate") {
      const { serial } = input as { serial: string };
      revoked.add(serial);
      return { serial, revoked: true };
    }
    return await state.provisioning(method as Parameters<Provisioning>[0], input as never);
  };
  const state: OpenState = {
    layout,
    secrets,
    ca_cert: certificateFiles(layout).ca_cert,
    workerd_port: worker.port,
    workerdPid: worker.pid,
    provisioning: typedProvisioning(worker.provisioning),
    control,
    mf: worker.mf,
    async stop() {
      await worker.close();
      log.close();
    },
  };
  return { state, worker, certificates, revoked, log };
}
