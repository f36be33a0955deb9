import { importJWK, type JWK } from "jose";
import { fromHex, toHex, utf8 } from "./bytes.ts";

const ECDSA = { name: "ECDSA", hash: "SHA-256" } as const;

/** ES256 over the UTF-8 bytes of a text, as 128 hex digits (r||s). */
export async function signEs256(key: CryptoKey, text: string): Promise<string> {
  return toHex(await crypto.subtle.sign(ECDSA, key, utf8(text)));
}

/** True if `signature` (128 hex digits) is this key's over the text; a key that is not one has signed nothing. */
export async function signedEs256(jwk: JWK, signature: string, text: string): Promise<boolean> {
  if (!/^[0-9a-f]{128}$/.test(signature)) return false;
  try {
    const key = await importJWK(jwk, "ES256");
    if (key instanceof Uint8Array) return false;
    return await crypto.subtle.verify(ECDSA, key, fromHex(signature), utf8(text));
  } catch {
    return false;
  }
}
