import { z } from "@hono/zod-openapi";
import { retailerId } from "../http/schemas.ts";
import { STAGES, STATUSES } from "./lifecycle.ts";

export const MAX_TEXT_CHARS = 2_000;

export const GRIEVANCE_TYPES = [
  "incorrect_score",
  "incorrect_data",
  "consent_dispute",
  "identity_mismatch",
  "explanation_request",
  "other",
] as const;

/** How a grievance can be resolved: the data were put right, they stand and were explained, or otherwise. */
const OUTCOMES = ["corrected", "explained", "other"] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** 1 to 2,000 characters, a Devanagari sign or an emoji counting as what it is; sealed as UTF-8. */
export const words = z
  .string()
  .trim()
  .min(1)
  .refine((text) => [...text].length <= MAX_TEXT_CHARS, `must be at most ${MAX_TEXT_CHARS} characters`)
  .refine((text) => text.isWellFormed(), "must be valid Unicode");

/** A keyed hash of a phone, as in the consent API. */
export const phoneHash = z
  .string()
  .regex(/^[0-9a-fA-F]{64}$/, "must be 64 hex digits")
  .transform((hex) => hex.toLowerCase())
  .openapi({ type: "string", description: "Hex HMAC-SHA-256 of the phone, as retailer_phone_hash" });

export const grievanceId = z
  .string()
  .regex(/^grv_[0-9a-f]{16}$/)
  .openapi({ description: "Id of a grievance", example: "grv_0123456789abcdef" });

const scoreId = z
  .string()
  .regex(/^scr_[0-9a-f]{16}$/, "must be scr_ followed by 16 lower-case hex digits")
  .openapi({ description: "Id of a score", example: "scr_0123456789abcdef" });

export const instant = z
  .string()
  .openapi({ description: "Instant, ISO 8601 UTC", example: "2027-01-31T00:00:00.000Z" });

export const grievanceBody = z
  .strictObject({
    retailer_id: retailerId,
    score_id: scoreId.optional(),
    grievance_type: z.enum(GRIEVANCE_TYPES),
    description: words.openapi({ description: "What is wrong, in words; kept sealed" }),
    contact_phone_hash: phoneHash.optional(),
  })
  .openapi("GrievanceRequest");
export type GrievanceBody = z.infer<typeof grievanceBody>;

export const filedAnswer = z
  .object({
    grievance_id: grievanceId,
    status: z.literal("open"),
    filed_at: instant,
    ack_by: instant,
    resolution_sla: instant,
  })
  .openapi("GrievanceFiled");
export type FiledAnswer = z.infer<typeof filedAnswer>;

export const stepBody = z
  .strictObject({
    note: words.openapi({ description: "Why, for the record; the last note is the resolution" }),
  })
  .openapi("GrievanceStep");

export const resolveBody = z
  .strictObject({
    note: words.openapi({ description: "What was found and done: the filer reads it as `resolution`" }),
    outcome: z.enum(OUTCOMES),
  })
  .openapi("GrievanceResolution");

export const grievanceAnswer = z
  .object({
    grievance_id: grievanceId,
    status: z.enum(STATUSES),
    grievance_type: z.enum(GRIEVANCE_TYPES),
    score_id: scoreId.nullable(),
    outcome: z.enum(OUTCOMES).nullable(),
    resolution: z.string().nullable(),
    filed_at: instant,
    acknowledged_at: instant.nullable(),
    resolved_at: instant.nullable().openapi({ description: "When it was resolved or rejected" }),
    escalated_at: instant.nullable().openapi({ description: "The first deadline that was missed" }),
    ack_by: instant,
    resolution_sla: instant,
    sla: z.object({
      ack_breached: z.boolean(),
      resolution_breached: z.boolean(),
      seconds_left: z
        .number()
        .int()
        .openapi({ description: "To the next deadline that runs; 0 if none does" }),
    }),
    work: z
      .object({
        retailer_id: retailerId,
        stage: z.enum(STAGES),
        contact_phone_hash: z.string().nullable(),
        steps: z.array(
          z.object({
            seq: z.number().int(),
            step: z.string(),
            at: instant,
            actor_kind: z.string(),
            actor_id: z.string().nullable(),
            outcome: z.string().nullable(),
            text: z.string().nullable(),
          }),
        ),
      })
      .optional()
      .openapi({ description: "For clients with the scope grievance:work only" }),
  })
  .openapi("Grievance");
export type GrievanceAnswer = z.infer<typeof grievanceAnswer>;

export const explanationAnswer = z
  .object({
    grievance_id: grievanceId,
    score_id: scoreId,
    reasons: z.array(
      z.object({
        code: z.string(),
        direction: z.enum(["positive", "negative"]),
        sentence_en: z.string(),
        sentence_hi: z.string(),
        advice_en: z.string().nullable(),
        advice_hi: z.string().nullable(),
      }),
    ),
  })
  .openapi("GrievanceExplanation");
export type ExplanationAnswer = z.infer<typeof explanationAnswer>;
