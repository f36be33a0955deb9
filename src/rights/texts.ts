import type { Language } from "../http/language.ts";
import { dayInWords } from "../whatsapp/texts.ts";
import type { RightsSummary } from "./schemas.ts";

type Category = RightsSummary["categories"][number]["category"];

const CATEGORIES: Record<Category, Record<Language, string>> = {
  invoices: { en: "bills", hi: "बिल" },
  credit_notes: { en: "credit notes for returned goods", hi: "माल वापसी के क्रेडिट नोट" },
  payments: { en: "payments", hi: "भुगतान" },
  earlier_versions: { en: "earlier versions of corrected records", hi: "सुधारे गए रिकॉर्ड के पुराने रूप" },
  consent_records: { en: "records of your permissions", hi: "आपकी अनुमतियों के रिकॉर्ड" },
  scores: { en: "scores", hi: "स्कोर" },
  grievances: { en: "complaints", hi: "शिकायतें" },
  requests: { en: "requests", hi: "अनुरोध" },
  nominee: { en: "person named to act for you", hi: "आपके नामित व्यक्ति" },
};

const WORDS = {
  held: { en: "What we hold about you", hi: "आपके बारे में हमारे पास" },
  nothing: { en: "nothing", hi: "कुछ नहीं" },
  from: { en: "It comes from", hi: "यह जानकारी यहाँ से आती है" },
  seen_by: { en: "These lenders may see your score", hi: "ये ऋणदाता आपका स्कोर देख सकते हैं" },
  nobody: { en: "nobody", hi: "कोई नहीं" },
  last_score: { en: "Your last score was computed on", hi: "आपका पिछला स्कोर निकाला गया" },
  contact: { en: "Contact", hi: "संपर्क" },
} as const satisfies Record<string, Record<Language, string>>;

/** The summary as a text for the chat: counts, names and days; no score, amount or id. */
export function summaryText(summary: RightsSummary, language: Language): string {
  const say = (key: keyof typeof WORDS) => WORDS[key][language];
  const held = summary.categories
    .filter(({ count }) => count > 0)
    .map(({ category, count }) => `${CATEGORIES[category][language]} (${count})`);
  const names = (parties: readonly { name: string }[]) =>
    [...new Set(parties.map(({ name }) => name))].join(", ");
  const newest = summary.scores[0]?.scored_at;
  return [
    `${say("held")}: ${held.join(", ") || say("nothing")}.`,
    ...(summary.distributors.length > 0 ? [`${say("from")}: ${names(summary.distributors)}.`] : []),
    `${say("seen_by")}: ${names(summary.lenders) || say("nobody")}.`,
    ...(newest ? [`${say("last_score")}: ${dayInWords(newest, language)}.`] : []),
    `${say("contact")}: ${summary.data_fiduciary.dpo_contact}`,
  ].join("\n");
}

const REFUSED: Record<Language, string> = {
  en: "We have looked into your request {1} and found that the data stand as they are. If you do not agree, write to dpo@altscore.in or reply HELP and your complaint.",
  hi: "हमने आपके अनुरोध {1} की जाँच की; जानकारी सही पाई गई। अगर आप सहमत नहीं हैं, तो dpo@altscore.in पर लिखें या HELP के साथ अपनी शिकायत लिखें।",
};

/** What a retailer is told of a correction that was refused. */
export function refusalText(correction_id: string, language: Language): string {
  return REFUSED[language].replace("{1}", correction_id);
}
