import { z } from "@hono/zod-openapi";
import type { Config } from "../config.ts";
import { randomHex } from "../lib/seams.ts";
import { messageBody, type OutgoingMessage } from "./content.ts";

/** What became of a message; `code` is Meta's error code, null if none was given (network, no JSON). */
export type SendOutcome =
  | { kind: "accepted"; wamid: string }
  /** Worth another try, not before `after_s` if Meta said so. */
  | { kind: "retry"; code: number | null; after_s: number | null }
  | { kind: "refused"; code: number | null };

/** The one way out to WhatsApp. Never throws: what went wrong is an outcome. */
export interface MessageSender {
  send(message: OutgoingMessage): Promise<SendOutcome>;
}

const GRAPH_URL = "https://graph.facebook.com/v24.0";
const TIMEOUT_MS = 10_000;

/**
 * Errors that pass by themselves or by our own doing, whatever the HTTP status (Cloud API, Error codes): unknown and
 * service errors, throttling, a token to be renewed, a pair of numbers too busy, maintenance.
 */
const PASSING_CODES = new Set([
  0, 1, 2, 4, 10, 190, 80007, 130429, 131000, 131005, 131016, 131048, 131056, 131057, 133004,
]);

const acceptedAnswer = z.object({ messages: z.tuple([z.object({ id: z.string().min(1) })], z.unknown()) });
const errorAnswer = z.object({ error: z.object({ code: z.number().int() }) });

/** Sends through the WhatsApp Business Cloud API. One attempt a call: the outbox decides about the next. */
export class CloudApiSender implements MessageSender {
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #fetch: typeof fetch;

  constructor(account: { phone_number_id: string; access_token: string }, fetcher: typeof fetch = fetch) {
    this.#url = `${GRAPH_URL}/${account.phone_number_id}/messages`;
    this.#headers = { Authorization: `Bearer ${account.access_token}`, "Content-Type": "application/json" };
    this.#fetch = fetcher;
  }

  async send(message: OutgoingMessage): Promise<SendOutcome> {
    let response: Response;
    let answer: unknown;
    try {
      const fetcher = this.#fetch;
      response = await fetcher(this.#url, {
        method: "POST",
        headers: this.#headers,
        body: JSON.stringify(messageBody(message)),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      answer = await response.json();
    } catch {
      // No connection, no answer in time, or no JSON from some proxy in between.
      return { kind: "retry", code: null, after_s: null };
    }
    const accepted = acceptedAnswer.safeParse(answer);
    if (response.ok && accepted.success) return { kind: "accepted", wamid: accepted.data.messages[0].id };
    const code = errorAnswer.safeParse(answer).data?.error.code ?? null;
    const passing = response.ok || response.status === 429 || response.status >= 500;
    if (!passing && (code === null || !PASSING_CODES.has(code))) return { kind: "refused", code };
    const after_s = Number(response.headers.get("retry-after") ?? Number.NaN);
    return { kind: "retry", code, after_s: Number.isFinite(after_s) ? after_s : null };
  }
}

/** Sends nothing and accepts everything: for local use and tests. The outbox keeps what would have been sent. */
export class RecordingSender implements MessageSender {
  readonly sent: OutgoingMessage[] = [];

  async send(message: OutgoingMessage): Promise<SendOutcome> {
    this.sent.push(message);
    return { kind: "accepted", wamid: `wamid.local.${randomHex(12)}` };
  }
}

/** The sender that the settings ask for; without an account (never in production, see config.ts) the recorder. */
export function senderFor(config: Config): MessageSender {
  const { WHATSAPP_PHONE_NUMBER_ID: phone_number_id, WHATSAPP_ACCESS_TOKEN: access_token } = config;
  if (phone_number_id === undefined || access_token === undefined) return new RecordingSender();
  return new CloudApiSender({ phone_number_id, access_token });
}
