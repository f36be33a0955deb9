import { z } from "@hono/zod-openapi";
import type { Config } from "../config.ts";
import { constantTimeEqual, toHex, utf8 } from "../lib/bytes.ts";

/** A message of a webhook, as far as its frame goes; what it says is read when it is worked off. */
export interface DeliveredMessage {
  wamid: string;
  /** E.164 digits. */
  from: string;
  /** Unix seconds as the text says; null if it says none. */
  timestamp_s: number | null;
  message: Record<string, unknown>;
}

/** A status of a message that we sent. */
export interface DeliveryStatus {
  wamid: string;
  /** Our own id, if the status repeats it. */
  message_id: string | null;
  status: "sent" | "delivered" | "read" | "failed";
  error_code: number | null;
}

/** What a webhook brought; items of unknown form are only counted. */
export interface Delivery {
  messages: DeliveredMessage[];
  statuses: DeliveryStatus[];
  ignored: number;
}

const SIGNATURE = /^sha256=([0-9a-f]{64})$/i;

/** True if X-Hub-Signature-256 is the HMAC-SHA-256 of these very bytes under the app secret; in constant time. */
export async function signedByMeta(
  config: Config,
  header: string | undefined,
  raw: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const given = SIGNATURE.exec(header ?? "")?.[1];
  if (given === undefined) return false;
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", utf8(config.WHATSAPP_APP_SECRET), algorithm, false, [
    "sign",
  ]);
  const expected = toHex(await crypto.subtle.sign("HMAC", key, raw));
  return constantTimeEqual(expected, given.toLowerCase());
}

const list = z.array(z.unknown()).catch([]);
const envelope = z.looseObject({ object: z.literal("whatsapp_business_account"), entry: list });
const entry = z.looseObject({ changes: list });
const change = z.looseObject({
  field: z.literal("messages"),
  value: z.looseObject({
    metadata: z.looseObject({ phone_number_id: z.string() }).optional().catch(undefined),
    messages: list.optional().default([]),
    statuses: list.optional().default([]),
  }),
});
const message = z.looseObject({
  id: z.string().min(1).max(256),
  from: z.string().regex(/^\d{5,15}$/),
  timestamp: z.unknown(),
});
const status = z.looseObject({
  id: z.string().min(1).max(256),
  status: z.enum(["sent", "delivered", "read", "failed"]),
  biz_opaque_callback_data: z.string().nullable().catch(null).default(null),
  errors: z
    .tuple([z.looseObject({ code: z.number().int() })], z.unknown())
    .optional()
    .catch(undefined),
});

/**
 * Reads a webhook's parsed body. Never throws: Meta adds types and fields at any time, and what it is not answered
 * 200 for comes again for a week. Messages to another number than ours (if ours is known) are ignored.
 */
export function readDelivery(body: unknown, phone_number_id?: string): Delivery {
  const delivery: Delivery = { messages: [], statuses: [], ignored: 0 };
  const ignore = (): void => void delivery.ignored++;
  const envelopes = parsed(envelope, [body], ignore);
  const entries = parsed(
    entry,
    envelopes.flatMap((it) => it.entry),
    ignore,
  );
  for (const { value } of parsed(
    change,
    entries.flatMap((it) => it.changes),
    ignore,
  )) {
    const number = value.metadata?.phone_number_id;
    if (phone_number_id !== undefined && number !== undefined && number !== phone_number_id) {
      ignore();
      continue;
    }
    for (const given of parsed(message, value.messages, ignore)) {
      const { id, from, timestamp } = given;
      delivery.messages.push({ wamid: id, from, timestamp_s: seconds(timestamp), message: given });
    }
    for (const given of parsed(status, value.statuses, ignore)) {
      delivery.statuses.push({
        wamid: given.id,
        message_id: given.biz_opaque_callback_data,
        status: given.status,
        error_code: given.errors?.[0].code ?? null,
      });
    }
  }
  return delivery;
}

function parsed<S extends z.ZodType>(schema: S, items: readonly unknown[], ignore: () => void): z.infer<S>[] {
  return items.flatMap((item) => {
    const result = schema.safeParse(item);
    if (result.success) return [result.data];
    ignore();
    return [];
  });
}

function seconds(timestamp: unknown): number | null {
  const text = typeof timestamp === "number" ? String(timestamp) : timestamp;
  return typeof text === "string" && /^\d{1,12}$/.test(text) ? Number(text) : null;
}
