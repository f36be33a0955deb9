import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

/** One row per shop. A provisional retailer is known by phone only; `merged_into` points at the one that absorbed it. */
export const retailers = sqliteTable(
  "retailers",
  {
    retailer_id: text().primaryKey(),
    provisional: integer({ mode: "boolean" }).notNull(),
    /** True once the phone named this retailer in a consent. */
    phone_verified: integer({ mode: "boolean" }).notNull().default(false),
    merged_into: text(),
    merged_at: text(),
    created_at: text().notNull(),
  },
  (t) => [index("retailers_by_merged_into").on(t.merged_into)],
);

/**
 * Keyed HMAC blind indexes: a GSTIN names exactly one retailer, a phone one or (after a conflict) several.
 * Neither identifier itself is ever stored.
 */
export const retailerIdentifiers = sqliteTable(
  "retailer_identifiers",
  {
    kind: text({ enum: ["gstin", "phone"] }).notNull(),
    blind_index: text().notNull(),
    retailer_id: text().notNull(),
    key_id: text().notNull(),
    created_at: text().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.kind, t.blind_index, t.retailer_id] }),
    // Two batches that meet a new GSTIN at the same moment must agree on one retailer.
    uniqueIndex("retailer_identifiers_one_per_gstin").on(t.blind_index).where(sql`${t.kind} = 'gstin'`),
    index("retailer_identifiers_by_retailer").on(t.retailer_id),
  ],
);

/** Which distributors hold rows of a retailer. */
export const retailerDistributors = sqliteTable(
  "retailer_distributors",
  {
    retailer_id: text().notNull(),
    distributor_id: text().notNull(),
    first_seen_at: text().notNull(),
  },
  (t) => [primaryKey({ columns: [t.retailer_id, t.distributor_id] })],
);
