import { chmodSync, rmSync } from "node:fs";
import http from "node:http";
import { OperationError } from "../lib/errors.ts";

/** Answers one command; what it throws as OperationError goes to the caller as text. */
export type ControlHandler = (method: string, input: unknown) => Promise<unknown>;

const MAX_COMMAND_BYTES = 1024 * 1024;

/**
 * Serves commands from this machine's user on a Unix socket (mode 600): the way in for `npm run provision`
 * while the server runs. Returns a function that closes it.
 */
export async function serveControl(path: string, handle: ControlHandler): Promise<() => Promise<void>> {
  // A server that was killed leaves its socket file behind; whether one is alive was asked before.
  rmSync(path, { force: true });
  const server = http.createServer((request, response) => {
    void answer(request, response, handle);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
    rmSync(path, { force: true });
  };
}

async function answer(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  handle: ControlHandler,
): Promise<void> {
  try {
    const { method, input } = JSON.parse(await readAll(request)) as { method: string; input: unknown };
    response.end(JSON.stringify({ result: (await handle(method, input)) ?? null }));
  } catch (error) {
    const expected = error instanceof OperationError;
    response.statusCode = expected ? 400 : 500;
    response.end(JSON.stringify({ error: expected ? error.message : String(error) }));
  }
}

/** True if a server answers on the socket. */
export async function controlIsServed(path: string): Promise<boolean> {
  try {
    await callControl(path, "ping", {});
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ECONNREFUSED") return false;
    throw error;
  }
}

/** Sends one command to the running server. OperationError if it refuses; a connection error if none runs. */
export async function callControl(path: string, method: string, input: unknown): Promise<unknown> {
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const request = http.request({ socketPath: path, method: "POST", path: "/" }, resolve);
    request.once("error", reject);
    request.end(JSON.stringify({ method, input }));
  });
  const body = JSON.parse(await readAll(response)) as { result?: unknown; error?: string };
  if (body.error !== undefined) throw new OperationError(body.error);
  return body.result;
}

async function readAll(message: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_COMMAND_BYTES) throw new OperationError("The command is too large.");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
