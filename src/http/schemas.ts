import { z } from "@hono/zod-openapi";

/** Schemas that several routes share. */
export const retailerId = z
  .string()
  .regex(/^ret_[0-9a-f]{16}$/)
  .openapi({ description: "Opaque id of a retailer", example: "ret_0123456789abcdef" });

export const PURPOSES = ["working_capital_loan", "term_loan", "credit_line", "portfolio_monitoring"] as const;
export const purpose = z.enum(PURPOSES).openapi({ description: "What the score is asked for" });
export type Purpose = (typeof PURPOSES)[number];

export const lenderId = z
  .string()
  .regex(/^lender_[a-z0-9][a-z0-9_-]{0,62}$/)
  .openapi({ description: "Id of a lender", example: "lender_sahayog" });

export const distributorId = z
  .string()
  .regex(/^dist_[0-9a-f]{16}$/)
  .openapi({ description: "Id of a distributor", example: "dist_0123456789abcdef" });

export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    error_code: z.string(),
    request_id: z.string(),
    action: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .openapi("Problem", { description: "RFC 9457 problem document; docs/errors.md lists every error_code" });

/** The error answers of a route, for OpenAPI: a problem document under each status. */
export function errorAnswers(...statuses: number[]) {
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      { description: "Problem document", content: { "application/problem+json": { schema: problem } } },
    ]),
  );
}
