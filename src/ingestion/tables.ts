import { sqliteTable, text } from "drizzle-orm/sqlite-core";

/** Newest `sync_to` of each distributor over its accepted batches (held ones apart): what freshness is measured from. */
export const distributorSyncs = sqliteTable("distributor_syncs", {
  distributor_id: text().primaryKey(),
  newest_sync_to: text().notNull(),
});
