import { z } from "@hono/zod-openapi";
import { FAILURE_CLASSES } from "./types.ts";

/** Longest URL of a webhook. */
const MAX_URL_LENGTH = 2048;

const instant = z.string().openapi({ example: "2026-08-01T06:30:00.000Z" });

export const webhookId = z
  .string()
  .regex(/^whk_[0-9a-f]{16}$/)
  .openapi({ description: "Id of a webhook", example: "whk_0123456789abcdef" });

export const deliveryId = z
  .string()
  .regex(/^ntc_[0-9a-f]{16}$/)
  .openapi({
    description: "Id of a delivery: the notice_id, sent as webhook-id",
    example: "ntc_0123456789abcdef",
  });

export const registerBody = z.strictObject({
  url: z.string().min(1).max(MAX_URL_LENGTH).openapi({
    description: "https, port 443 or 8443, public",
    example: "https://hooks.lender.co.in/altscore",
  }),
});

export const webhookAnswer = z.object({
  webhook_id: webhookId,
  url: z.string(),
  status: z.enum(["active", "paused"]),
  paused_reason: z
    .enum(["requested", "failing", "gone"])
    .nullable()
    .openapi({ description: "By call; nothing got through for 3 days; the receiver answered 410" }),
  failing_since: instant.nullable().openapi({ description: "First failure since something got through" }),
  previous_secret_until: instant
    .nullable()
    .openapi({ description: "End of the overlap of the last rotation, in which two secrets sign" }),
  created_at: instant,
});
export type WebhookAnswer = z.infer<typeof webhookAnswer>;

export const webhookWithSecret = webhookAnswer.extend({
  secret: z.string().openapi({ description: "whsec_ and base64; shown once" }),
});
export type WebhookWithSecret = z.infer<typeof webhookWithSecret>;

export const webhooksAnswer = z.object({ data: z.array(webhookAnswer) });

const status = z.int().nullable().openapi({ description: "The receiver's HTTP status, if it answered" });
const failure = z.enum(FAILURE_CLASSES).nullable();
const duration_ms = z.int();

export const testAnswer = z.object({
  delivery_id: deliveryId,
  delivered: z.boolean(),
  status,
  failure,
  duration_ms,
});
export type TestAnswer = z.infer<typeof testAnswer>;

export const deliveriesQuery = z.strictObject({
  cursor: deliveryId.optional().openapi({ description: "next_cursor of the page before" }),
  limit: z.coerce.number().int().min(1).max(100).default(50),
});

export const deliveriesAnswer = z.object({
  data: z.array(
    z.object({
      delivery_id: deliveryId,
      type: z.string(),
      state: z.enum(["pending", "delivered", "failed"]),
      created_at: instant,
      next_attempt_at: instant.nullable(),
      attempts: z.array(
        z.object({
          attempt: z.int(),
          started_at: instant,
          duration_ms: duration_ms
            .nullable()
            .openapi({ description: "Null while under way, or interrupted" }),
          status,
          failure,
        }),
      ),
    }),
  ),
  next_cursor: z.string().nullable(),
});
export type DeliveriesAnswer = z.infer<typeof deliveriesAnswer>;
