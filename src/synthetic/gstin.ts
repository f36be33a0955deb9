import { gstinCheckDigit } from "../ingestion/gstin.ts";
import { sha256Hex } from "../lib/bytes.ts";

/** GST state codes of the larger states. */
const STATE_CODES = ["07", "08", "09", "10", "19", "21", "23", "24", "27", "29", "32", "33", "36", "37"];
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/**
 * A made-up GSTIN with a correct check digit, the same one for the same text. Its PAN begins with Z, a series
 * that has not been issued, and P (a person) as fourth letter, so that it names no real taxpayer.
 */
export function madeUpGstin(seedText: string): string {
  const digest = sha256Hex(`made-up GSTIN ${seedText}`);
  const number = (part: number): number => Number.parseInt(digest.slice(8 * part, 8 * part + 8), 16);
  const letter = (part: number): string => LETTERS[number(part) % LETTERS.length]!;
  const state = STATE_CODES[number(0) % STATE_CODES.length]!;
  const serial = String(number(4) % 10_000).padStart(4, "0");
  const first14 = `${state}Z${letter(1)}${letter(2)}P${letter(3)}${serial}${letter(5)}1Z`;
  return first14 + gstinCheckDigit(first14);
}
