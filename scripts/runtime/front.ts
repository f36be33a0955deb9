import { randomUUID } from "node:crypto";
import http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { AppError, type ErrorCode, problemDocument } from "../../src/http/errors.ts";
import { OperationError } from "../lib/errors.ts";
import { describeClientCertificate } from "./client-certificate.ts";
import { type ConnectionFacts, forwardedRequestHeaders, forwardedResponseHeaders } from "./front-headers.ts";
import type { RevokedSerials } from "./revoked.ts";

const HOST = "127.0.0.1";
/**
 * Just above the Worker's own limit of 2 MiB, so that it sees too much and says so; what goes beyond is not passed
 * on. So little stays unread that workerd does not cut the connection before its answer is read.
 */
const BODY_CAP_BYTES = 2 * 1024 * 1024 + 16 * 1024;
/** What workerd still reads of a body it has refused: up to here its answer is never lost. */
const GRACE_BYTES = 32 * 1024;
const REFUSAL_TIMEOUT_MS = 5_000;
/** How long an answer may still be read by a client whose upload was cut off. */
const LINGER_MS = 2_000;
const HEADERS_TIMEOUT_MS = 15_000;
const REQUEST_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_MS = 65_000;
const ANSWER_TIMEOUT_MS = 60_000;
/** workerd closes idle connections after 5 s; one that is closing must not be given a request. */
const IDLE_MS = 2_500;
const CLOSE_GRACE_MS = 2_000;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** Reserved to the edge on Cloudflare and to the simulator here: never the Worker's. */
const RESERVED_PATHS = ["/cdn-cgi", "/__cf_local"];

export interface FrontOptions {
  /** 0 takes a free port. */
  http_port: number;
  tls_port: number;
  /** PEM: the server's certificate and key, and the CA that client certificates are checked against. */
  cert: string;
  key: string;
  client_ca: string;
  workerd_port: number;
  revoked: RevokedSerials;
}

/** The two public listeners. */
export interface Front {
  base_url: string;
  mtls_url: string;
  /** Stops listening, lets running requests finish for a moment, then cuts what is left. */
  close(): Promise<void>;
}

/**
 * Starts the edge in front of workerd: plain HTTP, and TLS 1.3 that asks for a client certificate. Either way
 * the Worker learns about the connection only from here. OperationError if a port is taken.
 */
export async function startFront(options: FrontOptions): Promise<Front> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 512, scheduling: "lifo", timeout: IDLE_MS });
  const timeouts = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: 5_000,
  };
  const plain = http.createServer(timeouts);
  const tls = https.createServer({
    ...timeouts,
    cert: options.cert,
    key: options.key,
    ca: options.client_ca,
    minVersion: "TLSv1.3",
    // The Worker judges the certificate: a refused handshake could not carry an answer.
    requestCert: true,
    rejectUnauthorized: false,
  });

  const base_url = `http://${HOST}:${await listen(plain, options.http_port, "--port")}`;
  let mtls_url: string;
  try {
    mtls_url = `https://${HOST}:${await listen(tls, options.tls_port, "--tls-port")}`;
  } catch (error) {
    plain.close();
    throw error;
  }

  for (const [server, origin] of [
    [plain, base_url],
    [tls, mtls_url],
  ] as const) {
    server.on("request", (request, response) => {
      forward(
        request,
        response,
        connectionFacts(request, origin, options.revoked),
        agent,
        options.workerd_port,
      );
    });
    server.on("clientError", answerMalformed);
  }

  return {
    base_url,
    mtls_url,
    async close() {
      const closed = [plain, tls].map((server) => new Promise<void>((done) => server.close(() => done())));
      const cut = setTimeout(() => {
        plain.closeAllConnections();
        tls.closeAllConnections();
      }, CLOSE_GRACE_MS);
      plain.closeIdleConnections();
      tls.closeIdleConnections();
      await Promise.all(closed);
      clearTimeout(cut);
      agent.destroy();
    },
  };
}

function listen(server: http.Server, port: number, option: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EADDRINUSE" && error.code !== "EACCES") return reject(error);
      const why = error.code === "EADDRINUSE" ? "is in use" : "may not be opened by this user";
      reject(new OperationError(`Port ${port} ${why}: choose another with ${option} (0 takes a free one).`));
    });
    server.listen(port, HOST, () => resolve((server.address() as AddressInfo).port));
  });
}

/** A connection's TLS facts do not change during its life, but the list of revoked certificates may. */
function connectionFacts(
  request: http.IncomingMessage,
  origin: string,
  revoked: RevokedSerials,
): ConnectionFacts {
  const { socket } = request;
  const client_ip = socket.remoteAddress ?? "";
  if (!(socket instanceof TLSSocket)) return { origin, client_ip, tls: null };
  const client_auth = describeClientCertificate(socket, revoked);
  return {
    origin,
    client_ip,
    tls: { version: socket.getProtocol() ?? "", cipher: socket.getCipher().name, client_auth },
  };
}

function forward(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  facts: ConnectionFacts,
  agent: http.Agent,
  workerd_port: number,
): void {
  // An upload that its client drops ends with an error on the request; the answer's close handles it.
  request.on("error", () => {});
  const target = requestTarget(request, facts.origin);
  if (target === null) {
    answerProblem(request, response, "INVALID_REQUEST");
    return;
  }
  if (RESERVED_PATHS.some((path) => target.pathname === path || target.pathname.startsWith(`${path}/`))) {
    answerProblem(request, response, "NOT_FOUND");
    return;
  }
  const path = target.pathname + target.search;
  const options: http.RequestOptions = {
    host: HOST,
    port: workerd_port,
    method: request.method,
    path,
    headers: forwardedRequestHeaders(request, path, facts),
    agent,
  };
  const upstream = http.request({ ...options, timeout: ANSWER_TIMEOUT_MS });
  const upload = sendBody(request, upstream);
  upstream.on("error", () => {
    // An answer that has begun ends or breaks by itself, whatever becomes of the upload.
    if (response.headersSent || response.destroyed) return;
    if (upload.sent_bytes <= GRACE_BYTES) {
      answerProblem(request, response, "SERVICE_UNAVAILABLE");
      return;
    }
    askWithoutBody(request, response, options);
  });
  passAnswer(request, response, upstream);
}

/**
 * workerd refuses some requests without reading their body and then resets the connection, which can destroy
 * the answer before it is read. The same headers once more, with the body withheld, bring that answer back; they
 * can change nothing, because a request whose body never comes is never carried out.
 */
function askWithoutBody(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  options: http.RequestOptions,
): void {
  const upstream = http.request({ ...options, timeout: REFUSAL_TIMEOUT_MS });
  upstream.on("error", () => {
    if (!response.headersSent) answerProblem(request, response, "SERVICE_UNAVAILABLE");
  });
  passAnswer(request, response, upstream);
  upstream.flushHeaders();
}

/** Passes workerd's answer to the client as it comes. */
function passAnswer(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  upstream: http.ClientRequest,
): void {
  upstream.on("timeout", () => upstream.destroy(new Error("no answer in time")));
  upstream.on("response", (answer) => {
    if (response.headersSent || response.destroyed) {
      answer.destroy();
      return;
    }
    // A refusal may have left the body unread, and workerd then closes the connection: not one to use again.
    if (hasBody(request) && (answer.statusCode ?? 500) >= 400) upstream.shouldKeepAlive = false;
    // Every answer of the Worker carries X-Request-ID: one without it is the simulator's page about a failure.
    if (answer.statusCode === 500 && answer.headers["x-request-id"] === undefined) {
      answer.resume();
      answerProblem(request, response, "INTERNAL_ERROR");
      return;
    }
    response.writeHead(answer.statusCode ?? 500, answer.statusMessage, forwardedResponseHeaders(answer));
    // A broken answer can only be cut: an end would pass it off as whole.
    answer.on("error", () => response.destroy());
    answer.pipe(response);
    response.on("finish", () => {
      if (request.complete) return;
      upstream.destroy();
      discardRest(request);
    });
  });
  response.on("close", () => {
    if (!response.writableFinished) upstream.destroy();
  });
}

/**
 * Passes the body on as it comes, at the pace workerd takes it, up to the cap; reports how much of it went. What
 * goes beyond the cap stays unread: the Worker has seen more than it takes and answers.
 */
function sendBody(request: http.IncomingMessage, upstream: http.ClientRequest): { sent_bytes: number } {
  const upload = { sent_bytes: 0 };
  if (!hasBody(request)) {
    upstream.end();
    request.resume();
    return upload;
  }
  request.on("data", (chunk: Buffer) => {
    const passed = chunk.subarray(0, BODY_CAP_BYTES - upload.sent_bytes);
    if (upstream.destroyed || passed.length === 0) {
      request.pause();
      return;
    }
    upload.sent_bytes += passed.length;
    if (!upstream.write(passed)) {
      request.pause();
      upstream.once("drain", () => request.resume());
    }
  });
  request.on("end", () => upstream.end());
  return upload;
}

/** By the request's own framing, never by its method: bytes without stated framing could pass for a second request. */
function hasBody(request: http.IncomingMessage): boolean {
  return (
    request.headers["transfer-encoding"] !== undefined || request.headers["content-length"] !== undefined
  );
}

/**
 * An answer before the end of the upload: what still comes is read and dropped for a moment, because a client that
 * is cut off while it writes may never read its answer; then the connection is cut.
 */
function discardRest(request: http.IncomingMessage): void {
  request.removeAllListeners("data");
  request.resume();
  const cut = setTimeout(() => request.socket.destroy(), LINGER_MS);
  request.once("close", () => clearTimeout(cut));
}

/** The path and query that workerd will see, or null if the request line names something else than a path. */
function requestTarget(request: http.IncomingMessage, origin: string): URL | null {
  const target = request.url ?? "";
  if (!target.startsWith("/")) return null;
  const text = origin + target;
  return URL.canParse(text) ? new URL(text) : null;
}

function answerProblem(request: http.IncomingMessage, response: http.ServerResponse, code: ErrorCode): void {
  const { status, headers, body } = problem(code, request.headers["x-request-id"]);
  response.writeHead(status, headers);
  response.end(request.method === "HEAD" ? undefined : body);
  if (!request.complete) discardRest(request);
}

/** What is not HTTP at all gets the plainest possible answer and loses its connection. */
function answerMalformed(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const { status, headers, body } = problem("INVALID_REQUEST");
  const lines = Object.entries({
    ...headers,
    Connection: "close",
    "Content-Length": String(Buffer.byteLength(body)),
  });
  socket.end(
    `HTTP/1.1 ${status} Bad Request\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`,
  );
}

interface Problem {
  status: number;
  headers: Record<string, string>;
  body: string;
}

function problem(code: ErrorCode, given_request_id?: string | string[]): Problem {
  const given = typeof given_request_id === "string" && UUID.test(given_request_id);
  const request_id = given ? given_request_id : randomUUID();
  const document = problemDocument(new AppError(code), request_id);
  return {
    status: Number(document.status),
    headers: {
      "Content-Type": "application/problem+json; charset=utf-8",
      "Cache-Control": "no-store",
      "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
      "X-Request-ID": request_id,
      ...(code === "SERVICE_UNAVAILABLE" ? { "Retry-After": "30" } : {}),
    },
    body: JSON.stringify(document),
  };
}
