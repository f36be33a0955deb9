import { and, eq, inArray } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { parseEnv } from "../config.ts";
import type { Env } from "../env.ts";
import { causeText } from "../lib/cause.ts";
import { listed } from "../lib/sql.ts";
import { e164Index } from "../retailers/blind-index.ts";
import { knownPhone, releaseWaiting, sendDue } from "./outbox.ts";
import { waOutbox } from "./tables.ts";

const COUNTRY_CODE = "91";
const PHONE = /^[6-9]\d{9}$/;

/**
 * Sends the texts that waited for one of the phones that a distributor's batch names; for `ctx.waitUntil`. The numbers
 * are in memory for the batch's own sake. What fails is left to the next batch.
 */
export async function phonesNamed(env: Env, records: readonly unknown[]): Promise<void> {
  try {
    const config = parseEnv(env);
    const phones = new Set(records.flatMap(phoneOf));
    const digits_of = new Map(
      [...phones].map((phone) => [e164Index(config, COUNTRY_CODE + phone), COUNTRY_CODE + phone]),
    );
    if (digits_of.size === 0) return;
    const db = drizzle(env.DB);
    const waiting = await db
      .selectDistinct({ phone_hash: waOutbox.phone_hash })
      .from(waOutbox)
      .where(and(inArray(waOutbox.phone_hash, listed([...digits_of.keys()])), eq(waOutbox.state, "waiting")));
    for (const { phone_hash } of waiting) {
      await releaseWaiting(db, await knownPhone(env, phone_hash, digits_of.get(phone_hash) as string));
    }
    if (waiting.length > 0) await sendDue(env);
  } catch (cause) {
    console.error(JSON.stringify({ task: "whatsapp texts that wait", cause: causeText(cause) }));
  }
}

/** The phone of an invoice as the distributor sent it, whatever else is wrong with it. */
function phoneOf(record: unknown): string[] {
  if (typeof record !== "object" || record === null || !("retailer_phone" in record)) return [];
  const phone = String(record.retailer_phone).trim();
  return PHONE.test(phone) ? [phone] : [];
}
