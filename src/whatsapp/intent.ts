import { z } from "@hono/zod-openapi";

/** What retailers can ask for by a keyword. */
export type RequestKind = "rights" | "correction" | "erasure" | "export" | "help" | "grievance";

/** What a message means. */
export type Intent =
  /** A button of a notice was pressed; `context_id` is the message that carried the button. */
  | { kind: "press"; instance_id: string; answer: Answer; payload: string; context_id: string | null }
  /** One of the words that are as clear as the button. */
  | { kind: "yes"; text: string; context_id: string | null }
  | { kind: "stop"; text: string }
  | { kind: "request"; request: RequestKind; text: string | null }
  /** Anything else a person sends: not a consent. */
  | { kind: "unclear" }
  /** Not a person's message, or of a kind that nobody knows. */
  | { kind: "silent" };

export type Answer = "GRANT" | "DENY" | "LANG";

/** Longest text taken over into a request (api.md §6). */
export const MAX_REQUEST_CHARS = 2_000;

const YES = new Set(["हाँ", "हां", "HAAN", "YES", "ALLOW"].map((word) => word.normalize("NFC")));
const STOP = new Set(["STOP", "NAHI", "नहीं", "बंद"].map((word) => word.normalize("NFC")));
const REQUESTS: Record<string, RequestKind> = {
  RIGHTS: "rights",
  CORRECT: "correction",
  DELETE: "erasure",
  EXPORT: "export",
  HELP: "help",
};
/** Keywords that may be followed by what is meant; HELP with a text is a grievance. */
const WITH_TEXT: Record<string, RequestKind> = { CORRECT: "correction", HELP: "grievance" };
const PAYLOAD = /^c1\|([0-9a-f]{32})\|(GRANT|DENY|LANG)$/;

/** The payload of a notice's button. */
export function payloadOf(instance_id: string, answer: Answer): string {
  return `c1|${instance_id}|${answer}`;
}

const context = z.looseObject({ id: z.string() }).optional().catch(undefined);
const text = z.looseObject({ type: z.literal("text"), text: z.looseObject({ body: z.string() }), context });
const button = z.looseObject({
  type: z.literal("button"),
  button: z.looseObject({ payload: z.string() }),
  context,
});
const reply = z.looseObject({
  type: z.literal("interactive"),
  interactive: z.looseObject({
    type: z.literal("button_reply"),
    button_reply: z.looseObject({ id: z.string() }),
  }),
  context,
});
/** What people send besides text and buttons. */
const HUMAN_TYPES = new Set([
  "text",
  "button",
  "interactive",
  "image",
  "audio",
  "video",
  "voice",
  "document",
  "sticker",
  "reaction",
  "location",
  "contacts",
]);

/** What a message of messages[] means; any value is understood somehow. */
export function readIntent(message: Record<string, unknown>): Intent {
  const pressed = button.safeParse(message).data;
  if (pressed) return readPress(pressed.button.payload, pressed.context?.id);
  const replied = reply.safeParse(message).data;
  if (replied) return readPress(replied.interactive.button_reply.id, replied.context?.id);
  const said = text.safeParse(message).data;
  if (said) return readText(said.text.body, said.context?.id ?? null);
  return { kind: HUMAN_TYPES.has(String(message.type)) ? "unclear" : "silent" };
}

function readPress(payload: string, context_id: string | undefined): Intent {
  const [, instance_id, answer] = PAYLOAD.exec(payload) ?? [];
  if (instance_id === undefined) return { kind: "unclear" };
  return { kind: "press", instance_id, answer: answer as Answer, payload, context_id: context_id ?? null };
}

function readText(body: string, context_id: string | null): Intent {
  const said = body.normalize("NFC").trim();
  // To take a permission back must be easy: any case, and one full stop or exclamation mark is let pass.
  if (STOP.has(said.replace(/[.!]$/, "").trimEnd().toUpperCase())) return { kind: "stop", text: said };
  // To give one must be clear: the exact word.
  if (YES.has(said)) return { kind: "yes", text: said, context_id };
  const [, word = "", rest = ""] = /^(\S+)\s*([\s\S]*)$/.exec(said) ?? [];
  const keyword = word.replace(/[.!:,]$/, "").toUpperCase();
  if (rest === "" && Object.hasOwn(REQUESTS, keyword)) {
    return { kind: "request", request: REQUESTS[keyword] as RequestKind, text: null };
  }
  if (rest !== "" && Object.hasOwn(WITH_TEXT, keyword)) {
    const kept = rest.slice(0, MAX_REQUEST_CHARS).toWellFormed();
    return { kind: "request", request: WITH_TEXT[keyword] as RequestKind, text: kept };
  }
  return { kind: "unclear" };
}
