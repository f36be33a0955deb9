import { desc, eq, inArray, or, sql } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import type { Language } from "../http/language.ts";
import { phonesBeside, phonesOfRetailer, retailersOfPhoneSelect } from "../retailers/store.ts";
import type { Chat, Invitation } from "./dialogue.ts";
import { waConversations, waGrants, waInvitations, waNotices } from "./tables.ts";

export type InvitationRow = typeof waInvitations.$inferSelect;
/** An invitation with all its terms. */
export type FullInvitation = Invitation & InvitationRow;

/** What D1 knows of a phone. */
export interface LoadedChat extends Chat {
  invitations: readonly FullInvitation[];
  /** The retailers that the phone names. */
  retailer_ids: readonly string[];
  /** The consents that came of this phone's invitations, with when they were allowed (s). */
  grants: readonly { consent_ids: readonly string[]; invitation_id: string }[];
}

/** Reads a phone's chat as of one moment; `assumed` is the language while none is known. */
export async function loadChat(env: Env, phone_hash: string, assumed: Language): Promise<LoadedChat> {
  const db = drizzle(env.DB);
  const own = db
    .select({ invitation_id: waInvitations.invitation_id })
    .from(waInvitations)
    .where(eq(waInvitations.phone_hash, phone_hash));
  const [conversations, invitations, notices, grants, retailers, [stops]] = await db.batch([
    db.select().from(waConversations).where(eq(waConversations.phone_hash, phone_hash)),
    db
      .select()
      .from(waInvitations)
      .where(eq(waInvitations.phone_hash, phone_hash))
      .orderBy(desc(waInvitations.invited_s), desc(sql`rowid`)),
    db.select().from(waNotices).where(inArray(waNotices.invitation_id, own)).orderBy(sql`rowid`),
    db.select().from(waGrants).where(inArray(waGrants.invitation_id, own)),
    retailersOfPhoneSelect(db, phone_hash),
    db.select({ stopped_s: stoppedSelect(phone_hash) }).from(sql`(SELECT 1)`),
  ]);
  const [conversation] = conversations;
  return {
    language: conversation?.language ?? assumed,
    language_s: conversation?.language_s ?? 0,
    stopped_s: stops?.stopped_s ?? 0,
    retailer_ids: retailers.map((row) => row.canonical),
    invitations: invitations.map((row) => ({
      ...row,
      notices: notices.filter((notice) => notice.invitation_id === row.invitation_id),
    })),
    grants: grants.map(({ invitation_id, consent_ids }) => ({
      invitation_id,
      consent_ids: JSON.parse(consent_ids) as string[],
    })),
  };
}

/** The last STOP by this phone or another one of the same retailers, as SQL. */
function stoppedSelect(phone_hash: string) {
  return sql<number | null>`(SELECT max(c.stopped_s) FROM ${waConversations} c
    WHERE c.phone_hash = ${phone_hash} OR c.phone_hash IN ${phonesBeside(phone_hash)})`;
}

/**
 * Statements that write what was heard. Every field moves forward only, by SQL, so writers in parallel end in the
 * same state whatever their order.
 */
export function chatUpdates(
  db: DrizzleD1Database,
  conversation: typeof waConversations.$inferSelect,
  changed: readonly Invitation[],
): BatchItem<"sqlite">[] {
  const c = waConversations;
  const newer = sql`(excluded.language_s > ${c.language_s}
    OR (excluded.language_s = ${c.language_s} AND excluded.language > ${c.language}))`;
  return [
    db
      .insert(c)
      .values(conversation)
      .onConflictDoUpdate({
        target: c.phone_hash,
        set: {
          language: sql`CASE WHEN ${newer} THEN excluded.language ELSE ${c.language} END`,
          language_s: sql`max(${c.language_s}, excluded.language_s)`,
          heard_s: sql`max(${c.heard_s}, excluded.heard_s)`,
          stopped_s: sql`max(${c.stopped_s}, excluded.stopped_s)`,
        },
      }),
    ...changed.map(({ invitation_id, allowed_s, denied_s, asks }) =>
      db
        .update(waInvitations)
        .set({
          // min() and max() of SQLite are null as soon as one of their values is.
          allowed_s: sql`coalesce(min(${waInvitations.allowed_s}, ${allowed_s}), ${waInvitations.allowed_s}, ${allowed_s})`,
          denied_s: sql`coalesce(max(${waInvitations.denied_s}, ${denied_s}), ${waInvitations.denied_s}, ${denied_s})`,
          asks: sql`max(${waInvitations.asks}, ${asks})`,
        })
        .where(eq(waInvitations.invitation_id, invitation_id)),
    ),
  ];
}

/**
 * Statement for a grant's own transaction: notes its consents, and makes the whole transaction fail if by now the
 * invitation does not stand any more or has led to a grant already. So a STOP that was answered is never
 * overtaken by a grant that was on its way.
 */
export function grantGuard(
  db: DrizzleD1Database,
  invitation: { invitation_id: string; phone_hash: string },
  granted: { retailer_id: string; consent_ids: readonly string[] },
) {
  const { invitation_id, phone_hash } = invitation;
  const { retailer_id, consent_ids } = granted;
  return db.insert(waGrants).select(
    sql`SELECT ${invitation_id}, ${retailer_id}, CASE WHEN
          i.allowed_s > max(coalesce(i.denied_s, 0), coalesce((
            SELECT max(c.stopped_s) FROM ${waConversations} c
            WHERE c.phone_hash = ${phone_hash} OR c.phone_hash IN ${phonesOfRetailer(retailer_id)}), 0))
          AND NOT EXISTS (SELECT 1 FROM ${waGrants} g WHERE g.invitation_id = ${invitation_id})
        THEN ${JSON.stringify(consent_ids)} END
        FROM ${waInvitations} i WHERE i.invitation_id = ${invitation_id}`,
  );
}

/** When each of these consents was allowed in a chat (message time, s); those of other channels are left out. */
export async function allowedTimes(env: Env, retailer_id: string): Promise<Map<string, number>> {
  const rows = await drizzle(env.DB)
    .select({ consent_ids: waGrants.consent_ids, allowed_s: waInvitations.allowed_s })
    .from(waInvitations)
    .innerJoin(waGrants, eq(waGrants.invitation_id, waInvitations.invitation_id))
    .where(
      or(
        inArray(waInvitations.phone_hash, phonesOfRetailer(retailer_id)),
        eq(waGrants.retailer_id, retailer_id),
      ),
    );
  return new Map(
    rows.flatMap(({ consent_ids, allowed_s }) =>
      (JSON.parse(consent_ids) as string[]).map((id) => [id, allowed_s ?? 0] as const),
    ),
  );
}
