import type { OpenAPIHono } from "@hono/zod-openapi";
import type { AppBindings } from "./context.ts";

/** The OpenAPI 3.1 document of all mounted routes; docs/openapi.json is generated from it. */
export function openApiDocument(router: OpenAPIHono<AppBindings>): object {
  router.openAPIRegistry.registerComponent("securitySchemes", "bearer", {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description: "RS256 token of POST /v1/auth/token; X-Client-ID must equal its `sub`.",
  });
  router.openAPIRegistry.registerComponent("securitySchemes", "mtls", {
    type: "mutualTLS",
    description: "The distributor's client certificate, with X-API-Key and X-Payload-Signature.",
  });
  return router.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "AltScore API",
      version: "1.0.0",
      description:
        "Consented credit scores for India's small shops, from their distributors' ledgers. Errors are RFC 9457 problem documents.",
    },
    servers: [{ url: "https://api.altscore.in" }],
  });
}
