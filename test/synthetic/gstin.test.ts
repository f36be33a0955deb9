import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { madeUpGstin } from "../../src/synthetic/gstin.ts";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** The check rule written out once more, so that the test does not ask the code about itself. */
function checkDigitHolds(gstin: string): boolean {
  const sum = [...gstin.slice(0, 14)].reduce((total, character, i) => {
    const product = ALPHABET.indexOf(character) * (i % 2 === 0 ? 1 : 2);
    return total + Math.floor(product / 36) + (product % 36);
  }, 0);
  return gstin[14] === ALPHABET[(36 - (sum % 36)) % 36];
}

describe("made-up GSTINs", () => {
  it("have the form of a regular taxpayer's and a correct check digit, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const gstin = madeUpGstin(text);
        expect(gstin).toMatch(/^[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z]1Z[0-9A-Z]$/);
        expect(checkDigitHolds(gstin)).toBe(true);
        expect(madeUpGstin(text)).toBe(gstin);
      }),
    );
  });

  it("name nobody: their PAN begins with Z, a series that is not issued, and belongs to a person", () => {
    expect(madeUpGstin("0379-NEVHP").slice(2)).toMatch(/^Z[A-Z]{2}P/);
  });

  it("differ between five thousand customers", () => {
    const gstins = new Set(Array.from({ length: 5_000 }, (_, i) => madeUpGstin(`customer ${i}`)));
    expect(gstins.size).toBe(5_000);
  });
});
