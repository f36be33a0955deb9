import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** Lenders with their own limits; the defaults are the published minimum (api.md §9). */
export const lenders = sqliteTable("lenders", {
  lender_id: text().primaryKey(),
  name: text().notNull(),
  score_per_minute: integer().notNull().default(100),
  score_per_day: integer().notNull().default(5000),
  lookup_per_minute: integer().notNull().default(20),
  lookup_per_day: integer().notNull().default(500),
  created_at: text().notNull(),
});

/** OAuth clients of lenders and of internal services. Only the SHA-256 of the secret is kept. */
export const clients = sqliteTable("clients", {
  client_id: text().primaryKey(),
  kind: text({ enum: ["lender", "service"] }).notNull(),
  /** The token's `sub`: the lender_id, or the service's own client_id. */
  subject: text().notNull(),
  secret_sha256: text().notNull(),
  /** Space-separated OAuth scopes. */
  scope: text().notNull(),
  created_at: text().notNull(),
  revoked_at: text(),
});

export const distributors = sqliteTable("distributors", {
  distributor_id: text().primaryKey(),
  name: text().notNull(),
  erp_type: text({ enum: ["tally_prime", "sap_b1", "csv"] }).notNull(),
  batches_per_hour: integer().notNull().default(10),
  max_amount_inr: integer().notNull().default(5_000_000),
  created_at: text().notNull(),
});

/** Client certificates by fingerprint (lower-case hex SHA-256 of the DER); several may be active in an overlap. */
export const distributorCertificates = sqliteTable(
  "distributor_certificates",
  {
    fingerprint: text().primaryKey(),
    distributor_id: text().notNull(),
    serial: text().notNull(),
    not_after: text().notNull(),
    /** End of a rotation overlap; null while the certificate is the current one. */
    active_until: text(),
    created_at: text().notNull(),
  },
  (t) => [index("distributor_certificates_by_distributor").on(t.distributor_id)],
);

/** API keys by SHA-256; several may be active in an overlap. */
export const distributorApiKeys = sqliteTable(
  "distributor_api_keys",
  {
    key_sha256: text().primaryKey(),
    distributor_id: text().notNull(),
    active_until: text(),
    created_at: text().notNull(),
  },
  (t) => [index("distributor_api_keys_by_distributor").on(t.distributor_id)],
);

/** HMAC signing secrets, sealed with AES-GCM under the key-encryption secret (aad = distributor_id). */
export const distributorSigningSecrets = sqliteTable(
  "distributor_signing_secrets",
  {
    secret_id: text().primaryKey(),
    distributor_id: text().notNull(),
    sealed: text().notNull(),
    active_until: text(),
    created_at: text().notNull(),
  },
  (t) => [index("distributor_signing_secrets_by_distributor").on(t.distributor_id)],
);

/** Consent notices, immutable per version and language. */
export const notices = sqliteTable(
  "notices",
  {
    notice_id: text().notNull(),
    notice_version: text().notNull(),
    language: text().notNull(),
    text: text().notNull(),
    sha256: text().notNull(),
    created_at: text().notNull(),
    withdrawn_at: text(),
  },
  (t) => [primaryKey({ columns: [t.notice_id, t.notice_version, t.language] })],
);
