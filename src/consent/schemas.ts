import { z } from "@hono/zod-openapi";
import { distributorId, lenderId, PURPOSES, type Purpose, purpose, retailerId } from "../http/schemas.ts";
import { nowMs } from "../lib/seams.ts";
import type { GivenEvidence } from "./record.ts";

/** Most lenders that one act can name (api.md §4). */
const MAX_LENDERS = 20;
const MAX_NOTICE_CHARS = 200;
const MAX_REASON_CHARS = 500;

export const CHANNELS = ["whatsapp", "ivr", "portal", "assisted"] as const;
export type Channel = (typeof CHANNELS)[number];

/** Free text; what is hashed and signed is UTF-8, which has no place for half a surrogate pair. */
const text = (max_chars: number) =>
  z
    .string()
    .max(max_chars)
    .refine((given) => given.isWellFormed(), "must be valid Unicode");

const consentId = z
  .string()
  .regex(/^cns_[0-9a-f]{16}$/, "must be cns_ followed by 16 lower-case hex digits")
  .openapi({ description: "Id of a consent", example: "cns_0123456789abcdef" });

const waMessageId = z
  .string()
  .regex(/^[\x21-\x7e]{1,256}$/, "must be 1 to 256 printable ASCII characters without spaces")
  .openapi({
    description: "Id of the message that is the evidence of this act (outside WhatsApp: of the call or form)",
    example: "wamid.HBgMOTE5ODEwMDAwMDAwFQIAEhg",
  });

const instant = z.iso
  .datetime({ message: "must be ISO 8601 in UTC with Z" })
  .openapi({ description: "Instant, ISO 8601 UTC", example: "2027-01-31T00:00:00.000Z" });

const language = z
  .string()
  .max(35)
  .refine(isLanguageTag, "must be a BCP 47 language tag")
  .openapi({ description: "BCP 47 tag of the language the notice was given in", example: "hi" });

function isLanguageTag(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}

/** How far another clock may run ahead of ours or behind it. */
const CLOCK_SKEW_MS = 300_000;

const pastInstant = instant.refine(
  (at) => Date.parse(at) <= nowMs() + CLOCK_SKEW_MS,
  "must not be in the future",
);
const hex64 = z.string().regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hex digits");

const evidence = z
  .object({
    notice_wamid: waMessageId.nullish(),
    answer_wamid: waMessageId.nullish(),
    answer_type: z.enum(["button", "text"]).nullish(),
    answer_payload: text(256).nullish(),
    answer_text_sha256: hex64.nullish(),
    wa_timestamp: pastInstant.nullish(),
    received_at: pastInstant.optional(),
  })
  .openapi("ConsentEvidence", {
    description: "What shows the act, as the channel knows it; part of the record",
  });

/** The evidence speaks of the message that the act names; the act's own member is the one that counts. */
function sameMessage(body: { wa_message_id?: string; evidence?: z.infer<typeof evidence> }): boolean {
  const answer_wamid = body.evidence?.answer_wamid ?? undefined;
  return answer_wamid === undefined || answer_wamid === body.wa_message_id;
}
const OTHER_MESSAGE = { message: "must be the wa_message_id", path: ["evidence", "answer_wamid"] };

export const grantBody = z
  .object({
    retailer_phone_hash: z
      .string()
      .regex(/^[0-9a-fA-F]{64}$/, "must be 64 hex digits")
      .optional()
      .openapi({
        description:
          "Hex HMAC-SHA-256 of the phone's E.164 digits without + (91 and ten digits), keyed with the shared pepper's bytes",
      }),
    retailer_id: retailerId.optional(),
    distributor_id: distributorId,
    lender_scope: z.array(lenderId).min(1).max(MAX_LENDERS),
    purpose: purpose.optional(),
    purposes: z.array(purpose).min(1).max(PURPOSES.length).optional(),
    consent_channel: z.enum(CHANNELS),
    wa_message_id: waMessageId.optional(),
    language,
    // Absent, a notice is unknown (422), not malformed (api.md §10).
    notice_id: text(MAX_NOTICE_CHARS).optional(),
    notice_version: text(MAX_NOTICE_CHARS).optional(),
    // A consent starts when it is recorded: a start that is not now is a mistake, or a clock that is wrong.
    starts_at: instant
      .refine(
        (at) => Math.abs(Date.parse(at) - nowMs()) <= CLOCK_SKEW_MS,
        "must be now: a consent starts when recorded",
      )
      .optional(),
    expires_at: instant.optional(),
    evidence: evidence.optional(),
    // Absent or false, the retailer is not known to be an adult (422), which is not a malformed request.
    adult_declared: z.boolean().optional(),
  })
  // With both, retailer_id decides: that is how an ambiguous phone is resolved.
  .refine((body) => body.retailer_phone_hash !== undefined || body.retailer_id !== undefined, {
    message: "retailer_phone_hash or retailer_id is required",
  })
  .refine((body) => body.consent_channel !== "whatsapp" || body.wa_message_id !== undefined, {
    message: "is required on the channel whatsapp: it is the evidence",
    path: ["wa_message_id"],
  })
  .refine((body) => body.purpose !== undefined || body.purposes !== undefined, {
    message: "purpose or purposes is required",
    path: ["purpose"],
  })
  .refine((body) => !body.purpose || !body.purposes || body.purpose === body.purposes[0], {
    message: "must be the first of purposes when both are sent",
    path: ["purpose"],
  })
  .refine(sameMessage, OTHER_MESSAGE)
  .openapi("ConsentGrant");

/** A grant in one form, whichever way it was spelled; lists without repetition, in the order given. */
export interface GrantRequest {
  retailer_phone_hash: string | null;
  retailer_id: string | null;
  distributor_id: string;
  lender_ids: string[];
  purposes: Purpose[];
  channel: Channel;
  /** Null only outside WhatsApp; such a grant is a new act each time it is sent. */
  wa_message_id: string | null;
  language: string;
  notice_id: string | null;
  notice_version: string | null;
  /** Unix ms; null for the default. */
  expires_ms: number | null;
  adult_declared: boolean;
  evidence?: GivenEvidence;
}

/** The one form of a checked grant body. */
export function toGrantRequest(body: z.infer<typeof grantBody>): GrantRequest {
  return {
    retailer_phone_hash: body.retailer_id ? null : (body.retailer_phone_hash?.toLowerCase() ?? null),
    retailer_id: body.retailer_id ?? null,
    distributor_id: body.distributor_id,
    lender_ids: [...new Set(body.lender_scope)],
    purposes: [...new Set(body.purposes ?? (body.purpose ? [body.purpose] : []))],
    channel: body.consent_channel,
    wa_message_id: body.wa_message_id ?? null,
    language: Intl.getCanonicalLocales(body.language)[0] ?? body.language,
    notice_id: body.notice_id ?? null,
    notice_version: body.notice_version ?? null,
    expires_ms: body.expires_at === undefined ? null : Date.parse(body.expires_at),
    adult_declared: body.adult_declared ?? false,
    evidence: body.evidence,
  };
}

export const grantAnswer = z
  .object({
    consent_id: consentId,
    consents: z.array(z.object({ lender_id: lenderId, consent_id: consentId, signature: z.string() })),
    retailer_id: retailerId,
    lender_scope: z.array(lenderId),
    purpose,
    signed_at: instant,
    expires_at: instant,
    signature: z.string().openapi({ description: "Hex r||s, ECDSA P-256 with SHA-256, of the first record" }),
  })
  .openapi("ConsentGranted");
export type GrantAnswer = z.infer<typeof grantAnswer>;

export const changeBody = z
  .object({
    consent_id: consentId.optional(),
    retailer_id: retailerId.optional(),
    lender_id: lenderId.optional(),
    reason: text(MAX_REASON_CHARS)
      .optional()
      .openapi({ description: "Why, for the record; no personal data", example: "STOP in the chat" }),
    wa_message_id: waMessageId.optional(),
    evidence: evidence.optional(),
  })
  .refine((body) => body.consent_id !== undefined || body.retailer_id !== undefined, {
    message: "consent_id or retailer_id is required",
  })
  .refine(sameMessage, OTHER_MESSAGE)
  .openapi("ConsentChange");
/** A revocation, pause or resumption; inside the system it may also be narrowed to some consents of the retailer. */
export type ChangeRequest = z.infer<typeof changeBody> & { consent_ids?: string[] };

export const revokeAnswer = z
  .object({
    consent_id: consentId,
    revoked: z.array(consentId),
    status: z.literal("revoked"),
    revoked_at: instant,
    processing_halt_by: instant,
  })
  .openapi("ConsentRevoked");
export type RevokeAnswer = z.infer<typeof revokeAnswer>;

export const pauseAnswer = z
  .object({
    consent_id: consentId,
    paused: z.array(consentId),
    status: z.literal("paused"),
    paused_at: instant,
    processing_halt_by: instant,
  })
  .openapi("ConsentPaused");
export type PauseAnswer = z.infer<typeof pauseAnswer>;

export const resumeAnswer = z
  .object({
    consent_id: consentId,
    resumed: z.array(consentId),
    status: z.literal("active"),
    resumed_at: instant,
  })
  .openapi("ConsentResumed");
export type ResumeAnswer = z.infer<typeof resumeAnswer>;

export const checkQuery = z.object({ retailer_id: retailerId, lender_id: lenderId });
export const checkAnswer = z
  .object({
    consented: z.boolean(),
    consent_id: consentId.optional(),
    purposes: z.array(purpose).optional(),
    expires_at: instant.optional(),
    status: z.literal("paused").optional().openapi({ description: "Only of a consent that is paused" }),
  })
  .openapi("ConsentCheck");
export type CheckAnswer = z.infer<typeof checkAnswer>;

export const retailerQuery = z.object({ retailer_id: retailerId });

const record = z
  .looseObject({
    consent_id: consentId,
    retailer_id: retailerId,
    seq: z.number().int(),
    prev_hash: z.string(),
    record_hash: z.string(),
    signature: z.string(),
    key_id: z.string(),
  })
  .openapi("ConsentRecord", {
    description:
      "Signed record; record_hash is the SHA-256 of its RFC 8785 form without the last three fields",
  });

export const historyAnswer = z
  .object({ retailer_id: retailerId, records: z.array(record) })
  .openapi("ConsentHistory");

const notice = z.object({
  notice_id: z.string(),
  notice_version: z.string(),
  language: z.string(),
  sha256: z.string(),
  text: z.string(),
});

export const exportAnswer = z
  .object({
    retailer_id: retailerId,
    exported_at: instant,
    records: z.array(record),
    keys: z.object({ keys: z.array(z.looseObject({ kid: z.string() })) }),
    notices: z.array(notice),
    verification: z.object({ valid: z.boolean(), problems: z.array(z.string()) }),
    seal: z.object({ key_id: z.string(), signature: z.string() }).openapi({
      description: "ES256 (hex r||s) over the RFC 8785 form of the export without this member",
    }),
  })
  .openapi("ConsentExport");

export const noticesAnswer = z
  .object({
    data: z.array(notice),
  })
  .openapi("ConsentNotices");
