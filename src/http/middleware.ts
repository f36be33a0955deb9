import type { MiddlewareHandler } from "hono";
import { parseEnv } from "../config.ts";
import { newUuid, nowMs } from "../lib/seams.ts";
import type { AppBindings, AppContext } from "./context.ts";
import { AppError } from "./errors.ts";
import { negotiateLanguage } from "./language.ts";
import { invalid } from "./validation.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Sets up a request: id, language, settings; and finishes its answer: common headers and the one log line. */
export const requestFrame: MiddlewareHandler<AppBindings> = async (c, next) => {
  const given = c.req.header("x-request-id");
  c.set("request_id", given !== undefined && UUID.test(given) ? given : newUuid());
  c.set("language", negotiateLanguage(c.req.header("accept-language")));
  c.set("started_ms", nowMs());
  c.set("log", {});
  c.set("config", parseEnv(c.env));
  await next();
  finish(c);
};

function finish(c: AppContext): void {
  const headers = c.res.headers;
  headers.set("X-Request-ID", c.get("request_id"));
  headers.set("Strict-Transport-Security", "max-age=31536000; includeSubDomains");
  headers.set("X-Content-Type-Options", "nosniff");
  if (!headers.has("Cache-Control")) headers.set("Cache-Control", "no-store");
  // Tests assert on answers; their log lines would only bury a failure.
  if (c.get("config").ENVIRONMENT === "test") return;
  console.log(
    JSON.stringify({
      request_id: c.get("request_id"),
      method: c.req.method,
      status: c.res.status,
      ms: nowMs() - c.get("started_ms"),
      ...c.get("log"),
    }),
  );
}

/** TLS 1.3 or nothing (api.md §1); plain loopback is allowed in local mode and tests only. */
export const requireTls: MiddlewareHandler<AppBindings> = async (c, next) => {
  const tls_version = (c.req.raw.cf as { tlsVersion?: string } | undefined)?.tlsVersion;
  const plain_allowed = c.get("config").ENVIRONMENT !== "production" && !tls_version;
  if (tls_version !== "TLSv1.3" && !plain_allowed) {
    throw new AppError("TLS_REQUIRED", { headers: { Upgrade: "TLS/1.3", Connection: "Upgrade" } });
  }
  await next();
};

/** Refuses a malformed X-Request-ID; called after authentication, which api.md puts first. */
export function checkRequestId(c: AppContext): void {
  const given = c.req.header("x-request-id");
  if (given !== undefined && !UUID.test(given)) throw invalid("X-Request-ID", "must be a UUID");
}
