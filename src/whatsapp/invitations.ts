import { eq, sql } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import { appendAudit } from "../audit/log.ts";
import { parseEnv } from "../config.ts";
import { latestExpiryMs } from "../consent/terms.ts";
import type { Env } from "../env.ts";
import { AppError } from "../http/errors.ts";
import type { Language } from "../http/language.ts";
import { invalid } from "../http/validation.ts";
import { newId, nowMs, randomHex } from "../lib/seams.ts";
import { distributorExists, findNotice, partyNames, unknownLenders } from "../parties/store.ts";
import { e164Index } from "../retailers/blind-index.ts";
import { canonicalRetailer, retailersOfPhone } from "../retailers/store.ts";
import { type MessageContent, templateName } from "./content.ts";
import { type InvitationRow, loadChat } from "./conversation.ts";
import { isOpen } from "./dialogue.ts";
import { payloadOf } from "./intent.ts";
import { type KnownPhone, knownPhone, replyInserts } from "./outbox.ts";
import type { InvitationAnswer, InvitationBody } from "./schemas.ts";
import { waConversations, waInvitations, waNotices } from "./tables.ts";
import { dayInWords } from "./texts.ts";

/** How long an invitation can be answered: as long as Meta goes on delivering the answer. */
const ANSWER_WITHIN_S = 7 * 86_400;
const COUNTRY_CODE = "91";
const INSTANCE_BYTES = 16;

/** An invitation that was written, or the open one with the same terms. */
export interface Invited {
  repeated: boolean;
  answer: InvitationAnswer;
}

/**
 * Invites a phone to consent: the notice goes to the outbox in the language asked for. The number is in memory here
 * and sealed in the outbox row until that is sent. The same terms while an invitation is open are the same invitation.
 * Throws ADULT_REQUIRED, NOTICE_UNKNOWN (it must be in force in English and Hindi), UNKNOWN_PARTY,
 * AMBIGUOUS_RETAILER, RETAILER_NOT_FOUND (the phone does not name that retailer), INVALID_REQUEST.
 */
export async function inviteRetailer(env: Env, body: InvitationBody, invited_by: string): Promise<Invited> {
  await check(env, body);
  const digits = COUNTRY_CODE + body.retailer_phone;
  const phone_hash = e164Index(parseEnv(env), digits);
  const retailer_id = await nameRetailer(env, body.retailer_id, phone_hash);
  const now_s = Math.floor(nowMs() / 1000);
  const terms = {
    retailer_id,
    distributor_id: body.distributor_id,
    lender_ids: JSON.stringify([...new Set(body.lender_ids)]),
    purposes: JSON.stringify([...new Set(body.purposes)]),
    notice_id: body.notice_id,
    notice_version: body.notice_version,
  };
  const open = await openInvitation(env, phone_hash, terms, now_s);
  if (open) return { repeated: true, answer: answerOf(open) };
  const row: InvitationRow = {
    ...terms,
    invitation_id: newId("inv"),
    phone_hash,
    expires_at: body.expires_at ?? new Date(latestExpiryMs(nowMs())).toISOString(),
    invited_by,
    invited_s: now_s,
    answer_by_s: now_s + ANSWER_WITHIN_S,
    sole: true,
    allowed_s: null,
    denied_s: null,
    asks: 0,
  };
  const db = drizzle(env.DB);
  const phone = await knownPhone(env, phone_hash, digits);
  const c = waConversations;
  await db.batch([
    db
      .insert(c)
      .values({ phone_hash, language: body.language })
      // What the retailer chose stays; what was only assumed follows the newest invitation.
      .onConflictDoUpdate({
        target: c.phone_hash,
        set: { language: body.language },
        setWhere: eq(c.language_s, 0),
      }),
    db.insert(waInvitations).values({ ...row, sole: soleSelect(phone_hash, now_s) }),
    ...(await noticeStatements(env, db, phone, row, body.language)),
  ]);
  await appendAudit(env, {
    type: "consent.invited",
    actor: { kind: "service", id: invited_by },
    subject: row.invitation_id,
    outcome: "queued",
    details: { distributor_id: row.distributor_id, notice_id: row.notice_id, language: body.language },
  });
  return { repeated: false, answer: answerOf(row) };
}

/**
 * Statements that show an invitation's notice in a language: a single-use notice instance and its message. At most
 * one per language; a second one changes nothing.
 */
export async function noticeStatements(
  env: Env,
  db: DrizzleD1Database,
  phone: KnownPhone,
  invitation: InvitationRow,
  language: Language,
): Promise<[BatchItem<"sqlite">, ...BatchItem<"sqlite">[]]> {
  const { invitation_id, notice_id, notice_version, distributor_id, expires_at } = invitation;
  const names = await partyNames(env, distributor_id, JSON.parse(invitation.lender_ids) as string[]);
  const instance_id = randomHex(INSTANCE_BYTES);
  const content: MessageContent = {
    type: "template",
    name: templateName(notice_id, notice_version),
    parameters: [names.distributor, names.lenders.join(", "), dayInWords(expires_at, language)],
    payloads: (["GRANT", "DENY", "LANG"] as const).map((answer) => payloadOf(instance_id, answer)),
  };
  const message = {
    kind: "notice",
    language,
    content,
    dedupe_key: `notice/${invitation_id}/${language}`,
    retailer_id: null,
    instance_id,
  };
  return [
    db.insert(waNotices).values({ instance_id, invitation_id, language }).onConflictDoNothing(),
    replyInserts(db, phone, [message]),
  ];
}

async function check(env: Env, body: InvitationBody): Promise<void> {
  const now_ms = nowMs();
  const expires_ms = body.expires_at === undefined ? null : Date.parse(body.expires_at);
  if (expires_ms !== null && expires_ms <= now_ms) throw invalid("expires_at", "must be in the future");
  if (expires_ms !== null && expires_ms > latestExpiryMs(now_ms)) {
    throw invalid("expires_at", "must be at most 12 months from now");
  }
  if (!body.adult_declared) throw new AppError("ADULT_REQUIRED");
  const { notice_id, notice_version } = body;
  const [english, hindi, unknown_lenders, distributor_known] = await Promise.all([
    findNotice(env, notice_id, notice_version, "en"),
    findNotice(env, notice_id, notice_version, "hi"),
    unknownLenders(env, body.lender_ids),
    distributorExists(env, body.distributor_id),
  ]);
  if (!english || !hindi) throw new AppError("NOTICE_UNKNOWN");
  if (unknown_lenders.length > 0 || !distributor_known) throw new AppError("UNKNOWN_PARTY");
}

/** The retailer to be recorded, where the phone alone does not say; it must be one that the phone names. */
async function nameRetailer(env: Env, given: string | undefined, phone_hash: string): Promise<string | null> {
  const named = await retailersOfPhone(env, phone_hash);
  if (given === undefined) {
    if (named.length > 1) throw new AppError("AMBIGUOUS_RETAILER");
    return null;
  }
  const canonical = await canonicalRetailer(env, given);
  if (canonical === null || !named.includes(canonical)) throw new AppError("RETAILER_NOT_FOUND");
  return canonical;
}

type Terms = Pick<
  InvitationRow,
  "retailer_id" | "distributor_id" | "lender_ids" | "purposes" | "notice_id" | "notice_version"
>;

/** The invitation of these very terms that still waits for an answer. */
async function openInvitation(
  env: Env,
  phone_hash: string,
  terms: Terms,
  now_s: number,
): Promise<InvitationRow | undefined> {
  const chat = await loadChat(env, phone_hash, "en");
  return chat.invitations.find(
    (invitation) =>
      isOpen(invitation, chat.stopped_s, now_s) &&
      Object.entries(terms).every(([name, value]) => invitation[name as keyof Terms] === value),
  );
}

/** SQL: no other invitation of the phone waits for an answer. */
function soleSelect(phone_hash: string, now_s: number) {
  return sql<boolean>`NOT EXISTS (SELECT 1 FROM ${waInvitations} other WHERE other.phone_hash = ${phone_hash}
    AND other.allowed_s IS NULL AND other.denied_s IS NULL AND other.answer_by_s >= ${now_s})`;
}

function answerOf({ invitation_id, answer_by_s, expires_at }: InvitationRow): InvitationAnswer {
  return { invitation_id, answer_by: new Date(answer_by_s * 1000).toISOString(), expires_at };
}
