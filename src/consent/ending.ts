import { and, asc, gt, isNull, lte, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import { nowIso } from "../lib/seams.ts";
import { consents } from "./tables.ts";

// `revoked_at IS NULL` (neither revoked nor expired on record) is what the index on `expires_at` is restricted to.

/**
 * A page of the chains that hold a consent that ran out without a record of it: ids greater than `after`, in order,
 * at most `limit`.
 */
export async function runOutChains(env: Env, after: string, limit: number): Promise<string[]> {
  const rows = await drizzle(env.DB)
    .selectDistinct({ chain_id: consents.chain_retailer_id })
    .from(consents)
    .where(
      and(
        gt(consents.chain_retailer_id, after),
        isNull(consents.revoked_at),
        lte(consents.expires_at, nowIso()),
      ),
    )
    .orderBy(asc(consents.chain_retailer_id))
    .limit(limit);
  return rows.map((row) => row.chain_id);
}

/** A grant with a consent that ends soon, and whom its active ones name. */
export interface EndingGrant {
  grant_group: string;
  retailer_id: string;
  granted_at: string;
  expires_at: string;
  lender_ids: string[];
  language: string;
  distributor_id: string;
}

/**
 * A page of the grants that end by `until` and have active consents which no newer consent to the same lender
 * outlives: groups greater than `after`, in order, at most `limit`.
 */
export async function endingGrants(
  env: Env,
  { until, after, limit }: { until: string; after: string; limit: number },
): Promise<EndingGrant[]> {
  const rows = await drizzle(env.DB).all<Omit<EndingGrant, "lender_ids"> & { lender_ids: string }>(sql`
    SELECT c.grant_group, c.retailer_id, c.granted_at, c.expires_at, json_group_array(c.lender_id) AS lender_ids,
      r.canonical->>'$.language' AS language, r.canonical->>'$.source_distributor_ids[0]' AS distributor_id
    FROM consents c JOIN consent_records r ON r.consent_id = c.consent_id AND r.canonical->>'$.grant_record' IS NULL
    WHERE c.status = 'ACTIVE' AND c.revoked_at IS NULL AND c.expires_at > ${nowIso()}
      AND c.expires_at <= ${until} AND c.grant_group > ${after}
      AND NOT EXISTS (
        SELECT 1 FROM consents n WHERE n.retailer_id = c.retailer_id AND n.lender_id = c.lender_id
          AND n.status = 'ACTIVE' AND n.expires_at > c.expires_at)
    GROUP BY c.grant_group ORDER BY c.grant_group LIMIT ${limit}`);
  return rows.map((row) => ({ ...row, lender_ids: JSON.parse(row.lender_ids) as string[] }));
}
