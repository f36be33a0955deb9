import { and, desc, eq, gte, inArray, isNotNull, like, lt, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import { nowIso } from "../lib/seams.ts";
import { listed } from "../lib/sql.ts";
import type { Link } from "./chain.ts";
import { type AuditEvent, auditEventOf } from "./rows.ts";
import { auditEvents, auditStreams } from "./tables.ts";

/** Copies rows of one stream to D1, and registers the stream; rows that are there already are left alone. */
export async function storeRows(env: Env, stream: string, links: readonly Link[]): Promise<void> {
  const db = drizzle(env.DB);
  const rows = JSON.stringify(links.map(auditEventOf));
  await db.batch([
    db.insert(auditStreams).values({ stream, registered_at: nowIso() }).onConflictDoNothing(),
    db
      .insert(auditEvents)
      .select(sql`
        SELECT value->>'$.stream', value->>'$.seq', value->>'$.at', value->>'$.type', value->>'$.actor_kind',
          value->>'$.actor_id', value->>'$.subject', value->>'$.outcome', value->>'$.canonical', value->>'$.row_hash'
        FROM json_each(${rows}) WHERE true`)
      .onConflictDoNothing(),
  ]);
}

/** What to look for; every field that is given must match. `from` and `until` (exclusive) are ISO 8601 UTC. */
export interface AuditFilter {
  stream?: string;
  type?: string;
  actor_id?: string;
  subject?: string;
  from?: string;
  until?: string;
}

/** A page of rows, newest first; `next` is the cursor of the following page, null on the last. */
export interface AuditPage<Row> {
  events: Row[];
  next: string | null;
}

const PAGE = 100;

/** The rows that match, newest first, 100 a page. Throws RangeError for a cursor that no page gave. */
export async function auditEventsPage(
  env: Env,
  filter: AuditFilter,
  cursor: string | null = null,
): Promise<AuditPage<AuditEvent>> {
  return page(env, cursor, [
    filter.stream === undefined ? undefined : eq(auditEvents.stream, filter.stream),
    filter.type === undefined ? undefined : eq(auditEvents.type, filter.type),
    filter.actor_id === undefined ? undefined : eq(auditEvents.actor_id, filter.actor_id),
    filter.subject === undefined ? undefined : eq(auditEvents.subject, filter.subject),
    filter.from === undefined ? undefined : gte(auditEvents.at, filter.from),
    filter.until === undefined ? undefined : lt(auditEvents.at, filter.until),
  ]);
}

/** Who saw, or asked to see, what a retailer's score says, and when. */
export interface Access {
  lender_id: string;
  at: string;
  /** score, history or lookup. */
  route: string;
  /** `OK` if something was disclosed, else why nothing was. */
  outcome: string;
  purpose: string | null;
}

/** The accesses to a retailer (all its ids), newest first, 100 a page; as late as the copy in D1: some seconds. */
export async function accessesOf(
  env: Env,
  retailer_ids: readonly string[],
  cursor: string | null = null,
): Promise<AuditPage<Access>> {
  const found = await page(env, cursor, [
    inArray(auditEvents.subject, listed(retailer_ids)),
    like(auditEvents.type, "access.%"),
    isNotNull(auditEvents.actor_id),
  ]);
  const events = found.events.map(({ actor_id, at, type, outcome, canonical }) => {
    const { purpose } = JSON.parse(canonical) as { purpose: string | null };
    return { lender_id: actor_id as string, at, route: type.slice("access.".length), outcome, purpose };
  });
  return { events, next: found.next };
}

async function page(
  env: Env,
  cursor: string | null,
  conditions: (SQL | undefined)[],
): Promise<AuditPage<AuditEvent>> {
  const { at, stream, seq } = auditEvents;
  const rows = await drizzle(env.DB)
    .select()
    .from(auditEvents)
    .where(
      and(...conditions, cursor === null ? undefined : sql`(${at}, ${stream}, ${seq}) < ${before(cursor)}`),
    )
    .orderBy(desc(at), desc(stream), desc(seq))
    .limit(PAGE + 1);
  const events = rows.slice(0, PAGE) as AuditEvent[];
  const last = events.at(-1);
  return { events, next: rows.length > PAGE && last ? `${last.at} ${last.stream} ${last.seq}` : null };
}

function before(cursor: string): SQL {
  const [at, stream, seq] = cursor.split(" ");
  if (at === undefined || stream === undefined || !/^\d+$/.test(seq ?? ""))
    throw new RangeError("no such cursor");
  return sql`(${at}, ${stream}, ${Number(seq)})`;
}
