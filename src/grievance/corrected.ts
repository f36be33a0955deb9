import type { BatchItem } from "drizzle-orm/batch";
import type { DrizzleD1Database } from "drizzle-orm/d1";
import { lendersWithConsent } from "../consent/lookup.ts";
import type { Env } from "../env.ts";
import { newEvent } from "../events/envelope.ts";
import { outboxInsert } from "../events/outbox.ts";
import type { Language } from "../http/language.ts";
import { noticeStatements } from "../notifications/notify.ts";
import { outboundStatements } from "../whatsapp/outbound.ts";
import { textAbout } from "./texts.ts";

/** Data that was put right. */
export interface Correction {
  /** Canonical id. */
  retailer_id: string;
  /** The grievance or correction request that led to it. */
  about: string;
  language: Language;
  /** A lender that is told in other words. */
  except: string | null;
}

/**
 * Statements for the batch that records a correction: the score is computed again, and the retailer and every
 * lender with an active consent are told. Lenders learn that it happened, not who had complained.
 */
export async function correctionStatements(
  env: Env,
  db: DrizzleD1Database,
  { retailer_id, about, language, except }: Correction,
): Promise<BatchItem<"sqlite">[]> {
  const { lender_ids, isConsented } = await lendersWithConsent(env, retailer_id);
  const notices = lender_ids
    .filter((lender_id) => lender_id !== except)
    .map((lender_id) => ({
      lender_id,
      type: "grievance.updated" as const,
      retailer_id,
      data: { outcome: "corrected" },
      dedupe_key: `${about}/corrected`,
    }));
  const text = textAbout("corrected", language, about);
  return [
    outboxInsert(db, newEvent("correction.made", retailer_id, { retailer_id, about })),
    ...noticeStatements(db, notices, isConsented),
    ...outboundStatements(db, [
      { retailer_id, kind: "data.corrected", language, text, dedupe_key: `${about}/corrected` },
    ]),
  ];
}
