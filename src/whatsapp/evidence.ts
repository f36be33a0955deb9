import type { GivenEvidence } from "../consent/record.ts";
import { sha256Hex } from "../lib/bytes.ts";
import type { Intent } from "./intent.ts";

/**
 * What a message shows, for the consent record (spec/consent.md): how the retailer answered, when by Meta's clock,
 * when we received it. Of a typed word only the hash is kept.
 */
export function evidenceOf(
  message: { at_s: number; received_at: string; intent: Intent },
  notice_wamid: string | null,
): GivenEvidence {
  const { at_s, received_at, intent } = message;
  const common = { notice_wamid, wa_timestamp: new Date(at_s * 1000).toISOString(), received_at };
  switch (intent.kind) {
    case "press":
      return { ...common, answer_type: "button", answer_payload: intent.payload };
    case "yes":
    case "stop":
      return { ...common, answer_type: "text", answer_text_sha256: sha256Hex(intent.text) };
    default:
      return common;
  }
}
