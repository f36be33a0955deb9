import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EMPTY_HEAD, type Link, nextLink } from "../../src/audit/chain.ts";
import { exportedLine, readExportedLine } from "../../src/audit/rows.ts";
import { verifyStream } from "../../src/audit/verify.ts";
import { streamOf } from "./support.ts";

const STREAM = "events:7";
const RUNS = { numRuns: 1_000 };
const outcomes = fc.array(fc.string(), { minLength: 2, maxLength: 10 });
/** A stream, one of its rows, and the anchor taken at its end. */
const anchored = fc.tuple(outcomes, fc.nat()).map(([texts, at]) => {
  const rows = streamOf(STREAM, texts);
  return { rows, index: at % rows.length, anchor: anchorOf(rows) };
});

function anchorOf(rows: Link[]) {
  return { heads: [{ stream: STREAM, seq: rows.length, row_hash: rows.at(-1)?.row_hash ?? "" }] };
}

/** The content of a row, changed, under a hash that fits it: what a forger would write. */
function forged(row: Link, changes: Record<string, unknown>): Link {
  const { prev_hash, ...content } = JSON.parse(row.canonical) as { prev_hash: string };
  return nextLink(prev_hash, { ...content, ...changes });
}

const problemOf = (rows: Link[], anchor?: ReturnType<typeof anchorOf>) => verifyStream(rows, anchor).problem;

describe("an audit stream", () => {
  it("passes untouched, with and without its anchor, also when it has grown since", () => {
    fc.assert(
      fc.property(anchored, ({ rows, index }) => {
        const earlier = anchorOf(rows.slice(0, index + 1));
        expect(verifyStream(rows)).toEqual({ stream: STREAM, problem: null, anchored_seq: null });
        expect(verifyStream(rows, earlier)).toEqual({
          stream: STREAM,
          problem: null,
          anchored_seq: index + 1,
        });
      }),
      RUNS,
    );
  });

  it("passes through its export unchanged, whatever the texts in it", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme" }), { minLength: 1 }), (texts) => {
        const rows = streamOf(STREAM, texts);
        expect(rows.map((row) => readExportedLine(exportedLine(row)))).toEqual(rows);
      }),
      RUNS,
    );
  });

  it("shows any changed row, even under a hash that fits it", () => {
    fc.assert(
      fc.property(anchored, fc.string(), fc.boolean(), ({ rows, index, anchor }, text, rehashed) => {
        const row = rows[index] as Link;
        const changed = forged(row, { outcome: `${text} ` });
        fc.pre(changed.canonical !== row.canonical);
        const rest = rehashed ? changed : { ...changed, row_hash: row.row_hash };
        expect(problemOf(rows.with(index, rest), anchor)).not.toBeNull();
      }),
      RUNS,
    );
  });

  it("shows any exported line of which one character is another", () => {
    fc.assert(
      fc.property(anchored, fc.nat(), fc.string({ minLength: 1, maxLength: 1 }), (given, at, character) => {
        const { rows, index, anchor } = given;
        const line = exportedLine(rows[index] as Link);
        const position = at % line.length;
        fc.pre(line[position] !== character);
        const read = readExportedLine(line.slice(0, position) + character + line.slice(position + 1));
        expect(read === null || problemOf(rows.with(index, read), anchor) !== null).toBe(true);
      }),
      RUNS,
    );
  });

  it("shows any dropped row, the last ones by the anchor", () => {
    fc.assert(
      fc.property(anchored, ({ rows, index, anchor }) => {
        expect(problemOf(rows.toSpliced(index, 1), anchor)).not.toBeNull();
        if (index > 0)
          expect(problemOf(rows.slice(0, index), anchor)).toMatch(/missing: the anchor knows row/);
      }),
      RUNS,
    );
  });

  it("shows any two rows that changed places", () => {
    fc.assert(
      fc.property(anchored, fc.nat(), ({ rows, index, anchor }, step) => {
        const other = (index + 1 + (step % (rows.length - 1))) % rows.length;
        const [a, b] = [rows[index] as Link, rows[other] as Link];
        expect(problemOf(rows.with(index, b).with(other, a), anchor)).not.toBeNull();
      }),
      RUNS,
    );
  });

  it("shows any added row: a doubled one, and a forged one that follows the row before it", () => {
    fc.assert(
      fc.property(anchored, fc.string(), ({ rows, index, anchor }, outcome) => {
        expect(problemOf(rows.toSpliced(index, 0, rows[index] as Link), anchor)).not.toBeNull();
        const prev_hash = rows[index - 1]?.row_hash ?? EMPTY_HEAD.row_hash;
        const added = nextLink(prev_hash, { stream: STREAM, seq: index + 1, outcome });
        expect(problemOf(rows.toSpliced(index, 0, added), anchor)).not.toBeNull();
      }),
      RUNS,
    );
  });

  it("shows by the anchor that all of it was written anew", () => {
    fc.assert(
      fc.property(anchored, outcomes, ({ rows, anchor }, others) => {
        const anew = streamOf(STREAM, others);
        fc.pre(anew[rows.length - 1]?.row_hash !== rows.at(-1)?.row_hash);
        expect(problemOf(anew, anchor)).not.toBeNull();
      }),
      RUNS,
    );
  });

  it("says which row is wrong and why", () => {
    const rows = streamOf(STREAM, ["a", "b", "c", "d"]);
    const anchor = anchorOf(rows);
    expect(problemOf(rows.toSpliced(1, 1))).toBe("row 2: does not follow the row before it");
    expect(problemOf(rows.slice(0, 3), anchor)).toBe("row 4 is missing: the anchor knows row 4");
    expect(problemOf(rows.slice(0, 1), anchor)).toBe("rows 2 to 4 are missing: the anchor knows row 4");
    expect(problemOf(streamOf(STREAM, ["a", "b", "c", "e"]), anchor)).toBe(
      "row 4: is not the one the anchor knows",
    );
    expect(problemOf([])).toBe("it has no rows: a stream has at least one");
  });

  it("is not one if its rows name none, or more than one, or are no JSON", () => {
    const [first] = streamOf(STREAM, ["a"]) as [Link];
    const stray = nextLink(first.row_hash, { stream: "events:8", seq: 2 });
    expect(problemOf([first, stray])).toBe("row 2: belongs to another stream");
    expect(problemOf([nextLink(EMPTY_HEAD.row_hash, { seq: 1 })])).toBe("row 1: names no stream");
    expect(problemOf([{ ...first, canonical: "not JSON" }])).toBe("row 1: names no stream");
  });
});
