import type { MessageContent } from "../../src/whatsapp/content.ts";
import type { SentMessage, StoredChat } from "../runtime/whatsapp-chat.ts";
import type { Said } from "./phone.ts";

/** A chat as people read it, in the order of its times: what the shop said, and what would have been sent back. */
export function chatText(said: readonly Said[], { sent, settled }: StoredChat): string {
  const lines = [
    ...said.map(({ at, text }) => ({ at, text: entry("shop", at, text) })),
    ...sent.map((message) => ({
      at: message.created_at,
      text: entry("AltScore", message.created_at, textOf(message)),
    })),
  ].sort((a, b) => (a.at < b.at ? -1 : 1));
  const rest = settled
    ? ""
    : "\n(Not everything is worked off yet: the next minute's run goes on. See the Worker's log.)\n";
  return `${lines.map((line) => line.text).join("\n")}\n${rest}`;
}

function entry(who: string, at: string, text: string): string {
  const [first = "", ...rest] = text.split("\n");
  const label = `${at.slice(11, 19)}  ${who.padEnd(8)}  `;
  return [label + first, ...rest.map((line) => " ".repeat(label.length) + line)].join("\n");
}

function textOf({ content, notice_text, state }: SentMessage): string {
  const parsed = JSON.parse(content) as MessageContent;
  const text =
    parsed.type === "text"
      ? parsed.text
      : (notice_text ?? parsed.name).replace(
          /\{\{(\d)\}\}/g,
          (_, number) => parsed.parameters[Number(number) - 1] ?? "",
        );
  return state === "sent" ? text : `${text}\n(${state})`;
}
