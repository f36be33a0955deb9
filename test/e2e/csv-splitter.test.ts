import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CsvSplitter, csvCell } from "../../scripts/lib/csv.ts";

describe("the CSV splitter", () => {
  it("gives the same rows however the text is cut into pieces", () => {
    const field = fc.string({ unit: fc.constantFrom("a", "7", ",", '"', "\n", "\r", " ", "ह") });
    const table = fc.array(fc.array(field, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(
        table,
        fc.constantFrom("\n", "\r\n"),
        fc.boolean(),
        fc.integer({ min: 1, max: 9 }),
        (rows, end, ended, size) => {
          const lines = rows.map((cells) => cells.map(csvCell).join(","));
          const text = lines.join(end) + (ended || lines.at(-1) === "" ? end : "");
          const splitter = new CsvSplitter();
          const got: string[][] = [];
          for (let at = 0; at < text.length; at += size) {
            for (const { cells } of splitter.push(text.slice(at, at + size))) got.push(cells);
          }
          for (const { cells } of splitter.end()) got.push(cells);
          expect(got).toEqual(rows);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("gives up on a quote that is never closed before it fills the memory", () => {
    const splitter = new CsvSplitter();
    const read = (): void => {
      for (let i = 0; i < 1_000; i++) for (const _ of splitter.push(`"${"a".repeat(4_096)}`));
    };
    expect(() => [...splitter.push("x\n")]).not.toThrow();
    expect(read).toThrow(RangeError);
  });
});
