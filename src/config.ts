import { z } from "@hono/zod-openapi";

const key = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "must be 64 hex digits (32 random bytes, e.g. `openssl rand -hex 32`)")
  .refine((hex) => new Set(hex).size >= 8, "is too regular to be random");

const configSchema = z
  .object({
    ENVIRONMENT: z.enum(["local", "test", "production"]),
    /** AES-GCM key that seals private signing keys and distributor signing secrets. */
    KEY_ENCRYPTION_SECRET: key,
    /** HMAC keys of the blind indexes (one per kind of identifier) and of quarantined values. */
    GSTIN_INDEX_KEY: key,
    PHONE_PEPPER: key,
    QUARANTINE_KEY: key,
    /** Signs Meta's webhooks: the app secret, 32 hex digits (locally 64). */
    WHATSAPP_APP_SECRET: z
      .string()
      .regex(/^[0-9a-f]{32,64}$/, "must be the app secret of Meta's dashboard: 32 to 64 hex digits")
      .refine((hex) => new Set(hex).size >= 8, "is too regular to be random"),
    /** What Meta shows in the webhook's handshake; our own choice. */
    WHATSAPP_VERIFY_TOKEN: z
      .string()
      .regex(/^[\x21-\x7e]{32,256}$/, "must be 32 to 256 printable characters, e.g. `openssl rand -hex 32`")
      .refine((token) => new Set(token).size >= 8, "is too regular to be random"),
    /** The Cloud API's account; without it (not in production) messages are only recorded. */
    WHATSAPP_ACCESS_TOKEN: z.string().min(20, "must be a permanent access token").optional(),
    WHATSAPP_PHONE_NUMBER_ID: z
      .string()
      .regex(/^\d{5,20}$/, "must be the digits of Meta's dashboard")
      .optional(),
    /** Who answers for the data towards the retailer (DPDP Act s.5, s.8(9)); stands in every consent record. */
    DATA_FIDUCIARY_NAME: z.string().trim().min(1).max(200).default("AltScore"),
    DATA_FIDUCIARY_CONTACT: z.string().trim().min(1).max(200).default("privacy@altscore.in"),
    DPO_CONTACT: z.string().trim().min(1).max(200).default("dpo@altscore.in"),
    /** Lets webhooks go to local and plain-HTTP targets, to try receivers on one machine. */
    WEBHOOKS_ALLOW_LOCAL: z.enum(["true", "false"]).default("false"),
  })
  .refine((config) => config.ENVIRONMENT !== "production" || config.WEBHOOKS_ALLOW_LOCAL === "false", {
    path: ["WEBHOOKS_ALLOW_LOCAL"],
    message: "must not be true in production: webhooks would reach private addresses",
  })
  .refine(
    (config) =>
      (config.WHATSAPP_ACCESS_TOKEN === undefined) === (config.WHATSAPP_PHONE_NUMBER_ID === undefined) &&
      (config.ENVIRONMENT !== "production" || config.WHATSAPP_ACCESS_TOKEN !== undefined),
    {
      path: ["WHATSAPP_ACCESS_TOKEN"],
      message: "is needed with WHATSAPP_PHONE_NUMBER_ID, and in production both are: nothing would be sent",
    },
  );

const SECRETS = new Set([
  "KEY_ENCRYPTION_SECRET",
  "GSTIN_INDEX_KEY",
  "PHONE_PEPPER",
  "QUARANTINE_KEY",
  "WHATSAPP_APP_SECRET",
  "WHATSAPP_VERIFY_TOKEN",
]);

/** The environment's settings after checking; secrets as hex text. */
export type Config = z.infer<typeof configSchema>;

const parsed = new WeakMap<object, Config>();

/**
 * Checks the environment once per isolate. Throws an Error whose message names every bad or missing binding
 * and what it should be, never its value.
 */
export function parseEnv(env: object): Config {
  const known = parsed.get(env);
  if (known) return known;
  const missing = [
    "DB",
    "KV",
    "LENDER_GATE",
    "DISTRIBUTOR_LEDGER",
    "RATE_LIMITER",
    "AUDIT_LOG",
    "EVENTS",
    "SCORING",
    "WEBHOOKS",
  ]
    .filter((name) => !(name in env))
    .map((name) => `${name}: binding is missing, see wrangler.toml`);
  const result = configSchema.safeParse(env);
  const wrong = result.success
    ? []
    : result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  const given = Object.entries(env).flatMap(([name, value]) => (SECRETS.has(name) ? [value] : []));
  const reused = new Set(given).size < given.length ? ["secrets: each must differ from the others"] : [];
  const problems = [...missing, ...wrong, ...reused];
  if (!result.success || problems.length > 0) {
    throw new Error(`AltScore cannot start:\n  ${problems.join("\n  ")}`);
  }
  parsed.set(env, result.data);
  return result.data;
}
