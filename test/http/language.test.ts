import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { negotiateLanguage } from "../../src/http/language.ts";

describe("the language of labels", () => {
  it.each([
    [undefined, "en"],
    ["", "en"],
    ["hi", "hi"],
    ["HI-in", "hi"],
    ["en", "en"],
    ["fr", "en"],
    ["hi;q=0.5, en;q=0.9", "en"],
    ["hi;q=0.9, en;q=0.5", "hi"],
    ["hi, en", "en"],
    ["hi;q=0", "en"],
    ["*", "en"],
    ["en;q=0, *", "hi"],
    ["fr, hi;q=0.1", "hi"],
    ["hi;q=nonsense", "en"],
  ])("Accept-Language %s gives %s", (header, language) => {
    expect(negotiateLanguage(header)).toBe(language);
  });

  it("is always one of the two, whatever is sent", () => {
    fc.assert(fc.property(fc.string(), (header) => ["en", "hi"].includes(negotiateLanguage(header))));
  });
});
