import { z } from "@hono/zod-openapi";

const noticeId = z
  .string()
  .regex(/^ntc_[0-9a-f]{16}$/)
  .openapi({ description: "Id of a notice", example: "ntc_0123456789abcdef" });

export const notificationsQuery = z.strictObject({
  cursor: noticeId.optional().openapi({ description: "next_cursor of the call before; absent at first" }),
  limit: z.coerce.number().int().min(1).max(500).default(100),
});

export const notificationsAnswer = z.object({
  data: z.array(
    z.object({
      notice_id: noticeId.openapi({ description: "The same as `webhook-id`: process each once" }),
      type: z.string().openapi({ example: "consent.revoked" }),
      timestamp: z.string().openapi({ example: "2026-08-01T06:30:00.000Z" }),
      data: z
        .record(z.string(), z.union([z.string(), z.number(), z.null()]))
        .openapi({ example: { retailer_id: "ret_0123456789abcdef", consent_id: "cns_0123456789abcdef" } }),
    }),
  ),
  next_cursor: z.string().nullable().openapi({
    description: "Send it with the next call, also when there was nothing new; null before the first notice",
  }),
  has_more: z.boolean(),
});
export type NotificationsAnswer = z.infer<typeof notificationsAnswer>;
