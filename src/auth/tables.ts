import { sql } from "drizzle-orm";
import { sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

/** Signing key pairs. The private JWK rests sealed with AES-GCM under the key-encryption secret, kid as AAD. */
export const signingKeys = sqliteTable(
  "signing_keys",
  {
    /** RFC 7638 thumbprint. */
    kid: text().primaryKey(),
    alg: text({ enum: ["RS256", "ES256"] }).notNull(),
    public_jwk: text().notNull(),
    private_sealed: text().notNull(),
    status: text({ enum: ["active", "previous", "retired"] }).notNull(),
    created_at: text().notNull(),
    /** When a previous key leaves the JWKS (end of the 14-day overlap); null while active. */
    published_until: text(),
  },
  (t) => [uniqueIndex("signing_keys_one_active").on(t.alg).where(sql`${t.status} = 'active'`)],
);

/** Revoked tokens by jti, kept until the token would have expired. */
export const revokedTokens = sqliteTable("revoked_tokens", {
  jti: text().primaryKey(),
  expires_at: text().notNull(),
  revoked_at: text().notNull(),
});
