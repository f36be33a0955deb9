import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

/** What lenders are told, in the order of writing; ids only. Purged after 90 days, but for a lender's last one. */
export const lenderNotices = sqliteTable(
  "lender_notices",
  {
    /** Never shown: it would tell how many notices others get. */
    seq: integer().primaryKey({ autoIncrement: true }),
    notice_id: text().notNull().unique(),
    lender_id: text().notNull(),
    type: text().notNull(),
    retailer_id: text().notNull(),
    /** JSON object. */
    data: text().notNull(),
    dedupe_key: text().notNull(),
    created_at: text().notNull(),
  },
  (t) => [
    index("lender_notices_by_lender").on(t.lender_id, t.seq),
    uniqueIndex("lender_notices_once").on(t.lender_id, t.dedupe_key),
  ],
);
