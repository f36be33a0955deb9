import { sha256Hex } from "../lib/bytes.ts";
import { canonicalJson } from "../lib/jcs.ts";

/** `prev_hash` of the first row of a chain. */
export const GENESIS_HASH = "0".repeat(64);

/** One link: the RFC 8785 text that was hashed, and its SHA-256. */
export interface Link {
  canonical: string;
  row_hash: string;
}

/** The next link after `prev_hash` for a row of plain JSON; synchronous, so it can stand inside a transaction. */
export function nextLink(prev_hash: string, row: Record<string, unknown>): Link {
  const canonical = canonicalJson({ ...row, prev_hash });
  return { canonical, row_hash: sha256Hex(canonical) };
}

/**
 * The first thing wrong with a chain given in order from its first row (seq 1), or null if it is whole:
 * a changed, dropped, reordered or added row is seen; a cut-off end is not (that needs the anchor).
 */
export function chainProblem(links: readonly Link[]): string | null {
  let prev_hash = GENESIS_HASH;
  for (const [index, link] of links.entries()) {
    const seq = index + 1;
    if (sha256Hex(link.canonical) !== link.row_hash) return `row ${seq}: its hash does not match its content`;
    const row = JSON.parse(link.canonical) as { prev_hash?: unknown; seq?: unknown };
    if (row.prev_hash !== prev_hash) return `row ${seq}: does not follow the row before it`;
    if (row.seq !== seq) return `row ${seq}: carries number ${String(row.seq)}`;
    prev_hash = link.row_hash;
  }
  return null;
}
