import type { IncomingMessage } from "node:http";
import type { TlsClientAuth } from "./client-certificate.ts";

/** Headers that belong to one connection (RFC 9110 §7.6.1) and never travel further. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
]);

/** What only the edge may say about a request; a client that sends them is ignored. */
const EDGE_ONLY = new Set([
  "true-client-ip",
  "x-real-ip",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
]);
const EDGE_ONLY_PREFIXES = ["mf-", "cf-"];

/** What the front knows about the connection a request came over. */
export interface ConnectionFacts {
  /** Origin under which clients reach this listener, e.g. `https://127.0.0.1:8788`. */
  origin: string;
  client_ip: string;
  /** Null on the plain listener: the Worker then sees no TLS facts at all and fails closed. */
  tls: { version: string; cipher: string; client_auth: TlsClientAuth } | null;
}

/**
 * The headers of the request to the Worker, as a flat list of names and values: the client's own, freed of all
 * that only the edge may set and of hop-by-hop headers, then the edge's. The body's framing is stated afresh
 * (`content-length` or chunked), so that no message can end where its sender pretends.
 */
export function forwardedRequestHeaders(
  request: IncomingMessage,
  path: string,
  facts: ConnectionFacts,
): string[] {
  const dropped = namedByConnection(request.headers.connection);
  const headers: string[] = [];
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i]!.toLowerCase();
    const edge_only = EDGE_ONLY.has(name) || EDGE_ONLY_PREFIXES.some((prefix) => name.startsWith(prefix));
    if (edge_only || HOP_BY_HOP.has(name) || dropped.has(name)) continue;
    if (name === "host" || name === "content-length") continue;
    headers.push(name, request.rawHeaders[i + 1]!);
  }
  headers.push("host", new URL(facts.origin).host);
  headers.push("cf-connecting-ip", facts.client_ip);
  headers.push("mf-cf-blob", JSON.stringify(cfObject(request, facts)));
  headers.push("mf-original-url", facts.origin + path);
  // Without it workerd's host would dress up a failure as a page with a stack.
  headers.push("mf-disable-pretty-error", "1");
  const length = request.headers["content-length"];
  if (request.headers["transfer-encoding"] !== undefined) headers.push("transfer-encoding", "chunked");
  else if (length !== undefined) headers.push("content-length", length);
  return headers;
}

/** The headers of the answer to the client: the Worker's, without hop-by-hop and internal ones. */
export function forwardedResponseHeaders(response: IncomingMessage): string[] {
  const dropped = namedByConnection(response.headers.connection);
  const headers: string[] = [];
  for (let i = 0; i + 1 < response.rawHeaders.length; i += 2) {
    const name = response.rawHeaders[i]!;
    const lower = name.toLowerCase();
    if (HOP_BY_HOP.has(lower) || dropped.has(lower) || lower.startsWith("mf-")) continue;
    headers.push(name, response.rawHeaders[i + 1]!);
  }
  return headers;
}

/** What becomes the Worker's `request.cf`. */
function cfObject(request: IncomingMessage, facts: ConnectionFacts): Record<string, unknown> {
  const common = {
    httpProtocol: `HTTP/${request.httpVersion}`,
    clientAcceptEncoding: request.headers["accept-encoding"] ?? "",
  };
  if (facts.tls === null) return common;
  const { version, cipher, client_auth } = facts.tls;
  return { ...common, tlsVersion: version, tlsCipher: cipher, tlsClientAuth: client_auth };
}

function namedByConnection(connection: string | undefined): Set<string> {
  return new Set((connection ?? "").split(",").map((name) => name.trim().toLowerCase()));
}
