import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chainProblem, GENESIS_HASH, type Link, nextLink } from "../../src/audit/chain.ts";

function chainOf(outcomes: string[]): Link[] {
  const links: Link[] = [];
  for (const [index, outcome] of outcomes.entries()) {
    links.push(nextLink(links.at(-1)?.row_hash ?? GENESIS_HASH, { seq: index + 1, outcome }));
  }
  return links;
}

const rows = fc.array(fc.string(), { minLength: 2, maxLength: 12 });

describe("a hash chain", () => {
  it("is whole as it was written", () => {
    fc.assert(fc.property(rows, (outcomes) => chainProblem(chainOf(outcomes)) === null));
  });

  it("shows any changed row", () => {
    fc.assert(
      fc.property(rows, fc.nat(), (outcomes, at) => {
        const links = chainOf(outcomes);
        const index = at % links.length;
        const { canonical, row_hash } = links[index] as Link;
        links[index] = { canonical: canonical.replace('"outcome":"', '"outcome":"x'), row_hash };
        expect(chainProblem(links)).toContain(`row ${index + 1}`);
      }),
    );
  });

  it("shows a changed row even if its own hash was made anew", () => {
    const links = chainOf(["OK", "OK", "OK"]);
    links[1] = nextLink((links[0] as Link).row_hash, { seq: 2, outcome: "never happened" });
    expect(chainProblem(links)).toBe("row 3: does not follow the row before it");
  });

  it("shows any dropped, doubled or swapped row", () => {
    fc.assert(
      fc.property(rows, fc.nat(), (outcomes, at) => {
        const links = chainOf(outcomes);
        const index = at % (links.length - 1);
        expect(chainProblem(links.toSpliced(index, 1))).not.toBeNull();
        expect(chainProblem(links.toSpliced(index, 0, links[index] as Link))).not.toBeNull();
        const [a, b] = [links[index] as Link, links[index + 1] as Link];
        expect(chainProblem(links.toSpliced(index, 2, b, a))).not.toBeNull();
      }),
    );
  });
});
