import type { Language } from "../http/language.ts";
import type { Intent, RequestKind } from "./intent.ts";
import type { TextKey } from "./texts.ts";

/**
 * The dialogue, as pure logic. What a phone has said is kept in fields that only ever move forward in the messages'
 * own time (first Allow, last refusal, last STOP), so deliveries may come twice and in any order: the fields end
 * the same, and whether a permission stands follows from them alone (docs/adr/0015).
 */

/** A notice as it was shown; `wamid` is null until it was sent. */
export interface ShownNotice {
  instance_id: string;
  language: Language;
  wamid: string | null;
}

/** An invitation and what was answered to it; times in Unix seconds. */
export interface Invitation {
  invitation_id: string;
  invited_s: number;
  answer_by_s: number;
  sole: boolean;
  allowed_s: number | null;
  denied_s: number | null;
  asks: number;
  notices: readonly ShownNotice[];
}

/** What is known about a phone. */
export interface Chat {
  language: Language;
  language_s: number;
  /** The last STOP by any phone of the same retailers; 0 if there was none. */
  stopped_s: number;
  /** Newest first. */
  invitations: readonly Invitation[];
}

/** A message that was heard. `at_s` is never later than its receipt. */
export interface Heard {
  wamid: string;
  at_s: number;
  received_at: string;
  intent: Intent;
}

/** What a message leads to. */
export type Action =
  | { do: "reply"; text: TextKey; dedupe_key: string }
  | { do: "show_notice"; invitation_id: string; language: Language }
  | { do: "open_request"; kind: RequestKind; text: string | null }
  /** Brings the consent in line with what the invitation's fields say now. */
  | { do: "settle"; invitation_id: string; said: "allow" | "deny"; notice: ShownNotice }
  | { do: "stop" }
  /** The message comes too early: the notice it answers is not known to be sent yet. */
  | { do: "wait" };

/** How often an unclear answer is asked about, per invitation. */
export const MAX_ASKS = 2;
/** Meta's clock and ours may differ by this much. */
const CLOCK_SKEW_S = 300;

/** True if the invitation is a permission: allowed, and nothing said against it at that time or later. */
export function stands(invitation: Pick<Invitation, "allowed_s" | "denied_s">, stopped_s: number): boolean {
  const { allowed_s, denied_s } = invitation;
  return allowed_s !== null && allowed_s > Math.max(denied_s ?? 0, stopped_s);
}

/** True if an answer to the invitation is still outstanding at `at_s`. */
export function isOpen(invitation: Invitation, stopped_s: number, at_s: number): boolean {
  const { allowed_s, denied_s, answer_by_s, invited_s } = invitation;
  return allowed_s === null && denied_s === null && at_s <= answer_by_s && stopped_s < invited_s;
}

/** What a message does to a chat, and what is to be done about it. */
export function respond(chat: Chat, heard: Heard): { chat: Chat; actions: Action[] } {
  const { intent, at_s, wamid } = heard;
  const reply = (text: TextKey): Action => ({ do: "reply", text, dedupe_key: `reply/${wamid}` });
  switch (intent.kind) {
    case "silent":
      return { chat, actions: [] };
    case "stop":
      return { chat: { ...chat, stopped_s: Math.max(chat.stopped_s, at_s) }, actions: [{ do: "stop" }] };
    case "request":
      return { chat, actions: [{ do: "open_request", kind: intent.request, text: intent.text }] };
    case "press": {
      const found = noticeBy(chat, (notice) => notice.instance_id === intent.instance_id);
      if (!found) return { chat, actions: [reply("notice_unknown")] };
      if (found.notice.wamid === null) return { chat, actions: [{ do: "wait" }] };
      if (found.notice.wamid !== intent.context_id) return { chat, actions: [reply("notice_unknown")] };
      if (intent.answer === "LANG") return switchLanguage(chat, heard, found, reply("notice_above"));
      if (intent.answer === "DENY") return deny(chat, at_s, found);
      return allow(chat, at_s, found, reply("notice_expired"));
    }
    case "yes": {
      if (intent.context_id !== null) {
        const found = noticeBy(chat, (notice) => notice.wamid === intent.context_id);
        return found ? allow(chat, at_s, found, reply("notice_expired")) : unclear(chat, heard);
      }
      const newest = chat.invitations.find(({ invited_s }) => invited_s <= at_s + CLOCK_SKEW_S);
      const notice = newest && shownIn(newest, chat.language);
      if (!newest || !notice) return unclear(chat, heard);
      if (!newest.sole) return { chat, actions: [reply("use_button")] };
      if (notice.wamid === null) return { chat, actions: [{ do: "wait" }] };
      return allow(chat, at_s, { invitation: newest, notice }, reply("notice_expired"));
    }
    case "unclear":
      return unclear(chat, heard);
  }
}

interface Found {
  invitation: Invitation;
  notice: ShownNotice;
}

function noticeBy(chat: Chat, matches: (notice: ShownNotice) => boolean): Found | null {
  for (const invitation of chat.invitations) {
    const notice = invitation.notices.find(matches);
    if (notice) return { invitation, notice };
  }
  return null;
}

/** The notice that was read: the one in the chat's language if it was shown. */
function shownIn(invitation: Invitation, language: Language): ShownNotice | undefined {
  return invitation.notices.find((notice) => notice.language === language) ?? invitation.notices[0];
}

function allow(chat: Chat, at_s: number, { invitation, notice }: Found, expired: Action) {
  if (at_s > invitation.answer_by_s) return { chat, actions: [expired] };
  const allowed_s = Math.min(invitation.allowed_s ?? at_s, at_s);
  const { invitation_id } = invitation;
  return {
    chat: withInvitation(chat, { ...invitation, allowed_s }),
    actions: [{ do: "settle", invitation_id, said: "allow", notice } satisfies Action],
  };
}

/** A refusal counts at any time, also after the invitation has run out or been allowed. */
function deny(chat: Chat, at_s: number, { invitation, notice }: Found) {
  const denied_s = Math.max(invitation.denied_s ?? 0, at_s);
  const { invitation_id } = invitation;
  return {
    chat: withInvitation(chat, { ...invitation, denied_s }),
    actions: [{ do: "settle", invitation_id, said: "deny", notice } satisfies Action],
  };
}

function switchLanguage(chat: Chat, { at_s }: Heard, { invitation, notice }: Found, above: Action) {
  const language: Language = notice.language === "en" ? "hi" : "en";
  const newer = at_s > chat.language_s || (at_s === chat.language_s && language > chat.language);
  const shown = invitation.notices.some((other) => other.language === language);
  const { invitation_id } = invitation;
  const action: Action = shown ? above : { do: "show_notice", invitation_id, language };
  return { chat: newer ? { ...chat, language, language_s: at_s } : chat, actions: [action] };
}

/** Not a consent: asked again at most twice; without a question in the room the keywords are told, once a day. */
function unclear(chat: Chat, { at_s }: Heard): { chat: Chat; actions: Action[] } {
  const open = chat.invitations.find((invitation) => isOpen(invitation, chat.stopped_s, at_s));
  if (!open) {
    const day = Math.floor(at_s / 86_400);
    return { chat, actions: [{ do: "reply", text: "menu", dedupe_key: `menu/${day}` }] };
  }
  if (open.asks >= MAX_ASKS) return { chat, actions: [] };
  const asks = open.asks + 1;
  return {
    chat: withInvitation(chat, { ...open, asks }),
    actions: [{ do: "reply", text: "ask_again", dedupe_key: `ask/${open.invitation_id}/${asks}` }],
  };
}

function withInvitation(chat: Chat, changed: Invitation): Chat {
  const invitations = chat.invitations.map((invitation) =>
    invitation.invitation_id === changed.invitation_id ? changed : invitation,
  );
  return { ...chat, invitations };
}
