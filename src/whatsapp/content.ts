import type { Language } from "../http/language.ts";

/** What a message says, without its recipient: kept in the outbox as JSON. */
export type MessageContent =
  | { type: "text"; text: string }
  | { type: "template"; name: string; parameters: string[]; payloads: string[] };

/** The template that carries a text once Meta's 24 hours for free texts are over; its one parameter is the text. */
const UPDATE_TEMPLATE = "altscore_update";

/** Meta refuses line breaks, tabs and more than four spaces in a row in a template's parameter. */
function asParameter(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

/** A text as the template that may be sent at any time. */
export function asTemplate(content: MessageContent): MessageContent {
  if (content.type === "template") return content;
  return { type: "template", name: UPDATE_TEMPLATE, parameters: [asParameter(content.text)], payloads: [] };
}

/** The name under which a version of a notice is registered with Meta as a template. */
export function templateName(notice_id: string, notice_version: string): string {
  return `${notice_id}_${notice_version}`.toLowerCase().replace(/[^a-z0-9]+/g, "_");
}

/** A message on its way: recipient in E.164 digits, and our id, which Meta repeats in the statuses. */
export interface OutgoingMessage {
  message_id: string;
  to: string;
  language: Language;
  content: MessageContent;
}

/** The body of POST /<phone-number-id>/messages (Cloud API reference, Messages). */
export function messageBody({ message_id, to, language, content }: OutgoingMessage): object {
  const frame = {
    messaging_product: "whatsapp",
    recipient_type: "individual",
    to,
    biz_opaque_callback_data: message_id,
  };
  if (content.type === "text") {
    return { ...frame, type: "text", text: { preview_url: false, body: content.text } };
  }
  const { name, parameters, payloads } = content;
  return {
    ...frame,
    type: "template",
    template: {
      name,
      language: { code: language },
      components: [
        { type: "body", parameters: parameters.map((text) => ({ type: "text", text: asParameter(text) })) },
        ...payloads.map((payload, index) => ({
          type: "button",
          sub_type: "quick_reply",
          index: String(index),
          parameters: [{ type: "payload", payload }],
        })),
      ],
    },
  };
}
