import { and, eq, isNull, sql } from "drizzle-orm";
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
 * Statements that make new retailers, each with the identifier that names it. Guarded, so that of two writers who
 * create the same identity at once one wins and the other finds the winner when it reads again.
 */
export function creationWrites(db: DrizzleD1Database, creations: IdentityChanges["creations"]) {
  const now = nowIso();
  const rows = JSON.stringify(creations.map((c) => [c.kind, c.blind_index, c.retailer_id, KEY_IDS[c.kind]]));
  return [
    db.insert(retailerIdentifiers).select(
      sql`SELECT value->>0, value->>1, value->>2, value->>3, ${now} FROM json_each(${rows})
          WHERE NOT EXISTS (SELECT 1 FROM ${retailerIdentifiers} i
            WHERE i.kind = value->>0 AND i.blind_index = value->>1)`,
    ),
    db.insert(retailers).select(
      sql`SELECT value->>2, value->>0 = 'phone', 0, NULL, NULL, ${now} FROM json_each(${rows})
        WHERE EXISTS (SELECT 1 FROM ${retailerIdentifiers} i
          WHERE i.kind = value->>0 AND i.blind_index = value->>1 AND i.retailer_id = value->>2)`,
    ),
  ] as const;
}

/**
 * Statements that write a plan's creations, links and relations (merges apart: `mergeWrites`). What refers to a
 * retailer that lost the race for its identifier is left out, and so is a link of a phone that has got a provisional
 * retailer meanwhile: the next plan merges it.
 */
export function identityWrites(db: DrizzleD1Database, distributor_id: string, changes: IdentityChanges) {
  const now = nowIso();
  const { creations, links, relations } = changes;
  const statements = [];
  if (creations.length > 0) statements.push(...creationWrites(db, creations));
  if (links.length > 0) {
    const rows = JSON.stringify(links.map((link) => [link.phone_index, link.retailer_id]));
    statements.push(
      db
        .insert(retailerIdentifiers)
        .select(
          sql`SELECT 'phone', value->>0, value->>1, ${KEY_IDS.phone}, ${now} FROM json_each(${rows})
            WHERE EXISTS (SELECT 1 FROM ${retailers} r WHERE r.retailer_id = value->>1)
              AND NOT EXISTS (SELECT 1 FROM ${retailerIdentifiers} i
                INNER JOIN ${retailers} p ON p.retailer_id = i.retailer_id
                WHERE i.kind = 'phone' AND i.blind_index = value->>0 AND p.provisional = 1)`,
        )
        .onConflictDoNothing(),
    );
  }
  if (relations.length > 0) {
    statements.push(
      db
        .insert(retailerDistributors)
        .select(
          sql`SELECT value, ${distributor_id}, ${now} FROM json_each(${JSON.stringify(relations)})
            WHERE EXISTS (SELECT 1 FROM ${retailers} r WHERE r.retailer_id = value)`,
        )
        .onConflictDoNothing(),
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
    db
      .update(retailers)
      .set({ merged_into: into, merged_at: now })
      .where(
        and(
          eq(retailers.retailer_id, from),
          eq(retailers.provisional, true),
          isNull(retailers.merged_into),
          sql`EXISTS (SELECT 1 FROM ${retailers} r WHERE r.retailer_id = ${into} AND r.merged_into IS NULL)`,
        ),
      ),
    db
      .insert(retailerIdentifiers)
      .select(
        sql`SELECT kind, blind_index, ${into}, key_id, created_at FROM ${retailerIdentifiers}
          WHERE kind = 'phone' AND retailer_id = ${from} AND ${taken}`,
      )
      .onConflictDoNothing(),
    db.delete(retailerIdentifiers).where(and(eq(retailerIdentifiers.retailer_id, from), taken)),
    db
      .insert(retailerDistributors)
      .select(
        sql`SELECT ${into}, distributor_id, first_seen_at FROM ${retailerDistributors}
          WHERE retailer_id = ${from} AND ${taken}`,
      )
      .onConflictDoNothing(),
    db.delete(retailerDistributors).where(and(eq(retailerDistributors.retailer_id, from), taken)),
    db
      .update(retailers)
      .set({ phone_verified: true })
      .where(
        and(
          eq(retailers.retailer_id, into),
          taken,
          sql`EXISTS (SELECT 1 FROM ${retailers} r WHERE r.retailer_id = ${from} AND r.phone_verified = 1)`,
        ),
      ),
  ];
}
