import type { Env } from "../env.ts";
import { causeText } from "../lib/cause.ts";
import { nowMs } from "../lib/seams.ts";
import { type ChainHead, EMPTY_HEAD, type Link, nextLink } from "./chain.ts";
import { storeRows } from "./store.ts";
import type { AuditEntry } from "./types.ts";

/**
 * An audit stream inside a Durable Object. Its rows are in the object's own SQLite, so that they are written in the
 * transaction of what they tell of; copies go to D1 a little later and as often as it takes. The object's
 * migration makes `table` (seq, at_ms, canonical, row_hash) and `audit_flush` (one row: flushed_seq).
 */
export interface ObjectStream {
  sql: SqlStorage;
  /** Its name in the whole system, see rows.ts. */
  stream: string;
  table: "access_log" | "audit_log";
}

/** How long the copy in D1 may lag: rows are gathered for so long, or one D1 write would cost as much as each row. */
export const FLUSH_DELAY_MS = 5_000;
/** After a failure; the rows wait in the object. */
export const FLUSH_RETRY_MS = 30_000;
/** Keeps a page of the longest rows under the 2 MB that D1 takes as one parameter. */
const FLUSH_PAGE = 100;
const MAX_ROW_CHARACTERS = 8_000;

/**
 * Appends an entry; must run inside a transaction. A clock that steps back gives the time of the row before. Throws
 * RangeError for an entry of more than 8,000 characters.
 */
export function appendRow({ sql, stream, table }: ObjectStream, entry: Omit<AuditEntry, "event_id">): void {
  const [last] = sql
    .exec<{ seq: number; row_hash: string; at_ms: number }>(
      `SELECT seq, row_hash, at_ms FROM ${table} ORDER BY seq DESC LIMIT 1`,
    )
    .toArray();
  const head: ChainHead = last ?? EMPTY_HEAD;
  const at_ms = Math.max(nowMs(), last?.at_ms ?? 0);
  const { type, actor, subject, outcome, details } = entry;
  const seq = head.seq + 1;
  const row = { stream, seq, at: new Date(at_ms).toISOString(), type, actor, subject, outcome, details };
  const { canonical, row_hash } = nextLink(head.row_hash, row);
  if (canonical.length > MAX_ROW_CHARACTERS) throw new RangeError(`audit entry ${type} is too long`);
  sql.exec(
    `INSERT INTO ${table} (seq, at_ms, canonical, row_hash) VALUES (?, ?, ?, ?)`,
    seq,
    at_ms,
    canonical,
    row_hash,
  );
}

/** The rows after `after`, in order. */
export function readRows({ sql, table }: ObjectStream, after: number, limit: number): Link[] {
  return sql
    .exec<{ canonical: string; row_hash: string }>(
      `SELECT canonical, row_hash FROM ${table} WHERE seq > ? ORDER BY seq LIMIT ?`,
      after,
      limit,
    )
    .toArray();
}

/** True if there are rows that are not known to be in D1. */
export function hasUnflushed({ sql, table }: ObjectStream): boolean {
  const { waiting } = sql
    .exec<{ waiting: number }>(
      `SELECT EXISTS (SELECT 1 FROM ${table} WHERE seq > (SELECT flushed_seq FROM audit_flush)) AS waiting`,
    )
    .one();
  return waiting === 1;
}

/**
 * Copies all waiting rows to D1, oldest first; for the object's alarm. False if D1 failed: what is left is still
 * marked as waiting, and what was sent twice is stored once.
 */
export async function flushRows(env: Env, object: ObjectStream): Promise<boolean> {
  const { sql, stream } = object;
  try {
    while (hasUnflushed(object)) {
      const { flushed_seq } = sql.exec<{ flushed_seq: number }>("SELECT flushed_seq FROM audit_flush").one();
      const links = readRows(object, flushed_seq, FLUSH_PAGE);
      await storeRows(env, stream, links);
      sql.exec("UPDATE audit_flush SET flushed_seq = max(flushed_seq, ?)", flushed_seq + links.length);
    }
    return true;
  } catch (cause) {
    console.error(JSON.stringify({ task: "audit flush", stream, cause: causeText(cause) }));
    return false;
  }
}
