import { z } from "@hono/zod-openapi";

const key = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "must be 64 hex digits (32 random bytes, e.g. `openssl rand -hex 32`)")
  .refine((hex) => new Set(hex).size >= 8, "is too regular to be random");

const configSchema = z.object({
  ENVIRONMENT: z.enum(["local", "test", "production"]),
  /** AES-GCM key that seals private signing keys and distributor signing secrets. */
  KEY_ENCRYPTION_SECRET: key,
  /** HMAC keys of the blind indexes (one per kind of identifier) and of quarantined values. */
  GSTIN_INDEX_KEY: key,
  PHONE_PEPPER: key,
  QUARANTINE_KEY: key,
});

const SECRETS = new Set(["KEY_ENCRYPTION_SECRET", "GSTIN_INDEX_KEY", "PHONE_PEPPER", "QUARANTINE_KEY"]);

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
  const missing = ["DB", "KV", "LENDER_GATE", "DISTRIBUTOR_LEDGER", "RATE_LIMITER", "EVENTS", "SCORING"]
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
