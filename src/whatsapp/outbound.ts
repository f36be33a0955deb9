import { sql } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import { newUuid, nowIso } from "../lib/seams.ts";
import { phonesOfRetailer } from "../retailers/store.ts";
import type { MessageContent } from "./content.ts";
import { waConversations, waOutbox } from "./tables.ts";

/** A text to a retailer's WhatsApp; it must not carry a score, an amount or a GSTIN. */
export interface OutboundText {
  retailer_id: string;
  /** What it is about, e.g. `consent.expires_soon`. */
  kind: string;
  language: "en" | "hi";
  text: string;
  /** The same key is written once. */
  dedupe_key: string;
}

/**
 * Statements that put texts into the outbox, for the batch of the change they tell of. Of several phones the one
 * heard last is meant; a retailer without a phone gets nothing. The number itself is not kept, so the text waits
 * until the retailer writes or a distributor's batch names the number (docs/adr/0015).
 */
export function outboundStatements(db: DrizzleD1Database, messages: readonly OutboundText[]) {
  if (messages.length === 0) return [];
  const rows = messages.map((message) => {
    const content: MessageContent = { type: "text", text: message.text };
    return { ...message, message_id: newUuid(), content: JSON.stringify(content) };
  });
  const phones = phonesOfRetailer(sql`v.value->>'$.retailer_id'`);
  return [
    db
      .insert(waOutbox)
      .select(
        sql`SELECT m->>'$.message_id', m->>'$.dedupe_key', phone_hash, NULL, m->>'$.retailer_id', m->>'$.kind',
              m->>'$.language', m->>'$.content', NULL, 'waiting', 0, 0, NULL, 0, NULL, ${nowIso()}, NULL
            FROM (SELECT v.value AS m, (
                SELECT p.phone_hash FROM ${phones} p
                LEFT JOIN ${waConversations} c ON c.phone_hash = p.phone_hash
                ORDER BY c.heard_s DESC LIMIT 1) AS phone_hash
              FROM json_each(${JSON.stringify(rows)}) v)
            WHERE phone_hash IS NOT NULL`,
      )
      .onConflictDoNothing(),
  ] as const;
}

/** The same at once, for a caller without a batch of its own. */
export async function queueMessages(env: Env, messages: readonly OutboundText[]): Promise<void> {
  const db = drizzle(env.DB);
  const [statement] = outboundStatements(db, messages);
  await statement;
}
