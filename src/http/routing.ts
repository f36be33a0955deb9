import { OpenAPIHono, type RouteConfig } from "@hono/zod-openapi";
import type { AppBindings, AppContext } from "./context.ts";

export type Handler = (c: AppContext) => Response | Promise<Response>;

/** An empty router with the application's types. */
export function newRouter(): OpenAPIHono<AppBindings> {
  return new OpenAPIHono<AppBindings>();
}

/**
 * Adds a route whose contract goes to OpenAPI and whose handler checks its own input with the same schemas
 * (docs/adr/0003): api.md fixes the order 404, 405, 401, 415, 413, 400, and the Score API counts a 400, which
 * a validator in front of the handler could do neither of.
 */
export function mount(router: OpenAPIHono<AppBindings>, route: RouteConfig, handler: Handler): void {
  router.openAPIRegistry.registerPath(route);
  router.on(route.method.toUpperCase(), route.path.replace(/\{(\w+)\}/g, ":$1"), (c) => {
    c.get("log").route = route.path;
    return handler(c);
  });
}

/** The methods that `path` takes, from the routers' own table; empty if no route has this path. */
export function allowedMethods(router: OpenAPIHono<AppBindings>, path: string): string[] {
  const methods = new Set<string>();
  for (const route of router.routes) {
    if (route.method === "ALL" || !patternOf(route.path).test(path)) continue;
    methods.add(route.method);
    if (route.method === "GET") methods.add("HEAD");
  }
  return [...methods].sort();
}

const patterns = new Map<string, RegExp>();

function patternOf(path: string): RegExp {
  let pattern = patterns.get(path);
  if (!pattern) {
    pattern = new RegExp(`^${path.replace(/[.]/g, "\\.").replace(/:\w+/g, "[^/]+")}$`);
    patterns.set(path, pattern);
  }
  return pattern;
}
