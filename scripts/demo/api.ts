import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { pause } from "../lib/concurrency.ts";
import { OperationError } from "../lib/errors.ts";
import { createHttpClient, type HttpAnswer, type HttpClient } from "../lib/http-client.ts";
import type { DistributorCredentials } from "./parties.ts";

/** Attempts at a request that was answered 503 (the system is starting or busy), and the first wait between them. */
const ATTEMPTS = 5;
const FIRST_WAIT_MS = 250;

export interface ClientCredentials {
  client_id: string;
  client_secret: string;
}

type BearerSend = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<HttpAnswer>;

/** An OAuth client's calls: it asks for a token once and sends it with every call. */
export interface BearerApi {
  /** Tries again for a few seconds while the answer is 503. */
  send: BearerSend;
  sendOnce: BearerSend;
}

/** Opens a session of an OAuth client whose token's subject is `subject` (the lender_id, or a service's client_id). */
export async function openBearerApi(
  http: HttpClient,
  credentials: ClientCredentials,
  subject: string,
): Promise<BearerApi> {
  const { client_id, client_secret } = credentials;
  const answer = await withRetries(() =>
    http.send({
      method: "POST",
      path: "/v1/auth/token",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ client_id, client_secret }),
    }),
  );
  if (answer.status !== 200) throw unexpected("POST /v1/auth/token", answer);
  const { access_token } = answer.body as { access_token: string };
  const sendOnce: BearerSend = (method, path, body, headers = {}) =>
    http.send({
      method,
      path,
      headers: {
        authorization: `Bearer ${access_token}`,
        "x-client-id": subject,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  return { sendOnce, send: (...call) => withRetries(() => sendOnce(...call)) };
}

/** A distributor's connector: its calls carry the client certificate, the API key and the payload's signature. */
export interface ConnectorApi {
  postBatch(batch_uuid: string, body: string): Promise<HttpAnswer>;
  batchStatus(batch_uuid: string): Promise<HttpAnswer>;
  close(): void;
}

/** Opens a distributor's connection over mTLS. */
export function openConnectorApi(
  mtls_url: string,
  ca_cert: string,
  distributor: DistributorCredentials,
): ConnectorApi {
  const http = createHttpClient(mtls_url, {
    ca: readFileSync(ca_cert, "utf8"),
    cert: readFileSync(distributor.cert, "utf8"),
    key: readFileSync(distributor.key, "utf8"),
  });
  const { api_key, signing_secret, erp_type } = distributor;
  return {
    postBatch: (batch_uuid, body) =>
      withRetries(() =>
        http.send({
          method: "POST",
          path: "/v1/ingest/batch",
          headers: {
            "content-type": "application/json",
            "x-api-key": api_key,
            "x-erp-type": erp_type,
            "x-batch-id": batch_uuid,
            "x-payload-signature": createHmac("sha256", signing_secret).update(body).digest("hex"),
          },
          body,
        }),
      ),
    batchStatus: (batch_uuid) =>
      withRetries(() =>
        http.send({
          method: "GET",
          path: `/v1/ingest/batch/${batch_uuid}/status`,
          headers: { "x-api-key": api_key },
        }),
      ),
    close: () => http.close(),
  };
}

async function withRetries(send: () => Promise<HttpAnswer>): Promise<HttpAnswer> {
  let wait_ms = FIRST_WAIT_MS;
  for (let attempt = 1; ; attempt++) {
    const answer = await send();
    if (answer.status !== 503 || attempt === ATTEMPTS) return answer;
    await pause(wait_ms);
    wait_ms *= 2;
  }
}

/** An error that shows what the server said instead of what was expected. */
export function unexpected(call: string, answer: HttpAnswer): OperationError {
  return new OperationError(`${call} was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
}
