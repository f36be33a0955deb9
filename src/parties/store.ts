import { and, asc, eq, inArray, isNull, sql } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import { nowIso } from "../lib/seams.ts";
import { listed } from "../lib/sql.ts";
import { clients, distributors, lenders, notices } from "./tables.ts";

/** An OAuth client as the token endpoint needs it. */
export interface Client {
  client_id: string;
  kind: "lender" | "service";
  subject: string;
  secret_sha256: string;
  /** Space-separated. */
  scope: string;
  revoked: boolean;
}

/** The client with this id, revoked ones too; null if there is none. */
export async function findClient(env: Env, client_id: string): Promise<Client | null> {
  const row = await drizzle(env.DB).select().from(clients).where(eq(clients.client_id, client_id)).get();
  if (!row) return null;
  const { kind, subject, secret_sha256, scope, revoked_at } = row;
  return { client_id, kind, subject, secret_sha256, scope, revoked: revoked_at !== null };
}

/** The statement that finds one row if the client exists and is not revoked, for use in a `db.batch()`. */
export function activeClientSelect(db: DrizzleD1Database, client_id: string) {
  return db
    .select({ client_id: clients.client_id })
    .from(clients)
    .where(and(eq(clients.client_id, client_id), isNull(clients.revoked_at)));
}

/** Marks a client revoked; the first time stands. Returns whose it is, null if there is no such client. */
export async function markClientRevoked(
  env: Env,
  client_id: string,
): Promise<{ kind: "lender" | "service"; subject: string } | null> {
  const row = await drizzle(env.DB)
    .update(clients)
    .set({ revoked_at: sql`coalesce(${clients.revoked_at}, ${nowIso()})` })
    .where(eq(clients.client_id, client_id))
    .returning({ kind: clients.kind, subject: clients.subject })
    .get();
  return row ?? null;
}

/** Those of `ids` (at most 100) that are no lender, in the order given. */
export async function unknownLenders(env: Env, ids: string[]): Promise<string[]> {
  if (ids.length === 0) return [];
  const rows = await drizzle(env.DB)
    .select({ lender_id: lenders.lender_id })
    .from(lenders)
    .where(inArray(lenders.lender_id, ids));
  const known = new Set(rows.map((row) => row.lender_id));
  return ids.filter((id) => !known.has(id));
}

/** True if there is a distributor with this id. */
export async function distributorExists(env: Env, distributor_id: string): Promise<boolean> {
  const row = await drizzle(env.DB)
    .select({ distributor_id: distributors.distributor_id })
    .from(distributors)
    .where(eq(distributors.distributor_id, distributor_id))
    .get();
  return row !== undefined;
}

/** The names of a distributor and of lenders (at most 100, in the order given); an unknown one keeps its id. */
export async function partyNames(
  env: Env,
  distributor_id: string,
  lender_ids: readonly string[],
): Promise<{ distributor: string; lenders: string[] }> {
  const db = drizzle(env.DB);
  const [[distributor], rows] = await db.batch([
    db
      .select({ name: distributors.name })
      .from(distributors)
      .where(eq(distributors.distributor_id, distributor_id)),
    db
      .select({ lender_id: lenders.lender_id, name: lenders.name })
      .from(lenders)
      .where(inArray(lenders.lender_id, [...lender_ids])),
  ]);
  const names = new Map(rows.map((row) => [row.lender_id, row.name]));
  return {
    distributor: distributor?.name ?? distributor_id,
    lenders: lender_ids.map((id) => names.get(id) ?? id),
  };
}

/** The names of distributors and lenders by their ids; unknown ids are left out. */
export async function namesById(env: Env, ids: readonly string[]): Promise<Map<string, string>> {
  const db = drizzle(env.DB);
  const found = await db.batch([
    db
      .select({ id: distributors.distributor_id, name: distributors.name })
      .from(distributors)
      .where(inArray(distributors.distributor_id, listed(ids))),
    db
      .select({ id: lenders.lender_id, name: lenders.name })
      .from(lenders)
      .where(inArray(lenders.lender_id, listed(ids))),
  ]);
  return new Map(found.flat().map(({ id, name }) => [id, name]));
}

/** A consent notice; `sha256` is the hex digest of the text in UTF-8. */
export interface Notice {
  notice_id: string;
  notice_version: string;
  language: string;
  sha256: string;
  text: string;
}

const noticeColumns = {
  notice_id: notices.notice_id,
  notice_version: notices.notice_version,
  language: notices.language,
  sha256: notices.sha256,
  text: notices.text,
};

/**
 * A notice in force, in `language` (compared without case); without a language the first one of that version by language
 * tag. Null if it is unknown or withdrawn.
 */
export async function findNotice(
  env: Env,
  notice_id: string,
  notice_version: string,
  language?: string,
): Promise<Notice | null> {
  const row = await drizzle(env.DB)
    .select(noticeColumns)
    .from(notices)
    .where(
      and(
        eq(notices.notice_id, notice_id),
        eq(notices.notice_version, notice_version),
        isNull(notices.withdrawn_at),
        language === undefined ? undefined : sql`lower(${notices.language}) = ${language.toLowerCase()}`,
      ),
    )
    .orderBy(asc(notices.language))
    .limit(1)
    .get();
  return row ?? null;
}

/** All notices in force, by id, version and language. */
export async function noticesInForce(env: Env): Promise<Notice[]> {
  return drizzle(env.DB)
    .select(noticeColumns)
    .from(notices)
    .where(isNull(notices.withdrawn_at))
    .orderBy(asc(notices.notice_id), asc(notices.notice_version), asc(notices.language));
}

/** The notices with these texts (SHA-256 in hex), withdrawn ones too; by id, version and language. */
export function noticesBySha256(env: Env, sha256s: readonly string[]): Promise<Notice[]> {
  return drizzle(env.DB)
    .select(noticeColumns)
    .from(notices)
    .where(inArray(notices.sha256, listed(sha256s)))
    .orderBy(asc(notices.notice_id), asc(notices.notice_version), asc(notices.language))
    .all();
}
