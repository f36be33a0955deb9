import type { Miniflare } from "miniflare";

/** A message of ours to one phone, as the outbox keeps it. */
export interface SentMessage {
  kind: string;
  language: "en" | "hi";
  state: "waiting" | "pending" | "sent" | "failed";
  /** JSON of a MessageContent. */
  content: string;
  wamid: string | null;
  created_at: string;
  instance_id: string | null;
  /** The text of the notice that it shows, with its {{1}} to {{3}}. */
  notice_text: string | null;
}

/** A phone's chat, and whether everything that it wrote has been worked off and answered. */
export interface StoredChat {
  sent: SentMessage[];
  settled: boolean;
}

const SENT = `
  SELECT o.kind, o.language, o.state, o.content, o.wamid, o.created_at, o.instance_id, n.text AS notice_text
  FROM wa_outbox o
  LEFT JOIN wa_notices w ON w.instance_id = o.instance_id
  LEFT JOIN wa_invitations i ON i.invitation_id = w.invitation_id
  LEFT JOIN notices n ON n.notice_id = i.notice_id AND n.notice_version = i.notice_version AND n.language = o.language
  WHERE o.phone_hash = ? ORDER BY o.created_at, o.rowid`;
const UNSETTLED = `
  SELECT (SELECT count(*) FROM wa_inbox WHERE phone_hash = ?1 AND done_at IS NULL)
    + (SELECT count(*) FROM wa_outbox WHERE phone_hash = ?1 AND state = 'pending') AS open`;

/** Reads what was sent to a phone (by its keyed hash), oldest first; for showing a local conversation only. */
export async function readChat(mf: Miniflare, phone_hash: string): Promise<StoredChat> {
  const database = await mf.getD1Database("DB", "altscore");
  const { results } = await database.prepare(SENT).bind(phone_hash).all<SentMessage>();
  const row = await database.prepare(UNSETTLED).bind(phone_hash).first<{ open: number }>();
  return { sent: results, settled: row?.open === 0 };
}
