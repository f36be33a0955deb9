import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Env } from "../../src/env.ts";
import type { AppBindings } from "../../src/http/context.ts";
import { AppError, problemResponse } from "../../src/http/errors.ts";
import { requestFrame, requireTls } from "../../src/http/middleware.ts";
import { newRouter } from "../../src/http/routing.ts";

/** An application of some routers only, under the frame and the error answers of the real one. */
export function appWith(...routers: OpenAPIHono<AppBindings>[]): OpenAPIHono<AppBindings> {
  const app = newRouter();
  app.use(requestFrame, requireTls);
  for (const router of routers) app.route("/", router);
  app.notFound((c) => problemResponse(new AppError("NOT_FOUND"), c.get("request_id")));
  app.onError((thrown, c) => {
    const error = thrown instanceof AppError ? thrown : new AppError("INTERNAL_ERROR", { cause: thrown });
    return problemResponse(error, c.get("request_id") ?? "");
  });
  return app;
}

/** Sends one request to such an application, by default with the bindings of the test run. */
export async function callApp(
  app: OpenAPIHono<AppBindings>,
  path: string,
  init: RequestInit<CfProperties> = {},
  bindings: Env = env,
): Promise<Response> {
  return app.fetch(new Request(`https://api.test${path}`, init), bindings, createExecutionContext());
}
