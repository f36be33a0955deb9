import { drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import type { Language } from "../http/language.ts";
import { causeText } from "../lib/cause.ts";
import { createProvisional, retailersOfPhone } from "../retailers/store.ts";
import { chatUpdates, type LoadedChat, loadChat } from "./conversation.ts";
import { type Action, type Chat, type Heard, respond } from "./dialogue.ts";
import { evidenceOf } from "./evidence.ts";
import { type ClaimedMessage, claimMessages, doneUpdate, postpone } from "./inbox.ts";
import { readIntent } from "./intent.ts";
import { noticeStatements } from "./invitations.ts";
import { type KnownPhone, knownPhone, type Reply, releaseWaiting, replyInserts, sendDue } from "./outbox.ts";
import { settle, stop, type Told } from "./permissions.ts";
import { openRequest } from "./requests.ts";
import { dayInWords, type TextKey, textOf } from "./texts.ts";

/** Claims in one run: the next minute's run goes on. */
const MAX_ROUNDS = 50;
/** Phones worked on at the same time. */
const CONCURRENCY = 6;
/** A message whose notice is not known to be sent is tried this often before it counts as an answer to nothing. */
const MAX_WAITS = 10;

/**
 * Works off stored messages, then sends what came of them; safe to run in parallel and at any time. Messages that
 * fail stay and are taken up again. Returns how many were worked off.
 */
export async function workInbox(env: Env): Promise<number> {
  let done = 0;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const messages = await claimMessages(env);
    if (messages.length === 0) break;
    const phones = [...Map.groupBy(messages, (message) => message.phone_hash)];
    for (let start = 0; start < phones.length; start += CONCURRENCY) {
      const slice = phones.slice(start, start + CONCURRENCY);
      const counts = await Promise.all(
        slice.map(([phone_hash, heard]) => workOrPostpone(env, phone_hash, heard)),
      );
      done += counts.reduce((sum, count) => sum + count, 0);
    }
  }
  await sendDue(env);
  return done;
}

async function workOrPostpone(
  env: Env,
  phone_hash: string,
  messages: readonly ClaimedMessage[],
): Promise<number> {
  try {
    return await workPhone(env, phone_hash, messages);
  } catch (cause) {
    const reason = causeText(cause);
    console.error(JSON.stringify({ whatsapp: "messages postponed", count: messages.length, cause: reason }));
    await postpone(env, messages);
    return 0;
  }
}

/** The same after an answer has left; for `ctx.waitUntil`. What fails is left to the minute's run. */
export async function workSoon(env: Env): Promise<void> {
  try {
    await workInbox(env);
  } catch (cause) {
    console.error(JSON.stringify({ task: "whatsapp inbox", cause: causeText(cause) }));
  }
}

/** An action, with the message that led to it. */
type Due = { action: Action; heard: Heard };

async function workPhone(env: Env, phone_hash: string, messages: readonly ClaimedMessage[]): Promise<number> {
  const assumed: Language = messages.some((message) => writesHindi(message)) ? "hi" : "en";
  const loaded = await loadChat(env, phone_hash, assumed);
  const heard = messages.map(toHeard).sort(inTime);
  const { chat, due } = hear(loaded, heard);
  const waiting = due.filter(({ action }) => action.do === "wait").map(({ heard: { wamid } }) => wamid);
  const [postponed, worked] = split(
    messages,
    ({ wamid, attempts }) => waiting.includes(wamid) && attempts < MAX_WAITS,
  );

  const db = drizzle(env.DB);
  const phone = await knownPhone(env, phone_hash, (messages[0] as ClaimedMessage).from);
  const stops = due.filter(({ action }) => action.do === "stop");
  const last_stop = stops.at(-1)?.heard;
  // What was heard is written before anything follows from it: whoever works beside us sees it.
  await db.batch([
    releaseWaiting(db, phone),
    ...chatUpdates(
      db,
      {
        phone_hash,
        language: chat.language,
        language_s: chat.language_s,
        // The chat's own field counts the STOP of the shop's other phones too.
        stopped_s: last_stop?.at_s ?? 0,
        heard_s: Math.max(...heard.map(({ at_s }) => at_s)),
      },
      chat.invitations.filter((invitation) => !loaded.invitations.some((before) => before === invitation)),
    ),
  ]);
  const voice = { env, phone, language: chat.language };
  const replies: Reply[] = [];
  if (last_stop)
    replies.push(
      ...told(
        voice,
        await stop(env, {
          ...last_stop,
          phone_hash,
          language: chat.language,
          evidence: evidenceOf(last_stop, null),
        }),
      ),
    );
  for (const item of due) replies.push(...(await perform(voice, loaded, item)));
  await db.batch([
    replyInserts(db, phone, replies),
    doneUpdate(
      db,
      worked.map(({ wamid }) => wamid),
    ),
  ]);
  await postpone(env, postponed);
  return worked.length;
}

interface Voice {
  env: Env;
  phone: KnownPhone;
  language: Language;
}

/** Does what one message led to, STOP apart; returns what is to be said about it. */
async function perform(voice: Voice, loaded: LoadedChat, { action, heard }: Due): Promise<Reply[]> {
  const { env, phone } = voice;
  const { wamid } = heard;
  switch (action.do) {
    case "reply":
      return told(voice, action);
    case "settle":
      return told(
        voice,
        await settle(env, {
          ...action,
          phone_hash: phone.phone_hash,
          wamid,
          evidence: evidenceOf(heard, action.notice.wamid),
        }),
      );
    case "open_request": {
      const retailer_id = await soleRetailer(env, phone.phone_hash, loaded.invitations.length > 0);
      if (retailer_id === "none") return [say(voice, "shop_unknown", `reply/${wamid}`)];
      if (retailer_id === "several") return [say(voice, "several_shops", `reply/${wamid}`)];
      const { kind, text } = action;
      const opened = await openRequest(env, { kind, retailer_id, text, wamid, language: voice.language });
      return [message(voice, opened.kind, `reply/${wamid}`, opened.text)];
    }
    case "show_notice": {
      const invitation = loaded.invitations.find((row) => row.invitation_id === action.invitation_id);
      if (invitation) await showNotice(voice, invitation, action.language);
      return [];
    }
    case "wait":
    case "stop":
      return [];
  }
}

/**
 * The one retailer a request is about. Somebody who was invited has rights before any consent, and whatever is
 * delivered first: a provisional retailer stands for the phone then.
 */
async function soleRetailer(
  env: Env,
  phone_hash: string,
  invited: boolean,
): Promise<string | "none" | "several"> {
  const [retailer_id, another] = await retailersOfPhone(env, phone_hash);
  if (another !== undefined) return "several";
  if (retailer_id !== undefined) return retailer_id;
  return invited ? createProvisional(env, phone_hash) : "none";
}

async function showNotice(
  { env, phone }: Voice,
  invitation: LoadedChat["invitations"][number],
  language: Language,
) {
  const db = drizzle(env.DB);
  const [first, ...rest] = await noticeStatements(env, db, phone, invitation, language);
  await db.batch([first, ...rest]);
}

function told(voice: Voice, given: Told | null): Reply[] {
  if (!given) return [];
  return [say(voice, given.text, given.dedupe_key, given.date && dayInWords(given.date, voice.language))];
}

function say(voice: Voice, key: TextKey, dedupe_key: string, variable?: string): Reply {
  return message(voice, key, dedupe_key, textOf(key, voice.language, variable));
}

function message({ phone, language }: Voice, kind: TextKey, dedupe_key: string, text: string): Reply {
  return {
    kind,
    language,
    content: { type: "text", text },
    dedupe_key: `chat/${phone.phone_hash}/${dedupe_key}`,
    retailer_id: null,
    instance_id: null,
  };
}

/** Folds messages into a chat, one after the other. */
function hear<C extends Chat>(loaded: C, heard: readonly Heard[]): { chat: Chat; due: Due[] } {
  let chat: Chat = loaded;
  const due: Due[] = [];
  for (const message of heard) {
    const answer = respond(chat, message);
    chat = answer.chat;
    due.push(...answer.actions.map((action) => ({ action, heard: message })));
  }
  return { chat, due };
}

function toHeard({ wamid, at_s, received_at, message }: ClaimedMessage): Heard {
  return { wamid, at_s, received_at, intent: readIntent(message) };
}

/** In the order of the messages' own time; the ids only make equal times come out the same everywhere. */
function inTime(a: Heard, b: Heard): number {
  return a.at_s - b.at_s || (a.wamid < b.wamid ? -1 : 1);
}

function writesHindi({ message }: ClaimedMessage): boolean {
  return /\p{Script=Devanagari}/u.test(JSON.stringify(message.text ?? ""));
}

function split<T>(items: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  return [items.filter(test), items.filter((item) => !test(item))];
}
