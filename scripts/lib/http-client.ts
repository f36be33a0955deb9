import http from "node:http";
import https from "node:https";

export interface HttpAnswer {
  status: number;
  headers: http.IncomingHttpHeaders;
  /** Parsed JSON, or null if the body is not JSON. */
  body: unknown;
}

export interface HttpRequest {
  method: string;
  path: string;
  headers?: Record<string, string>;
  /** Sent as it is; the caller sets Content-Type. */
  body?: string;
}

/** A keep-alive client of one origin. */
export interface HttpClient {
  send(request: HttpRequest): Promise<HttpAnswer>;
  close(): void;
}

export interface TlsIdentity {
  /** PEM texts. */
  ca: string;
  cert?: string;
  key?: string;
}

const TIMEOUT_MS = 90_000;

/** A client of `origin`, over TLS 1.3 with the given CA and client certificate if it is https. */
export function createHttpClient(origin: string, tls?: TlsIdentity): HttpClient {
  const secure = origin.startsWith("https:");
  const agent = secure
    ? new https.Agent({ keepAlive: true, minVersion: "TLSv1.3", ...tls })
    : new http.Agent({ keepAlive: true });
  const { request: open } = secure ? https : http;

  return {
    send({ method, path, headers = {}, body }) {
      return new Promise((resolve, reject) => {
        const length =
          body === undefined || headers["transfer-encoding"] !== undefined
            ? {}
            : { "content-length": String(Buffer.byteLength(body)) };
        const request = open(
          origin + path,
          { method, agent, headers: { ...headers, ...length }, timeout: TIMEOUT_MS },
          (response) => {
            const chunks: Buffer[] = [];
            response.on("data", (chunk: Buffer) => chunks.push(chunk));
            response.on("error", reject);
            response.on("end", () => {
              const text = Buffer.concat(chunks).toString("utf8");
              resolve({ status: response.statusCode ?? 0, headers: response.headers, body: parse(text) });
            });
          },
        );
        request.on("timeout", () => request.destroy(new Error(`no answer from ${origin} in time`)));
        request.on("error", reject);
        request.end(body);
      });
    },
    close: () => agent.destroy(),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
