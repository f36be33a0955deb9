import { sql } from "drizzle-orm";
import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

/** Every message that was delivered, once: the row stays (without content) so that a second delivery is a no-op. */
export const waInbox = sqliteTable(
  "wa_inbox",
  {
    /** messages[].id. */
    wamid: text().primaryKey(),
    phone_hash: text().notNull(),
    /** The message's own time in Unix seconds, never later than its receipt. */
    at_s: integer().notNull(),
    /** The message with its sender, sealed (aad = wamid); gone once it is worked off. */
    sealed: text(),
    received_at: text().notNull(),
    /** Unix ms before which nobody takes the row up (it is being worked on, or failed a moment ago). */
    next_attempt_ms: integer().notNull(),
    attempts: integer().notNull().default(0),
    done_at: text(),
  },
  (t) => [
    index("wa_inbox_open").on(t.next_attempt_ms).where(sql`${t.done_at} IS NULL`),
    index("wa_inbox_done").on(t.done_at),
  ],
);

/** What a phone has said so far; every field only ever moves forward in the messages' own time. */
export const waConversations = sqliteTable("wa_conversations", {
  phone_hash: text().primaryKey(),
  language: text({ enum: ["en", "hi"] }).notNull(),
  /** When that language was chosen (message time, s); 0 if it was only assumed. */
  language_s: integer().notNull().default(0),
  /** The newest STOP (message time, s); 0 if there was none. */
  stopped_s: integer().notNull().default(0),
  /** The newest message of any kind (message time, s): opens Meta's 24 hours for free texts. */
  heard_s: integer().notNull().default(0),
});

/** A distributor's invitation of one phone, and the phone's answers to it. */
export const waInvitations = sqliteTable(
  "wa_invitations",
  {
    invitation_id: text().primaryKey(),
    phone_hash: text().notNull(),
    /** Given where the phone alone does not tell which shop is meant. */
    retailer_id: text(),
    distributor_id: text().notNull(),
    /** JSON arrays. */
    lender_ids: text().notNull(),
    purposes: text().notNull(),
    notice_id: text().notNull(),
    notice_version: text().notNull(),
    /** The end of the consent, as the notice states it. */
    expires_at: text().notNull(),
    invited_by: text().notNull(),
    invited_s: integer().notNull(),
    answer_by_s: integer().notNull(),
    /** No other invitation was open: only then is a typed yes clear. */
    sole: integer({ mode: "boolean" }).notNull(),
    /** The first Allow and the last refusal (message times, s). */
    allowed_s: integer(),
    denied_s: integer(),
    /** How often the phone was asked again. */
    asks: integer().notNull().default(0),
  },
  (t) => [index("wa_invitations_by_phone").on(t.phone_hash)],
);

/** One notice shown for an invitation, at most one per language; its id stands in the buttons' payloads. */
export const waNotices = sqliteTable(
  "wa_notices",
  {
    instance_id: text().primaryKey(),
    invitation_id: text().notNull(),
    language: text({ enum: ["en", "hi"] }).notNull(),
    /** The message it was sent as; null until then. */
    wamid: text(),
  },
  (t) => [uniqueIndex("wa_notices_one_per_language").on(t.invitation_id, t.language)],
);

/** The consents that an invitation led to; written in the grant's own transaction. */
export const waGrants = sqliteTable("wa_grants", {
  invitation_id: text().primaryKey(),
  retailer_id: text().notNull(),
  /** JSON array. NOT NULL on purpose: a grant that no longer stands when it is written fails here, as a whole. */
  consent_ids: text().notNull(),
});

/** Messages to send. The number lives here only, sealed (aad = phone_hash), and only until the message is sent. */
export const waOutbox = sqliteTable(
  "wa_outbox",
  {
    message_id: text().primaryKey(),
    /** The same message is written once, whoever writes it again. */
    dedupe_key: text().notNull().unique(),
    phone_hash: text().notNull(),
    sealed_phone: text(),
    retailer_id: text(),
    kind: text().notNull(),
    language: text({ enum: ["en", "hi"] }).notNull(),
    /** JSON of a MessageContent. */
    content: text().notNull(),
    /** The notice that this message shows. */
    instance_id: text(),
    /** `waiting`: until the number is heard again. */
    state: text({ enum: ["waiting", "pending", "sent", "failed"] }).notNull(),
    next_attempt_ms: integer().notNull(),
    attempts: integer().notNull().default(0),
    wamid: text(),
    /** 1 sent, 2 delivered, 3 read; from statuses[], in any order. */
    delivery: integer().notNull().default(0),
    /** Meta's error code of the last failure. */
    error_code: integer(),
    created_at: text().notNull(),
    sent_at: text(),
  },
  (t) => [
    index("wa_outbox_pending").on(t.next_attempt_ms).where(sql`${t.state} = 'pending'`),
    index("wa_outbox_by_phone").on(t.phone_hash),
    index("wa_outbox_by_wamid").on(t.wamid),
  ],
);
