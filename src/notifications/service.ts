import { and, asc, eq, gt, lt, max, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import { unavailable } from "../http/errors.ts";
import { invalid } from "../http/validation.ts";
import { nowMs } from "../lib/seams.ts";
import { noticeBody } from "./notify.ts";
import type { NotificationsAnswer } from "./schemas.ts";
import { lenderNotices } from "./tables.ts";

const KEEP_MS = 90 * 86_400_000;

/**
 * A lender's notices after `cursor`, oldest first. The cursor is the notice_id of the last one seen: random, and known to this
 * lender only. Throws INVALID_REQUEST for any other cursor, SERVICE_UNAVAILABLE if D1 fails.
 */
export async function listNotifications(
  env: Env,
  lender_id: string,
  { cursor, limit }: { cursor: string | null; limit: number },
): Promise<NotificationsAnswer> {
  const db = drizzle(env.DB);
  const own = eq(lenderNotices.lender_id, lender_id);
  const seen = db
    .select({ seq: lenderNotices.seq })
    .from(lenderNotices)
    .where(and(own, eq(lenderNotices.notice_id, cursor ?? "")));
  const after = cursor === null ? own : and(own, gt(lenderNotices.seq, sql`${seen}`));
  const [last_seen, rows] = await db
    .batch([
      seen,
      db
        .select()
        .from(lenderNotices)
        .where(after)
        .orderBy(asc(lenderNotices.seq))
        .limit(limit + 1),
    ])
    .catch((cause: unknown) => {
      throw unavailable(cause);
    });
  if (cursor !== null && last_seen.length === 0) throw invalid("cursor", "is not one of this feed");
  const page = rows.slice(0, limit);
  return {
    data: page.map(noticeBody),
    next_cursor: page.at(-1)?.notice_id ?? cursor,
    has_more: rows.length > limit,
  };
}

/** Forgets notices after 90 days, but not a lender's last one: it is the cursor of whoever is up to date. */
export async function purgeNotices(env: Env): Promise<void> {
  const db = drizzle(env.DB);
  const newest = db
    .select({ seq: max(lenderNotices.seq) })
    .from(lenderNotices)
    .groupBy(lenderNotices.lender_id);
  const before = new Date(nowMs() - KEEP_MS).toISOString();
  await db
    .delete(lenderNotices)
    .where(and(lt(lenderNotices.created_at, before), sql`${lenderNotices.seq} NOT IN ${newest}`));
}
