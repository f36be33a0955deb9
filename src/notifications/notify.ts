import { type SQL, sql } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import { newId, nowIso } from "../lib/seams.ts";
import { deliveryInserts } from "../webhooks/deliveries.ts";
import { lenderNotices } from "./tables.ts";

/** What a lender is told; ids and dates only, never a score value or personal data. */
export interface LenderNotice {
  lender_id: string;
  type:
    | "consent.granted"
    | "consent.revoked"
    | "consent.paused"
    | "consent.resumed"
    | "consent.expired"
    | "score.refreshed"
    | "grievance.updated";
  retailer_id: string;
  data: Record<string, string | number | null>;
  /** A second notice of this lender with the same key is not written, e.g. the id of the event it tells of. */
  dedupe_key?: string;
}

/** A notice as the lender sees it, in the feed and as the body of a webhook. */
export interface NoticeBody {
  notice_id: string;
  type: string;
  timestamp: string;
  data: Record<string, string | number | null>;
}

export type NoticeRow = Omit<typeof lenderNotices.$inferSelect, "seq">;

/** The one form of a notice. */
export function noticeBody(notice: NoticeRow): NoticeBody {
  const { notice_id, type, retailer_id, data, created_at } = notice;
  return { notice_id, type, timestamp: created_at, data: { ...JSON.parse(data), retailer_id } };
}

/**
 * The statements that write notices and their deliveries to the lenders' webhooks: put them into the same `db.batch()` as the
 * state change. With `condition` (asked with each notice's lender_id) only those for which that SQL holds.
 */
export function noticeStatements(
  db: DrizzleD1Database,
  notices: readonly LenderNotice[],
  condition: (lender_id: SQL) => SQL = () => sql`1`,
) {
  const created_at = nowIso();
  const rows = notices.map(({ lender_id, type, retailer_id, data, dedupe_key }): NoticeRow => {
    const notice_id = newId("ntc");
    return {
      notice_id,
      lender_id,
      type,
      retailer_id,
      data: JSON.stringify(data),
      dedupe_key: dedupe_key ?? notice_id,
      created_at,
    };
  });
  const messages = rows.map((row) => ({
    message_id: row.notice_id,
    lender_id: row.lender_id,
    type: row.type,
    body: JSON.stringify(noticeBody(row)),
  }));
  const isWritten = (notice_id: SQL) =>
    sql`EXISTS (SELECT 1 FROM lender_notices WHERE lender_notices.notice_id = ${notice_id})`;
  return [
    db
      .insert(lenderNotices)
      .select(sql`
        SELECT NULL, value->>'$.notice_id', value->>'$.lender_id', value->>'$.type', value->>'$.retailer_id',
          value->>'$.data', value->>'$.dedupe_key', value->>'$.created_at'
        FROM json_each(${JSON.stringify(rows)}) WHERE ${condition(sql`value->>'$.lender_id'`)} ORDER BY key`)
      .onConflictDoNothing(),
    deliveryInserts(db, messages, isWritten),
  ] as const;
}

/** Writes notices that belong to no other change in D1. */
export async function notifyLenders(
  env: Env,
  notices: readonly LenderNotice[],
  condition?: (lender_id: SQL) => SQL,
): Promise<void> {
  if (notices.length === 0) return;
  const db = drizzle(env.DB);
  await db.batch(noticeStatements(db, notices, condition));
}
