import { z } from "@hono/zod-openapi";
import { purpose, retailerId } from "../http/schemas.ts";

/** Largest limit that may be asked for: 1,000 crore rupees, far above any small shop. */
const MAX_REQUESTED_INR = 10_000_000_000;

export const scoreRequest = z
  .strictObject({
    retailer_id: retailerId,
    purpose,
    requested_limit_inr: z.number().int().positive().max(MAX_REQUESTED_INR).optional(),
  })
  .openapi("ScoreRequest");
export type ScoreRequest = z.infer<typeof scoreRequest>;

export const historyQuery = z.strictObject({
  months: z
    .string()
    .regex(/^(?:[1-9]|1[0-2])$/, "must be a whole number from 1 to 12")
    .default("6")
    .transform(Number)
    .openapi({ type: "integer", minimum: 1, maximum: 12, default: 6 }),
  purpose: purpose.optional(),
});

/** The 15 characters are checked, with their check digit, by the handler. */
const gst = z
  .string()
  .max(64)
  .openapi({ description: "15-character GSTIN of the retailer; never stored", example: "27AAPFU0939F1ZV" });
export const lookupQuery = z.strictObject({ gst });
export const lookupBody = z.strictObject({ gst }).openapi("LookupRequest");

export const lookupAnswer = z
  .object({ retailer_id: retailerId, consent_active: z.literal(true) })
  .openapi("LookupAnswer");

const band = z.enum(["A", "B", "C", "D"]);

const completeness = z.object({
  score: z.number(),
  invoice: z.number(),
  payment: z.number(),
  temporal: z.number(),
  identity: z.number(),
  schema: z.number(),
});

export const reasonCode = z
  .object({
    code: z.string(),
    direction: z.enum(["positive", "negative"]),
    rank: z.number().int(),
    label: z.string(),
    label_en: z.string(),
    label_hi: z.string(),
  })
  .openapi("ReasonCode");

export const scoreAnswer = z
  .object({
    retailer_id: retailerId,
    score_id: z.string(),
    altscore: z.number().int().min(300).max(900),
    risk_band: band,
    probability_of_default: z.number(),
    pd_horizon_days: z.literal(90),
    recommended_limit_inr: z.number().int(),
    limit_source: z.enum(["model", "gmv_ceiling", "cold_start", "low_confidence_cap"]),
    gmv_6m_trailing_inr: z.number().int(),
    requested_limit: z
      .object({
        requested_inr: z.number().int(),
        within_ceiling: z.boolean(),
        override_max_inr: z.number().int(),
      })
      .optional(),
    reason_codes: z.array(reasonCode),
    data_freshness_days: z.number().int(),
    completeness_score: z.number(),
    completeness,
    low_confidence: z.boolean(),
    cold_start: z.boolean(),
    anomaly_flag: z.boolean(),
    single_distributor: z.boolean(),
    ceiling_applied: z.boolean(),
    scoring_route: z.enum(["primary", "sparse", "cold_start"]),
    warnings: z.array(z.string()),
    score_version: z.string(),
    scored_at: z.string(),
    data_as_of: z.string().openapi({ description: "IST day (YYYY-MM-DD) the score was computed for" }),
    feature_snapshot_hash: z.string(),
    consent: z.object({ consent_id: z.string(), purpose, expires_at: z.string() }),
    receipt: z
      .string()
      .openapi({ description: "Compact JWS (ES256), verifiable with /.well-known/jwks.json" }),
    request_id: z.string(),
  })
  .openapi("ScoreAnswer");
export type ScoreAnswer = z.infer<typeof scoreAnswer>;

export const historyAnswer = z
  .object({
    retailer_id: retailerId,
    history: z.array(
      z.object({ month: z.string(), altscore: z.number().int(), risk_band: band, score_version: z.string() }),
    ),
  })
  .openapi("ScoreHistory");
