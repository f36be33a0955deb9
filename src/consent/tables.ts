import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** The evidence: signed, hash-chained records per retailer, append-only (triggers refuse update and delete). */
export const consentRecords = sqliteTable(
  "consent_records",
  {
    retailer_id: text().notNull(),
    seq: integer().notNull(),
    consent_id: text().notNull(),
    /** RFC 8785 form of the record without record_hash, signature and key_id. */
    canonical: text().notNull(),
    record_hash: text().notNull(),
    signature: text().notNull(),
    key_id: text().notNull(),
    created_at: text().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.retailer_id, t.seq] }),
    index("consent_records_by_consent").on(t.consent_id),
  ],
);

/** The present state of each consent, derived from the records; follows a retailer that is absorbed by another. */
export const consents = sqliteTable(
  "consents",
  {
    consent_id: text().primaryKey(),
    retailer_id: text().notNull(),
    /** The retailer whose chain holds the records; differs from retailer_id after a merge. */
    chain_retailer_id: text().notNull(),
    lender_id: text().notNull(),
    /** JSON array of purposes. */
    purposes: text().notNull(),
    status: text({ enum: ["ACTIVE", "PAUSED", "REVOKED", "EXPIRED"] }).notNull(),
    grant_group: text().notNull(),
    granted_at: text().notNull(),
    expires_at: text().notNull(),
    /** When it ended, by revocation or expiry. */
    revoked_at: text(),
  },
  (t) => [
    index("consents_by_retailer_lender").on(t.retailer_id, t.lender_id),
    index("consents_by_expiry").on(t.expires_at).where(sql`${t.revoked_at} IS NULL`),
  ],
);

/** One row per WhatsApp message that served as evidence: makes a repeat a no-op and a reuse an error. */
export const consentEvidence = sqliteTable("consent_evidence", {
  wa_message_id: text().primaryKey(),
  kind: text({ enum: ["grant", "revoke", "pause", "resume"] }).notNull(),
  /** SHA-256 of the RFC 8785 form of the request. */
  content_sha256: text().notNull(),
  /** JSON of the first answer. */
  answer: text().notNull(),
  created_at: text().notNull(),
});
