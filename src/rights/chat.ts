import type { Env } from "../env.ts";
import type { Language } from "../http/language.ts";
import { openRequest } from "./requests.ts";
import { dataPrincipal } from "./retailer.ts";
import { summarize } from "./summary.ts";
import { summaryText } from "./texts.ts";

/** A keyword of the chat that asks for something. */
export interface ChatRequest {
  kind: "correction" | "erasure" | "export";
  retailer_id: string;
  /** What was written after the keyword. */
  text: string | null;
  /** The message: the same one asks once. */
  wamid: string;
  language: Language;
}

/**
 * Records what a retailer asked for in the chat; the same message gives the same request. Returns its id. Throws
 * RETAILER_NOT_FOUND, SERVICE_UNAVAILABLE if D1 fails.
 */
export async function openFromChat(env: Env, request: ChatRequest): Promise<{ request_id: string }> {
  const { kind, text, wamid, language } = request;
  const principal = await dataPrincipal(env, request.retailer_id);
  const by = { kind: "retailer" as const, id: principal.retailer_id };
  // Which field is meant stands in the retailer's words; whoever works the request reads it there.
  const field = kind === "correction" ? "other" : null;
  return { request_id: await openRequest(env, principal, { kind, field, text, by, language, wamid }) };
}

/** What is held about a retailer, as a text for the chat. Throws RETAILER_NOT_FOUND, SERVICE_UNAVAILABLE. */
export async function rightsText(env: Env, retailer_id: string, language: Language): Promise<string> {
  return summaryText(await summarize(env, await dataPrincipal(env, retailer_id)), language);
}
