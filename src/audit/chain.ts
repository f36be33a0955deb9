import { sha256Hex } from "../lib/bytes.ts";
import { canonicalJson } from "../lib/jcs.ts";

/** `prev_hash` of the first row of a chain. */
export const GENESIS_HASH = "0".repeat(64);

/** One link: the RFC 8785 text that was hashed, and its SHA-256. */
export interface Link {
  canonical: string;
  row_hash: string;
}

/** The last row of a chain; `seq` 0 before the first. */
export interface ChainHead {
  seq: number;
  row_hash: string;
}

/** The head of a chain without rows. */
export const EMPTY_HEAD: ChainHead = { seq: 0, row_hash: GENESIS_HASH };

/** The next link after `prev_hash` for a row of plain JSON; synchronous, so it can stand inside a transaction. */
export function nextLink(prev_hash: string, row: Record<string, unknown>): Link {
  const canonical = canonicalJson({ ...row, prev_hash });
  return { canonical, row_hash: sha256Hex(canonical) };
}

/**
 * The first thing wrong with rows given in order from the one that follows `head` (by default from a chain's first
 * row, seq 1), or null if they are whole: a changed, dropped, reordered or added row is seen; a cut-off end is not
 * (that needs the anchor, see verify.ts).
 */
export function chainProblem(links: readonly Link[], head: ChainHead = EMPTY_HEAD): string | null {
  let { row_hash: prev_hash } = head;
  for (const [index, link] of links.entries()) {
    const seq = head.seq + index + 1;
    if (sha256Hex(link.canonical) !== link.row_hash) return `row ${seq}: its hash does not match its content`;
    const row = contentOf(link);
    if (row.prev_hash !== prev_hash) return `row ${seq}: does not follow the row before it`;
    if (row.seq !== seq) return `row ${seq}: carries number ${String(row.seq)}`;
    prev_hash = link.row_hash;
  }
  return null;
}

/** The fields of a row; none if its text is not a JSON object. */
export function contentOf({ canonical }: Link): Record<string, unknown> {
  try {
    const content: unknown = JSON.parse(canonical);
    return typeof content === "object" && content !== null ? (content as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
