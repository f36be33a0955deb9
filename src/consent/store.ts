import { and, asc, desc, eq, getTableColumns, gt, inArray, max, type SQL, sql } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import { nowIso } from "../lib/seams.ts";
import { listed } from "../lib/sql.ts";
import { retailerOfGstinSelect } from "../retailers/store.ts";
import {
  type ChainHead,
  type ChangeAct,
  type ConsentRecord,
  EMPTY_CHAIN,
  openRecord,
  type SealedRecord,
} from "./record.ts";
import { consentEvidence, consentRecords, consents } from "./tables.ts";

export type ConsentRow = typeof consents.$inferSelect;
export type EvidenceRow = typeof consentEvidence.$inferSelect;
type Statement = BatchItem<"sqlite">;

/** The consents of one act have one time: among them the order of writing counts. */
const newestFirst = [desc(consents.granted_at), desc(sql`${consents}.rowid`)];

/** True if the error, or what caused it, is a unique index saying that somebody else was first. */
export function isUniqueViolation(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause.message.includes("UNIQUE constraint failed")) return true;
  }
  return false;
}

/** The act that a message served as evidence for, or undefined. */
export function findEvidence(env: Env, wa_message_id: string): Promise<EvidenceRow | undefined> {
  return drizzle(env.DB)
    .select()
    .from(consentEvidence)
    .where(eq(consentEvidence.wa_message_id, wa_message_id))
    .get();
}

/** The last record of a retailer's chain. */
export async function chainHead(env: Env, chain_retailer_id: string): Promise<ChainHead> {
  const head = await drizzle(env.DB)
    .select({ seq: consentRecords.seq, record_hash: consentRecords.record_hash })
    .from(consentRecords)
    .where(eq(consentRecords.retailer_id, chain_retailer_id))
    .orderBy(desc(consentRecords.seq))
    .limit(1)
    .get();
  return head ?? EMPTY_CHAIN;
}

/** Which consents are meant: every field that is given must match. `retailer_id` is a canonical one. */
export interface ConsentFilter {
  consent_id?: string;
  consent_ids?: string[];
  chain_retailer_id?: string;
  retailer_id?: string;
  lender_id?: string;
}

function matching(filter: ConsentFilter): SQL | undefined {
  return and(
    filter.consent_id === undefined ? undefined : eq(consents.consent_id, filter.consent_id),
    filter.consent_ids === undefined ? undefined : inArray(consents.consent_id, listed(filter.consent_ids)),
    filter.chain_retailer_id === undefined
      ? undefined
      : eq(consents.chain_retailer_id, filter.chain_retailer_id),
    filter.retailer_id === undefined ? undefined : eq(consents.retailer_id, filter.retailer_id),
    filter.lender_id === undefined ? undefined : eq(consents.lender_id, filter.lender_id),
  );
}

/**
 * The consents that match, oldest first, with the heads of their chains as of the same moment: an append after
 * these heads succeeds only if none of the consents changed meanwhile, because every change appends a record.
 */
export async function consentsWithHeads(
  env: Env,
  filter: ConsentFilter,
): Promise<{ rows: ConsentRow[]; heads: Map<string, ChainHead> }> {
  const db = drizzle(env.DB);
  const chains = db.select({ id: consents.chain_retailer_id }).from(consents).where(matching(filter));
  // One batch is one transaction, so both selects see the same state.
  const [rows, heads] = await db.batch([
    db
      .select()
      .from(consents)
      .where(matching(filter))
      .orderBy(asc(consents.granted_at), asc(sql`${consents}.rowid`)),
    db
      .select({
        retailer_id: consentRecords.retailer_id,
        seq: max(consentRecords.seq),
        // SQLite takes the other columns from the row that has the maximum.
        record_hash: consentRecords.record_hash,
      })
      .from(consentRecords)
      .where(inArray(consentRecords.retailer_id, chains))
      .groupBy(consentRecords.retailer_id),
  ]);
  return {
    rows,
    heads: new Map(
      heads.map(({ retailer_id, seq, record_hash }) => [retailer_id, { seq: seq ?? 0, record_hash }]),
    ),
  };
}

/** The lender of each of these consents, whatever their state; unknown ids are left out. */
export function lendersById(
  env: Env,
  consent_ids: readonly string[],
): Promise<{ consent_id: string; lender_id: string }[]> {
  return drizzle(env.DB)
    .select({ consent_id: consents.consent_id, lender_id: consents.lender_id })
    .from(consents)
    .where(inArray(consents.consent_id, listed(consent_ids)))
    .all();
}

/** Where a consent stands by its newest record: what a gate has to know of it. */
export interface Standing {
  consent_id: string;
  lender_id: string;
  retailer_id: string;
  expires_at: string;
  /** Number of that record in the consent's chain: what is newer has a higher one. */
  record_seq: number;
  active: boolean;
}

/** Where these consents stand; unknown ids are left out. */
export async function standingsOf(env: Env, consent_ids: readonly string[]): Promise<Standing[]> {
  if (consent_ids.length === 0) return [];
  const rows = await drizzle(env.DB)
    .select({
      consent_id: consents.consent_id,
      lender_id: consents.lender_id,
      retailer_id: consents.retailer_id,
      expires_at: consents.expires_at,
      status: consents.status,
      record_seq: max(consentRecords.seq),
    })
    .from(consents)
    .innerJoin(consentRecords, eq(consentRecords.consent_id, consents.consent_id))
    .where(inArray(consents.consent_id, listed(consent_ids)))
    .groupBy(consents.consent_id);
  return rows.map(({ status, record_seq, ...row }) => ({
    ...row,
    record_seq: record_seq ?? 0,
    active: status === "ACTIVE",
  }));
}

/** A lender's active, unexpired consents of a retailer (canonical id), newest first; by D1, never a cache. */
export function activeConsents(env: Env, lender_id: string, retailer_id: string): Promise<ConsentRow[]> {
  return drizzle(env.DB)
    .select()
    .from(consents)
    .where(and(eq(consents.retailer_id, retailer_id), eq(consents.lender_id, lender_id), isActive()))
    .orderBy(...newestFirst)
    .all();
}

/** The same for the retailer of a GSTIN (by its blind index): one query, whether the GSTIN is known or not. */
export function activeConsentsOfGstin(
  env: Env,
  lender_id: string,
  gstin_index: string,
): Promise<ConsentRow[]> {
  const db = drizzle(env.DB);
  return db
    .select()
    .from(consents)
    .where(
      and(
        inArray(consents.retailer_id, retailerOfGstinSelect(db, gstin_index)),
        eq(consents.lender_id, lender_id),
        isActive(),
      ),
    )
    .orderBy(...newestFirst)
    .all();
}

/** The newest paused, unexpired consent of a lender for a retailer (canonical id), or undefined. */
export function pausedConsent(
  env: Env,
  lender_id: string,
  retailer_id: string,
): Promise<ConsentRow | undefined> {
  return drizzle(env.DB)
    .select()
    .from(consents)
    .where(
      and(
        eq(consents.retailer_id, retailer_id),
        eq(consents.lender_id, lender_id),
        eq(consents.status, "PAUSED"),
        gt(consents.expires_at, nowIso()),
      ),
    )
    .orderBy(...newestFirst)
    .get();
}

/** Those of the retailers (canonical ids) that have an active, unexpired consent of any lender. */
export async function consentedAmong(env: Env, retailer_ids: readonly string[]): Promise<string[]> {
  const rows = await drizzle(env.DB)
    .selectDistinct({ retailer_id: consents.retailer_id })
    .from(consents)
    .where(and(inArray(consents.retailer_id, listed(retailer_ids)), isActive()));
  return rows.map((row) => row.retailer_id);
}

/** A page of the retailers with an active, unexpired consent: ids greater than `after`, in order. */
export async function consentedAfter(env: Env, after: string, limit: number): Promise<string[]> {
  const rows = await drizzle(env.DB)
    .selectDistinct({ retailer_id: consents.retailer_id })
    .from(consents)
    .where(and(gt(consents.retailer_id, after), isActive()))
    .orderBy(asc(consents.retailer_id))
    .limit(limit);
  return rows.map((row) => row.retailer_id);
}

/** The lenders with an active, unexpired consent of a retailer (canonical id). */
export function activeLendersSelect(db: DrizzleD1Database, retailer_id: string) {
  return db
    .selectDistinct({ lender_id: consents.lender_id })
    .from(consents)
    .where(and(eq(consents.retailer_id, retailer_id), isActive()));
}

/** ISO instants of one form compare as texts. */
function isActive(): SQL | undefined {
  return and(eq(consents.status, "ACTIVE"), gt(consents.expires_at, nowIso()));
}

/** The records of the chains of these retailers: chain by chain, oldest first. */
export async function recordsOf(env: Env, retailer_ids: readonly string[]): Promise<ConsentRecord[]> {
  const rows = await drizzle(env.DB)
    .select()
    .from(consentRecords)
    .where(inArray(consentRecords.retailer_id, listed(retailer_ids)))
    .orderBy(asc(consentRecords.retailer_id), asc(consentRecords.seq));
  const chains = Map.groupBy(rows, (row) => row.retailer_id);
  return [...chains.values()]
    .sort(([a], [b]) => (a && b ? a.created_at.localeCompare(b.created_at) : 0))
    .flatMap((chain) => chain.map(openRecord));
}

/** The record of each of these consents' grants, by consent_id. */
export async function grantRecordsOf(
  env: Env,
  consent_ids: readonly string[],
): Promise<Map<string, ConsentRecord>> {
  const rows = await drizzle(env.DB)
    .select()
    .from(consentRecords)
    .where(inArray(consentRecords.consent_id, listed(consent_ids)))
    .orderBy(desc(consentRecords.seq));
  // The grant is a consent's first record: in descending order the last to be put into the map.
  return new Map(rows.map((row) => [row.consent_id, openRecord(row)]));
}

/** The newest record of each of these consents, oldest grant first. */
export async function lastRecordsOf(env: Env, consent_ids: readonly string[]): Promise<ConsentRecord[]> {
  const rows = await drizzle(env.DB)
    // SQLite takes the other columns from the row that has the maximum.
    .select({ ...getTableColumns(consentRecords), newest: max(consentRecords.seq) })
    .from(consentRecords)
    .innerJoin(consents, eq(consents.consent_id, consentRecords.consent_id))
    .where(inArray(consentRecords.consent_id, listed(consent_ids)))
    .groupBy(consentRecords.consent_id)
    .orderBy(asc(consents.granted_at), asc(sql`${consents}.rowid`));
  return rows.map(openRecord);
}

/** Statements that append sealed records; the batch fails if another writer took one of the numbers. */
export function recordInserts(db: DrizzleD1Database, records: readonly SealedRecord[]): Statement[] {
  const created_at = nowIso();
  return records.map((record) => db.insert(consentRecords).values({ ...record, created_at }));
}

/** Statements that add new consents to the projection. */
export function consentInserts(db: DrizzleD1Database, rows: readonly ConsentRow[]): Statement[] {
  return rows.map((row) => db.insert(consents).values(row));
}

/** Statement that notes a message as evidence; the batch fails if it served before. */
export function evidenceInsert(db: DrizzleD1Database, row: Omit<EvidenceRow, "created_at">): Statement {
  return db.insert(consentEvidence).values({ ...row, created_at: nowIso() });
}

/**
 * Statement that brings a consent's projection in line with a change. It stands in the batch that appends the record
 * after the head that was read, so nothing has changed the consent since.
 */
export function statusUpdate(
  db: DrizzleD1Database,
  consent_id: string,
  { status, at }: Pick<ChangeAct, "status" | "at">,
): Statement {
  const revoked_at = status === "REVOKED" || status === "EXPIRED" ? at : null;
  return db.update(consents).set({ status, revoked_at }).where(eq(consents.consent_id, consent_id));
}

/** Statement that lets the consents of one retailer follow it into another; the records stay in their chain. */
export function moveUpdate(db: DrizzleD1Database, from_retailer_id: string, to_retailer_id: string) {
  return db
    .update(consents)
    .set({ retailer_id: to_retailer_id })
    .where(eq(consents.retailer_id, from_retailer_id));
}

/** Runs statements as one transaction. */
export async function runBatch(db: DrizzleD1Database, statements: Statement[]): Promise<void> {
  const [first, ...rest] = statements;
  if (first) await db.batch([first, ...rest]);
}
