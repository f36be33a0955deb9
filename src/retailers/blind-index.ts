import { createHmac } from "node:crypto";
import type { Config } from "../config.ts";
import { fromHex } from "../lib/bytes.ts";

/** Names of the present HMAC keys, kept beside every index so that a rotation can tell old rows from new. */
export const KEY_IDS = { gstin: "gstin-1", phone: "phone-1" } as const;

const GSTIN_DOMAIN = "altscore/gstin/v1\0";
const COUNTRY_CODE = "91";

const keyBytes = new Map<string, Uint8Array>();

/**
 * HMAC-SHA-256 of a text under a key given in hex, as lower-case hex. Synchronous: a batch needs hundreds, and
 * each call of the asynchronous interface would cost more than the hash.
 */
export function keyedHash(key_hex: string, text: string): string {
  let key = keyBytes.get(key_hex);
  if (!key) {
    key = fromHex(key_hex);
    keyBytes.set(key_hex, key);
  }
  return createHmac("sha256", key).update(text).digest("hex");
}

/** Blind index of a GSTIN in any letter case; 64 hex digits. Not reversible without the key. */
export function gstinIndex(config: Pick<Config, "GSTIN_INDEX_KEY">, gstin: string): string {
  return keyedHash(config.GSTIN_INDEX_KEY, GSTIN_DOMAIN + gstin.trim().toUpperCase());
}

/** Blind index of a 10-digit Indian phone: the same value as `retailer_phone_hash` of the consent API. */
export function phoneIndex(config: Pick<Config, "PHONE_PEPPER">, phone: string): string {
  return e164Index(config, COUNTRY_CODE + phone);
}

/** The same for a phone of any country, given as E.164 digits without `+`, as WhatsApp writes them. */
export function e164Index(config: Pick<Config, "PHONE_PEPPER">, digits: string): string {
  return keyedHash(config.PHONE_PEPPER, digits);
}
