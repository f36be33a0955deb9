/**
 * The one seam for time, ids and randomness. Everything outside `scoring/` (which is pure and takes days as
 * arguments) asks here, so that tests control time with fake timers and ids are made in one place.
 */

/** Milliseconds since the Unix epoch. */
export function nowMs(): number {
  return Date.now();
}

/** The present instant as ISO 8601 UTC with `Z`, milliseconds kept. */
export function nowIso(): string {
  return new Date(nowMs()).toISOString();
}

/** `bytes` bytes from the CSPRNG as lower-case hex. */
export function randomHex(bytes: number): string {
  const buffer = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(buffer, (b) => b.toString(16).padStart(2, "0")).join("");
}

/** Prefixes of the ids (api.md §1; `ntc` a lender notice, `whk` a webhook); each is followed by 16 random hex digits. */
export type IdPrefix =
  | "ret"
  | "dist"
  | "cns"
  | "bat"
  | "scr"
  | "grv"
  | "mdl"
  | "evt"
  | "grp"
  | "ntc"
  | "whk"
  | "inv"
  | "req"
  | "cor";

/** A new random id such as `ret_0123456789abcdef`; never derived from anything. */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${randomHex(8)}`;
}

/** A new random UUID (version 4). */
export function newUuid(): string {
  return crypto.randomUUID();
}
