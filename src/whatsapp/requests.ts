import type { Env } from "../env.ts";
import { fileFromChat } from "../grievance/filing.ts";
import type { Language } from "../http/language.ts";
import { openFromChat, rightsText } from "../rights/chat.ts";
import type { RequestKind } from "./intent.ts";
import { type TextKey, textOf } from "./texts.ts";

/** What a retailer asked for in the chat. */
export interface ChatRequest {
  kind: RequestKind;
  retailer_id: string;
  /** What was written after the keyword; at most 2,000 characters. */
  text: string | null;
  /** The message that asks: the same message opens one request. */
  wamid: string;
  language: Language;
}

/**
 * Opens what a keyword asks for where it is worked on, and gives what the retailer is told: the reference, or for
 * RIGHTS the summary itself. The same message opens it once. Throws SERVICE_UNAVAILABLE if D1 fails.
 */
export async function openRequest(env: Env, request: ChatRequest): Promise<{ kind: TextKey; text: string }> {
  const { kind, retailer_id, text, wamid, language } = request;
  switch (kind) {
    case "rights":
      return { kind, text: `${await rightsText(env, retailer_id, language)}\n${textOf("rights", language)}` };
    case "help":
      return { kind, text: textOf("help", language) };
    case "grievance": {
      const filed = await fileFromChat(env, { retailer_id, text: text ?? "", wamid, language });
      if (!filed) return { kind: "grievance_limit", text: textOf("grievance_limit", language) };
      return { kind, text: textOf("grievance", language, filed.grievance_id) };
    }
    default: {
      const { request_id } = await openFromChat(env, { kind, retailer_id, text, wamid, language });
      return { kind, text: textOf(kind, language, request_id) };
    }
  }
}
