import { z } from "@hono/zod-openapi";
import { distributorId, lenderId, PURPOSES, purpose, retailerId } from "../http/schemas.ts";

const MAX_LENDERS = 20;
const MAX_NOTICE_CHARS = 200;

const instant = z.iso
  .datetime({ message: "must be ISO 8601 in UTC with Z" })
  .openapi({ description: "Instant, ISO 8601 UTC", example: "2027-01-31T00:00:00.000Z" });

const noticeField = z
  .string()
  .min(1)
  .max(MAX_NOTICE_CHARS)
  .refine((given) => given.isWellFormed(), "must be valid Unicode");

export const invitationBody = z
  .object({
    distributor_id: distributorId,
    retailer_phone: z
      .string()
      .regex(/^[6-9]\d{9}$/, "must be the 10 digits of an Indian mobile number")
      .openapi({
        description: "Held in memory, and encrypted until the notice is sent; never logged",
        example: "9876500001",
      }),
    retailer_id: retailerId
      .optional()
      .openapi({ description: "Which shop is meant, where the phone belongs to several" }),
    lender_ids: z.array(lenderId).min(1).max(MAX_LENDERS),
    purposes: z.array(purpose).min(1).max(PURPOSES.length),
    notice_id: noticeField,
    notice_version: noticeField,
    language: z
      .enum(["en", "hi"])
      .openapi({ description: "Language of the first notice; a button switches" }),
    expires_at: instant
      .optional()
      .openapi({ description: "End of the consent as the notice states it; default and at most +12 months" }),
    // Absent or false, the retailer is not known to be an adult (422), which is not a malformed request.
    adult_declared: z
      .boolean()
      .optional()
      .openapi({ description: "The distributor knows the retailer as an adult" }),
  })
  .openapi("ConsentInvitation");
export type InvitationBody = z.infer<typeof invitationBody>;

export const invitationAnswer = z
  .object({
    invitation_id: z.string().openapi({ example: "inv_0123456789abcdef" }),
    answer_by: instant,
    expires_at: instant,
  })
  .openapi("ConsentInvited");
export type InvitationAnswer = z.infer<typeof invitationAnswer>;
