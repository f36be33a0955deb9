import { and, eq, or, type SQL, sql } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import { newId } from "../lib/seams.ts";
import { creationWrites } from "./identity-store.ts";
import { retailerIdentifiers, retailers } from "./tables.ts";

const canonicalId = sql<string>`coalesce(${retailers.merged_into}, ${retailers.retailer_id})`;

/**
 * The retailer itself, or the one that absorbed it; null if unknown. One step is enough: only provisional
 * retailers are absorbed, and only by ones that have a GSTIN.
 */
export async function canonicalRetailer(env: Env, retailer_id: string): Promise<string | null> {
  const row = await drizzle(env.DB)
    .select({ canonical: canonicalId })
    .from(retailers)
    .where(eq(retailers.retailer_id, retailer_id))
    .get();
  return row?.canonical ?? null;
}

/** The retailer and all that were merged into it, in the order of their ids. */
export async function aliasesOf(env: Env, retailer_id: string): Promise<string[]> {
  const rows = await drizzle(env.DB)
    .select({ retailer_id: retailers.retailer_id })
    .from(retailers)
    .where(or(eq(retailers.retailer_id, retailer_id), eq(retailers.merged_into, retailer_id)))
    .orderBy(retailers.retailer_id);
  return rows.map((row) => row.retailer_id);
}

/** The canonical retailers that a phone (by its keyed hash) names: none, one, or after a conflict several. */
export async function retailersOfPhone(env: Env, phone_hash: string): Promise<string[]> {
  const rows = await namedBy(drizzle(env.DB), "phone", phone_hash);
  return rows.map((row) => row.canonical);
}

/** The select behind `retailersOfPhone`, for a `db.batch()`. */
export function retailersOfPhoneSelect(db: DrizzleD1Database, phone_hash: string) {
  return namedBy(db, "phone", phone_hash);
}

/** The phones (keyed hashes) of a retailer, or of the one that absorbed it: a sub-select of one column. */
export function phonesOfRetailer(retailer_id: SQL | string): SQL {
  return sql`(SELECT i.blind_index AS phone_hash FROM ${retailers} r
    JOIN ${retailerIdentifiers} i ON i.retailer_id = coalesce(r.merged_into, r.retailer_id) AND i.kind = 'phone'
    WHERE r.retailer_id = ${retailer_id})`;
}

/** All phones of the retailers that a phone names, that phone among them: a sub-select of one column. */
export function phonesBeside(phone_hash: string): SQL {
  return sql`(SELECT other.blind_index AS phone_hash FROM ${retailerIdentifiers} mine
    JOIN ${retailerIdentifiers} other ON other.retailer_id = mine.retailer_id AND other.kind = 'phone'
    WHERE mine.kind = 'phone' AND mine.blind_index = ${phone_hash})`;
}

/** The retailer of a GSTIN (by its blind index), or null. */
export async function retailerByGstin(env: Env, gstin_index: string): Promise<string | null> {
  const rows = await namedBy(drizzle(env.DB), "gstin", gstin_index);
  return rows[0]?.canonical ?? null;
}

/** The select behind `retailerByGstin`, to stand inside another query: one row with one column, or none. */
export function retailerOfGstinSelect(db: DrizzleD1Database, gstin_index: string) {
  return namedBy(db, "gstin", gstin_index);
}

function namedBy(db: DrizzleD1Database, kind: "gstin" | "phone", blind_index: string) {
  return db
    .selectDistinct({ canonical: canonicalId })
    .from(retailerIdentifiers)
    .innerJoin(retailers, eq(retailers.retailer_id, retailerIdentifiers.retailer_id))
    .where(and(eq(retailerIdentifiers.kind, kind), eq(retailerIdentifiers.blind_index, blind_index)))
    .orderBy(canonicalId);
}

/**
 * The provisional retailer of a phone that nobody has named yet; made if there is none, and the same one for
 * all who ask at once. If the phone names a retailer already, that one.
 */
export async function createProvisional(env: Env, phone_hash: string): Promise<string> {
  const db = drizzle(env.DB);
  const creation = { retailer_id: newId("ret"), kind: "phone" as const, blind_index: phone_hash };
  const [name, retailer] = creationWrites(db, [creation]);
  const [, , rows] = await db.batch([name, retailer, namedBy(db, "phone", phone_hash)]);
  return rows[0]!.canonical;
}

/** The statement that notes that a retailer's phone was verified by a consent; for the consent's own batch. */
export function markPhoneVerified(db: DrizzleD1Database, retailer_id: string) {
  return db.update(retailers).set({ phone_verified: true }).where(eq(retailers.retailer_id, retailer_id));
}

/** What scoring needs to know of who a retailer is. */
export interface RetailerProfile {
  /** The canonical id. */
  retailer_id: string;
  /** The retailer and all that were merged into it, in the order of their ids. */
  aliases: string[];
  /** The distributors that hold rows of any of them, in the order of their ids. */
  distributor_ids: string[];
  /** Known by a GSTIN, or by a phone that gave a consent (scoring.md §3, identity). */
  identity_verified: boolean;
}

/**
 * The profiles behind many retailer ids, whatever of them were merged: one per canonical retailer, in the order of
 * the ids, unknown ids left out. One query.
 */
export async function profilesOf(env: Env, retailer_ids: readonly string[]): Promise<RetailerProfile[]> {
  const asked = JSON.stringify(retailer_ids);
  const rows = await drizzle(env.DB).all<{
    retailer_id: string;
    identity_verified: number;
    aliases: string;
    distributor_ids: string;
  }>(sql`
    SELECT c.retailer_id, (NOT c.provisional OR c.phone_verified) AS identity_verified,
      (SELECT json_group_array(a.retailer_id ORDER BY a.retailer_id) FROM retailers a
       WHERE a.retailer_id = c.retailer_id OR a.merged_into = c.retailer_id) AS aliases,
      (SELECT json_group_array(DISTINCT d.distributor_id ORDER BY d.distributor_id)
       FROM retailers a JOIN retailer_distributors d ON d.retailer_id = a.retailer_id
       WHERE a.retailer_id = c.retailer_id OR a.merged_into = c.retailer_id) AS distributor_ids
    FROM retailers c
    WHERE c.retailer_id IN (
      SELECT coalesce(r.merged_into, r.retailer_id) FROM retailers r
      WHERE r.retailer_id IN (SELECT value FROM json_each(${asked})))
    ORDER BY c.retailer_id`);
  return rows.map((row) => ({
    retailer_id: row.retailer_id,
    aliases: JSON.parse(row.aliases) as string[],
    distributor_ids: JSON.parse(row.distributor_ids) as string[],
    identity_verified: row.identity_verified === 1,
  }));
}
