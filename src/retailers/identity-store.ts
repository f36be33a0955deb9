import { sql } from "drizzle-orm";
import type { DrizzleD1Database } from "drizzle-orm/d1";
import { nowIso } from "../lib/seams.ts";
import { KEY_IDS } from "./blind-index.ts";
import type { IdentityChanges, IdentitySnapshot, NamedRetailer } from "./identity.ts";
import { retailerDistributors, retailerIdentifiers, retailers } from "./tables.ts";

/** A retailer that was merged, and the one that absorbed it. */
export type Alias = [alias: string, canonical: string];

interface NamedRow {
  position: number;
  retailer_id: string;
  provisional: number;
  phone_verified: number;
  related: number;
}

/** What D1 knows about the identifiers of a batch. */
export interface IdentityFacts {
  snapshot: IdentitySnapshot;
  /** Retailers merged into any of the named ones. */
  aliases: Alias[];
  /** Named retailers whose identity counts as verified: by a GSTIN, or by a phone that gave a consent. */
  verified: Set<string>;
}

/**
 * The three reads of an identity look-up, to be run in one `db.batch()`; `readFacts` understands their results.
 * `gstins` and `phones` are distinct blind indexes.
 */
export function identityReads(
  db: DrizzleD1Database,
  distributor_id: string,
  gstins: readonly string[],
  phones: readonly string[],
) {
  const named = (kind: "gstin" | "phone", indexes: readonly string[]) =>
    db
      .select({
        position: sql<number>`j.key`,
        retailer_id: retailers.retailer_id,
        provisional: sql<number>`${retailers.provisional}`,
        phone_verified: sql<number>`${retailers.phone_verified}`,
        related: sql<number>`${retailerDistributors.retailer_id} IS NOT NULL`,
      })
      .from(sql`json_each(${JSON.stringify(indexes)}) j`)
      .innerJoin(
        retailerIdentifiers,
        sql`${retailerIdentifiers.kind} = ${kind} AND ${retailerIdentifiers.blind_index} = j.value`,
      )
      .innerJoin(retailers, sql`${retailers.retailer_id} = ${retailerIdentifiers.retailer_id}`)
      .leftJoin(
        retailerDistributors,
        sql`${retailerDistributors.retailer_id} = ${retailers.retailer_id}
            AND ${retailerDistributors.distributor_id} = ${distributor_id}`,
      );
  const aliases = db
    .selectDistinct({ alias: retailers.retailer_id, canonical: sql<string>`${retailers.merged_into}` })
    .from(sql`json_each(${JSON.stringify([...gstins, ...phones])}) j`)
    .innerJoin(
      retailerIdentifiers,
      sql`${retailerIdentifiers.kind} IN ('gstin', 'phone') AND ${retailerIdentifiers.blind_index} = j.value`,
    )
    .innerJoin(retailers, sql`${retailers.merged_into} = ${retailerIdentifiers.retailer_id}`);
  return [named("gstin", gstins), named("phone", phones), aliases] as const;
}

/** Builds the facts from the results of `identityReads`, for the same `gstins` and `phones`. */
export function readFacts(
  gstins: readonly string[],
  phones: readonly string[],
  [gstin_rows, phone_rows, alias_rows]: readonly [
    NamedRow[],
    NamedRow[],
    { alias: string; canonical: string }[],
  ],
): IdentityFacts {
  const verified = new Set<string>();
  const toNamed = (row: NamedRow): NamedRetailer => {
    if (row.provisional === 0 || row.phone_verified === 1) verified.add(row.retailer_id);
    return {
      retailer_id: row.retailer_id,
      provisional: row.provisional === 1,
      related: row.related === 1,
    };
  };
  const by_gstin = new Map<string, NamedRetailer>();
  for (const row of gstin_rows) by_gstin.set(gstins[row.position] as string, toNamed(row));
  const by_phone = new Map<string, NamedRetailer[]>();
  for (const row of phone_rows) {
    const phone = phones[row.position] as string;
    const names = by_phone.get(phone);
    if (names) names.push(toNamed(row));
    else by_phone.set(phone, [toNamed(row)]);
  }
  return {
    snapshot: { gstins: by_gstin, phones: by_phone },
    aliases: alias_rows.map((row): Alias => [row.alias, row.canonical]),
    verified,
  };
}

/**
 * Statements that write a plan's creations, links and relations. Each is guarded, so that of two writers who
 * create the same identity at once one wins and the other finds the winner when it reads again.
 */
export function identityWrites(db: DrizzleD1Database, distributor_id: string, changes: IdentityChanges) {
  const now = nowIso();
  const { creations, links, relations } = changes;
  const statements = [];
  if (creations.length > 0) {
    const rows = JSON.stringify(creations.map((c) => [c.retailer_id, c.kind, c.blind_index]));
    statements.push(
      db.run(sql`INSERT INTO ${retailerIdentifiers} (kind, blind_index, retailer_id, key_id, created_at)
        SELECT value->>1, value->>2, value->>0,
          CASE value->>1 WHEN 'gstin' THEN ${KEY_IDS.gstin} ELSE ${KEY_IDS.phone} END, ${now}
        FROM json_each(${rows})
        WHERE NOT EXISTS (SELECT 1 FROM ${retailerIdentifiers} i WHERE i.kind = value->>1 AND i.blind_index = value->>2)
        ON CONFLICT DO NOTHING`),
      db.run(sql`INSERT INTO ${retailers} (retailer_id, provisional, phone_verified, created_at)
        SELECT value->>0, value->>1 = 'phone', 0, ${now} FROM json_each(${rows})
        WHERE EXISTS (SELECT 1 FROM ${retailerIdentifiers} i
          WHERE i.kind = value->>1 AND i.blind_index = value->>2 AND i.retailer_id = value->>0)`),
    );
  }
  if (links.length > 0) {
    const rows = JSON.stringify(links.map((link) => [link.phone_index, link.retailer_id]));
    statements.push(
      db.run(sql`INSERT INTO ${retailerIdentifiers} (kind, blind_index, retailer_id, key_id, created_at)
        SELECT 'phone', value->>0, value->>1, ${KEY_IDS.phone}, ${now} FROM json_each(${rows})
        WHERE EXISTS (SELECT 1 FROM ${retailers} r WHERE r.retailer_id = value->>1)
        ON CONFLICT DO NOTHING`),
    );
  }
  if (relations.length > 0) {
    statements.push(
      db.run(sql`INSERT INTO ${retailerDistributors} (retailer_id, distributor_id, first_seen_at)
        SELECT value, ${distributor_id}, ${now} FROM json_each(${JSON.stringify(relations)})
        WHERE EXISTS (SELECT 1 FROM ${retailers} r WHERE r.retailer_id = value)
        ON CONFLICT DO NOTHING`),
    );
  }
  return statements;
}

/**
 * Statements by which a provisional retailer is absorbed: its identifiers and relationships go over, and
 * `merged_into` points at its successor. Without effect if another merge took it before.
 */
export function mergeWrites(db: DrizzleD1Database, from: string, into: string) {
  const now = nowIso();
  const taken = sql`EXISTS (SELECT 1 FROM ${retailers} r WHERE r.retailer_id = ${from} AND r.merged_into = ${into})`;
  return [
    db.run(sql`UPDATE ${retailers} SET merged_into = ${into}, merged_at = ${now}
      WHERE retailer_id = ${from} AND merged_into IS NULL AND provisional = 1
        AND EXISTS (SELECT 1 FROM ${retailers} r WHERE r.retailer_id = ${into} AND r.merged_into IS NULL)`),
    db.run(sql`INSERT INTO ${retailerIdentifiers} (kind, blind_index, retailer_id, key_id, created_at)
      SELECT kind, blind_index, ${into}, key_id, ${now} FROM ${retailerIdentifiers}
      WHERE kind = 'phone' AND retailer_id = ${from} AND ${taken} ON CONFLICT DO NOTHING`),
    db.run(sql`DELETE FROM ${retailerIdentifiers} WHERE retailer_id = ${from} AND ${taken}`),
    db.run(sql`INSERT INTO ${retailerDistributors} (retailer_id, distributor_id, first_seen_at)
      SELECT ${into}, distributor_id, first_seen_at FROM ${retailerDistributors}
      WHERE retailer_id = ${from} AND ${taken} ON CONFLICT DO NOTHING`),
    db.run(sql`DELETE FROM ${retailerDistributors} WHERE retailer_id = ${from} AND ${taken}`),
    db.run(sql`UPDATE ${retailers} SET phone_verified = 1 WHERE retailer_id = ${into} AND ${taken}
      AND EXISTS (SELECT 1 FROM ${retailers} r WHERE r.retailer_id = ${from} AND r.phone_verified = 1)`),
  ];
}
