import type { Env } from "../env.ts";
import type { Language } from "../http/language.ts";
import { nowMs } from "../lib/seams.ts";
import { partyNames } from "../parties/store.ts";
import { queueMessages } from "../whatsapp/outbound.ts";
import { dayInWords } from "../whatsapp/texts.ts";
import { type EndingGrant, endingGrants } from "./ending.ts";

const DAY_MS = 86_400_000;
/** Days before its end at which a retailer is reminded of a consent (spec/consent.md), nearest first. */
const REMINDER_DAYS = [7, 30] as const;
const PAGE = 100;

const TEXTS: Record<Language, string> = {
  en: "Your permission to {1} to see your trade score ends on {2}. You need not do anything: after that day they cannot see it. If you want to go on, your distributor can send you a new request. To end it now, reply STOP.",
  hi: "{1} को आपका व्यापार स्कोर देखने की आपकी अनुमति {2} को समाप्त हो रही है। आपको कुछ करने की ज़रूरत नहीं है: उस दिन के बाद वे उसे नहीं देख सकेंगे। अगर आप इसे जारी रखना चाहते हैं, तो आपका डिस्ट्रीब्यूटर नया अनुरोध भेज सकता है। इसे अभी समाप्त करने के लिए STOP लिखें।",
};

/**
 * The scheduled run: reminds retailers 30 and 7 days before a consent ends, once per grant however many lenders it
 * names. Each run goes by what is due now, so a run that was missed is made up for by the next; when both are due
 * only the nearer is sent. A consent that was granted later than its reminder was due gets none, and one that a newer
 * consent to the same lender outlives gets none either.
 */
export async function remindOfExpiry(env: Env): Promise<void> {
  const now_ms = nowMs();
  const until = new Date(now_ms + Math.max(...REMINDER_DAYS) * DAY_MS).toISOString();
  let after = "";
  for (;;) {
    const page = await endingGrants(env, { until, after, limit: PAGE });
    const due = page.flatMap((grant) => {
      const days = dueReminder(grant, now_ms);
      return days === null ? [] : [{ grant, days }];
    });
    await queueMessages(env, await Promise.all(due.map(({ grant, days }) => messageOf(env, grant, days))));
    if (page.length < PAGE) return;
    after = page.at(-1)?.grant_group as string;
  }
}

/** The reminder that is due, in days before the end; null if none is. */
export function dueReminder(
  { granted_at, expires_at }: Pick<EndingGrant, "granted_at" | "expires_at">,
  now_ms: number,
): number | null {
  const ends_ms = Date.parse(expires_at);
  const days = REMINDER_DAYS.find((days) => ends_ms - days * DAY_MS <= now_ms);
  if (days === undefined || ends_ms <= now_ms) return null;
  return ends_ms - days * DAY_MS >= Date.parse(granted_at) ? days : null;
}

async function messageOf(env: Env, grant: EndingGrant, days: number) {
  const { grant_group, retailer_id, expires_at, distributor_id, lender_ids } = grant;
  const language: Language = grant.language.split("-")[0] === "hi" ? "hi" : "en";
  const names = (await partyNames(env, distributor_id, lender_ids)).lenders.join(", ");
  return {
    retailer_id,
    kind: "consent.expires_soon",
    language,
    text: TEXTS[language].replace("{1}", () => names).replace("{2}", dayInWords(expires_at, language)),
    dedupe_key: `consent-ends/${grant_group}/${days}`,
  };
}
