import type { Config } from "../config.ts";
import { fromHex, utf8 } from "../lib/bytes.ts";

const IV_BYTES = 12;
const VERSION = "v1";

const keys = new WeakMap<Config, CryptoKey>();

async function encryptionKey(config: Config): Promise<CryptoKey> {
  const known = keys.get(config);
  if (known) return known;
  const raw = fromHex(config.KEY_ENCRYPTION_SECRET);
  const key = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
  keys.set(config, key);
  return key;
}

/**
 * Encrypts a text with AES-256-GCM under KEY_ENCRYPTION_SECRET (api.md §2). `aad` names what the text belongs
 * to (a kid, a distributor_id), so that a sealed value moved to another row does not open.
 * Returns `v1.<iv>.<ciphertext and tag>`, both parts base64url.
 */
export async function seal(config: Config, plaintext: string, aad: string): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const sealed = await crypto.subtle.encrypt(
    { name: "AES-GCM", iv, additionalData: utf8(aad) },
    await encryptionKey(config),
    utf8(plaintext),
  );
  return [
    VERSION,
    Buffer.from(iv).toString("base64url"),
    Buffer.from(new Uint8Array(sealed)).toString("base64url"),
  ].join(".");
}

/** Opens what `seal` made with the same `aad`; throws Error if the value, the aad or the secret is not the same. */
export async function unseal(config: Config, sealed: string, aad: string): Promise<string> {
  const [version, iv, ciphertext] = sealed.split(".");
  if (version !== VERSION || !iv || !ciphertext) throw new Error("sealed value has an unknown form");
  const plaintext = await crypto.subtle.decrypt(
    { name: "AES-GCM", iv: new Uint8Array(Buffer.from(iv, "base64url")), additionalData: utf8(aad) },
    await encryptionKey(config),
    new Uint8Array(Buffer.from(ciphertext, "base64url")),
  );
  return new TextDecoder().decode(plaintext);
}
