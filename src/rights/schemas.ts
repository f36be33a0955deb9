import { z } from "@hono/zod-openapi";
import { grievanceId, instant, phoneHash, words } from "../grievance/schemas.ts";
import { distributorId, lenderId, purpose, retailerId } from "../http/schemas.ts";

/** What of the data can be wrong. */
const FIELDS = [
  "invoice",
  "payment",
  "return",
  "identity",
  "distributor",
  "consent",
  "score",
  "other",
] as const;

const RELATIONS = ["spouse", "child", "parent", "sibling", "partner", "other"] as const;

const MAX_NAME_CHARS = 200;

const correctionId = z
  .string()
  .regex(/^cor_[0-9a-f]{16}$/)
  .openapi({ description: "Id of a correction request", example: "cor_0123456789abcdef" });

const requestId = z
  .string()
  .regex(/^req_[0-9a-f]{16}$/)
  .openapi({ description: "Id of a request", example: "req_0123456789abcdef" });

export const retailerParams = z.object({ retailer_id: retailerId });
export const correctionParams = retailerParams.extend({ correction_id: correctionId });

/** Whom to turn to: the law wants it in every answer to the retailer (DPDP Rules 2025, R.9). */
const contact = z.object({ name: z.string(), contact: z.string(), dpo_contact: z.string() });

export const summaryAnswer = z
  .object({
    retailer_id: retailerId,
    generated_at: instant,
    data_fiduciary: contact,
    categories: z.array(
      z.object({
        category: z.enum([
          "invoices",
          "credit_notes",
          "payments",
          "earlier_versions",
          "consent_records",
          "scores",
          "grievances",
          "requests",
          "nominee",
        ]),
        count: z.number().int(),
      }),
    ),
    distributors: z.array(z.object({ distributor_id: distributorId, name: z.string() })),
    lenders: z.array(
      z.object({
        lender_id: lenderId,
        name: z.string(),
        purposes: z.array(purpose),
        granted_at: instant,
        expires_at: instant,
      }),
    ),
    scores: z
      .array(z.object({ score_id: z.string(), scored_at: instant }))
      .openapi({ description: "The newest 366, newest first" }),
    grievances: z.array(z.object({ grievance_id: grievanceId, filed_at: instant })),
  })
  .openapi("RightsSummary");
export type RightsSummary = z.infer<typeof summaryAnswer>;

export const accessesQuery = z.strictObject({
  cursor: z.string().max(300).optional().openapi({ description: "next_cursor of the call before" }),
});
export const accessesAnswer = z
  .object({
    data: z.array(
      z.object({
        lender_id: z.string(),
        lender_name: z.string().nullable(),
        at: instant,
        route: z.string().openapi({ description: "score, history, lookup or explanation" }),
        outcome: z.string().openapi({ description: "`OK` if something was disclosed, else why nothing was" }),
        purpose: purpose.nullable(),
      }),
    ),
    next_cursor: z.string().nullable(),
  })
  .openapi("RightsAccesses");

export const correctionBody = z
  .strictObject({
    field: z.enum(FIELDS).openapi({ description: "What is wrong" }),
    right_value: words.openapi({ description: "What would be right, in words; kept sealed" }),
  })
  .openapi("CorrectionRequest");

export const requestBody = z
  .strictObject({ kind: z.enum(["erasure", "export"]) })
  .openapi("RightsRequestBody");

const clocks = {
  status: z.enum(["open", "done", "refused"]),
  opened_at: instant,
  due_by: instant,
  overdue: z.boolean(),
  seconds_left: z.number().int().openapi({ description: "0 once it is decided or overdue" }),
  decided_at: instant.nullable(),
};

export const correctionAnswer = z
  .object({
    correction_id: correctionId,
    field: z.enum(FIELDS),
    right_value: z.string().nullable(),
    ...clocks,
    note: z.string().nullable(),
  })
  .openapi("Correction");
export type CorrectionAnswer = z.infer<typeof correctionAnswer>;
export const correctionsAnswer = z.object({ data: z.array(correctionAnswer) }).openapi("Corrections");

export const requestAnswer = z
  .object({ request_id: requestId, kind: z.enum(["erasure", "export"]), ...clocks })
  .openapi("RightsRequest");
export type RequestAnswer = z.infer<typeof requestAnswer>;
export const requestsAnswer = z.object({ data: z.array(requestAnswer) }).openapi("RightsRequests");

export const decisionBody = z
  .strictObject({
    decision: z.enum(["done", "refused"]),
    note: words.openapi({ description: "What was done, or why not" }),
  })
  .openapi("CorrectionDecision");
export type DecisionBody = z.infer<typeof decisionBody>;

export const nomineeBody = z
  .strictObject({
    name: z
      .string()
      .trim()
      .min(1)
      .max(MAX_NAME_CHARS)
      .refine((text) => text.isWellFormed(), "must be valid Unicode")
      .openapi({ description: "Kept sealed; shown masked only" }),
    relation: z.enum(RELATIONS),
    phone_hash: phoneHash,
  })
  .openapi("NomineeRequest");
export type NomineeBody = z.infer<typeof nomineeBody>;

export const nomineeAnswer = z
  .object({
    name: z.string().openapi({ description: "Masked", example: "S••• D•••" }),
    relation: z.enum(RELATIONS),
    set_at: instant,
  })
  .openapi("Nominee");
export type NomineeAnswer = z.infer<typeof nomineeAnswer>;
