import { createHash } from "node:crypto";

const encoder = new TextEncoder();

/** UTF-8 bytes of a text. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Lower-case hex of bytes. */
export function toHex(bytes: ArrayBuffer | Uint8Array): string {
  return Buffer.from(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes)).toString("hex");
}

/** Bytes of a hex text; throws RangeError if it is not an even number of hex digits. */
export function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  if (!/^(?:[0-9a-f]{2})*$/i.test(hex)) throw new RangeError("not hexadecimal");
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** Lower-case hex SHA-256 of a text (as UTF-8) or bytes. Synchronous, so that it can stand inside a transaction. */
export function sha256Hex(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** Compares two texts in a time that depends on neither's content, only on their lengths. */
export function constantTimeEqual(a: string, b: string): boolean {
  // Comparing digests gives equal lengths without telling where the texts differ.
  const left = createHash("sha256").update(a).digest();
  const right = createHash("sha256").update(b).digest();
  let difference = a.length ^ b.length;
  for (let i = 0; i < left.length; i++) difference |= left[i]! ^ right[i]!;
  return difference === 0;
}
