import { fromHex, utf8 } from "../lib/bytes.ts";
import { randomHex } from "../lib/seams.ts";

/** Standard Webhooks asks for 24 to 64 bytes. */
const SECRET_BYTES = 32;
const SECRET_PREFIX = "whsec_";

/** A new signing secret: `whsec_` and the key's bytes in base64. */
export function newSecret(): string {
  return SECRET_PREFIX + Buffer.from(fromHex(randomHex(SECRET_BYTES))).toString("base64");
}

/**
 * The headers of Standard Webhooks 1.0 for a message: `webhook-signature` holds `v1,` and the base64 HMAC-SHA-256 of
 * `id.timestamp.body`, once for each secret in force, parted by spaces. `timestamp_s` is that of the attempt.
 */
export async function signedHeaders(
  secrets: readonly string[],
  message: { id: string; timestamp_s: number; body: string },
): Promise<Record<string, string>> {
  const { id, timestamp_s, body } = message;
  const content = utf8(`${id}.${timestamp_s}.${body}`);
  const signatures = await Promise.all(secrets.map((secret) => signature(secret, content)));
  return {
    "webhook-id": id,
    "webhook-timestamp": String(timestamp_s),
    "webhook-signature": signatures.join(" "),
  };
}

async function signature(secret: string, content: Uint8Array): Promise<string> {
  const raw = new Uint8Array(Buffer.from(secret.slice(SECRET_PREFIX.length), "base64"));
  const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const mac = await crypto.subtle.sign("HMAC", key, content);
  return `v1,${Buffer.from(mac).toString("base64")}`;
}
