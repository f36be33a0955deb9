import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gstinCheckDigit, isValidGstin, normaliseGstin } from "../../src/ingestion/gstin.ts";

const VALID = [
  "27AAPFU0939F1ZV",
  "29AAGCB7383J1Z4",
  "07AAPFU0939F1ZX",
  "29AABCT1332L1ZA",
  "24AAQCA8719H1ZC",
  "05AAACG2115R1ZN",
  "05AAACG2140A1ZL",
  "29AABCR1718E1ZL",
  "24AANFA2641L1ZF",
  "24AABCR6898M1ZN",
  "01AAAAP1208Q1ZS",
  "29AAHCM7727Q1ZI",
  "33AAAAR6720M1ZG",
  "24AAUPV7468F1ZW",
  "24AUTPV8831F1ZZ",
  "36AASFP8573D2ZN",
  "29AABCF8078M2ZW",
  "27AAJCS5738D1Z6",
  "24AANCA4892J1Z8",
];
const INVALID = {
  "27AAPFU0939F1Z": "is too short",
  "369296450896540": "has the wrong form",
  "27AAPFU0939F1ZO": "should end in V",
  "27AAPFU0939F1Z0": "should end in V",
  "27AAPFU0939F1ZW": "should end in V",
  "72AAPFU0939F1ZV": "has another state, so another check digit",
  "29AAGCA8719B1Z8": "should end in O",
  "09ZZZZZ0000Z1Z5": "should end in O",
  "24AANFA2641L1ZK": "should end in F",
  "01AABCE2207R1Z5": "is a sandbox number without a check digit",
};
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

describe("a GSTIN", () => {
  it.each(VALID)("%s is valid", (gstin) => {
    expect(isValidGstin(gstin)).toBe(true);
    expect(gstinCheckDigit(gstin.slice(0, 14))).toBe(gstin.charAt(14));
  });

  it.each(Object.entries(INVALID))("%s is not: it %s", (gstin) => {
    expect(isValidGstin(gstin)).toBe(false);
  });

  it("may have another letter than Z before the check digit: form and check digit decide", () => {
    expect(isValidGstin("27AAPFU0939F1AA")).toBe(true);
  });

  it("is checked in upper case without blanks, which normalising gives", () => {
    expect(isValidGstin("27aapfu0939f1zv")).toBe(false);
    expect(normaliseGstin(" 27aapfu0939f1zv ")).toBe("27AAPFU0939F1ZV");
  });

  it("does not come out of letters that only look alike after raising", () => {
    // U+017F (long s) becomes S in upper case.
    expect(isValidGstin(normaliseGstin("36aa\u017Ffp8573d2zn"))).toBe(false);
  });

  it("is no longer valid once a single character is changed", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...VALID),
        fc.nat(14),
        fc.constantFrom(...ALPHABET),
        (gstin, at, character) => {
          fc.pre(gstin.charAt(at) !== character);
          expect(isValidGstin(gstin.slice(0, at) + character + gstin.slice(at + 1))).toBe(false);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

describe("the check digit", () => {
  it("is refused for anything but 14 characters of 0-9 and A-Z", () => {
    for (const text of ["", "27AAPFU0939F1", "27AAPFU0939F1Z0", "27aapfu0939f1z"]) {
      expect(() => gstinCheckDigit(text)).toThrow(RangeError);
    }
  });
});
