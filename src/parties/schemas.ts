import { z } from "@hono/zod-openapi";
import { distributorId, lenderId } from "../http/schemas.ts";

/** What the provisioning door takes; every field is checked before a table is touched. */

const name = z.string().trim().min(1).max(200);
const count = z.int().min(1).max(1_000_000_000);
const slug = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);

/** What lenders may do (api.md §2). */
export const LENDER_SCOPE = "score:read grievance:write notification:read webhook:write";
/** What a service client can be given (api.md §2, §4, §6). */
export const SERVICE_SCOPES = [
  "consent:read",
  "consent:write",
  "grievance:write",
  "grievance:work",
  "rights:read",
  "rights:write",
] as const;

/** A lender's own limits, calls in 60 seconds and in 24 hours (api.md §9). */
const lenderLimits = {
  score_per_minute: count.optional(),
  score_per_day: count.optional(),
  lookup_per_minute: count.optional(),
  lookup_per_day: count.optional(),
};

/** A distributor's own limits: accepted batches an hour, largest amount of one record in rupees. */
const distributorLimits = {
  batches_per_hour: count.optional(),
  max_amount_inr: count.optional(),
};

/** At least one limit must be named, or the call would change nothing. */
function someLimit(input: object): boolean {
  return Object.entries(input).some(([key, value]) => !key.endsWith("_id") && value !== undefined);
}
const SOME_LIMIT = { message: "name at least one limit" };

const csr = z.string().min(1).max(16_384);

export const createLenderInput = z.strictObject({
  name,
  lender_id: lenderId.optional(),
  limits: z.strictObject(lenderLimits).optional(),
});

export const setLenderLimitsInput = z
  .strictObject({ lender_id: lenderId, ...lenderLimits })
  .refine(someLimit, SOME_LIMIT);

export const createServiceClientInput = z.strictObject({
  name,
  scope: z
    .string()
    .max(200)
    .transform((scope) => [...new Set(scope.split(" ").filter((part) => part !== ""))])
    .pipe(z.array(z.enum(SERVICE_SCOPES)).min(1))
    .transform((scopes) => scopes.join(" ")),
});

export const createDistributorInput = z.strictObject({
  name,
  erp_type: z.enum(["tally_prime", "sap_b1", "csv"]),
  csr_pem: csr,
  limits: z.strictObject(distributorLimits).optional(),
});

export const setDistributorLimitsInput = z
  .strictObject({ distributor_id: distributorId, ...distributorLimits })
  .refine(someLimit, SOME_LIMIT);

export const rotateDistributorInput = z.strictObject({
  distributor_id: distributorId,
  csr_pem: csr.optional(),
});

/** A language tag, put into its canonical form (RFC 5646 §4.5). */
const language = z
  .string()
  .max(35)
  .transform((tag, context) => {
    try {
      return Intl.getCanonicalLocales(tag)[0] ?? z.NEVER;
    } catch {
      context.addIssue({ code: "custom", message: "must be a BCP 47 language tag" });
      return z.NEVER;
    }
  });

export const publishNoticeInput = z.strictObject({
  notice_id: slug,
  notice_version: slug,
  language,
  text: z.string().min(1).max(20_000),
});

export const withdrawNoticeInput = z.strictObject({ notice_id: slug, notice_version: slug });

export const revokeTokenInput = z.strictObject({ token: z.string().min(1).max(4096) });
export const revokeClientInput = z.strictObject({ client_id: z.string().min(1).max(256) });

export const exportAuditInput = z.strictObject({
  stream: z.string().regex(/^(access|ledger|events|auth):[A-Za-z0-9._-]{1,100}$/, "must be a kind and an id"),
  /** Rows up to this number are left out. */
  after: z.int().min(0).default(0),
  limit: z.int().min(1).max(100).default(100),
});

/** One score by its id, or the scores stored last. */
export const replayInput = z
  .strictObject({
    score_id: z
      .string()
      .regex(/^scr_[0-9a-f]{16}$/)
      .optional(),
    last: z.int().min(1).max(5_000).optional(),
  })
  .refine(({ score_id, last }) => (score_id === undefined) !== (last === undefined), {
    message: "give score_id or last",
  });
