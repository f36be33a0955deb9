import type { JWK } from "jose";
import { sha256Hex } from "../lib/bytes.ts";
import { signedEs256 } from "../lib/es256.ts";
import { canonicalJson } from "../lib/jcs.ts";
import { type ChainHead, chainProblem, contentOf, type Link } from "./chain.ts";

/** The last row of a stream at the time of an anchor. */
export interface AnchorHead extends ChainHead {
  stream: string;
}

/** What an anchor says: where every stream stood, and what was found wrong with them. */
export interface AnchorContent {
  /** Version of this form. */
  version: 1;
  seq: number;
  anchored_at: string;
  heads: AnchorHead[];
  problems: { stream: string; problem: string }[];
  /** anchor_hash of the anchor before; 64 zeros in the first. */
  prev_hash: string;
}

/** An anchor as exported: its content with SHA-256 and ES256 signature of its RFC 8785 form. */
export interface Anchor extends AnchorContent {
  anchor_hash: string;
  signature: string;
  key_id: string;
}

/** What verifying a stream gave; `anchored_seq` is how far the anchor vouches for it, null if it does not know it. */
export interface StreamCheck {
  stream: string | null;
  problem: string | null;
  anchored_seq: number | null;
}

/**
 * Checks a stream given from its first row on. Its rows alone show any that was changed, dropped, reordered or added
 * between them; with an anchor also a cut-off end and a stream that was written anew, up to the anchored row.
 * Whether the anchor itself is genuine is for `anchorProblem`.
 */
export function verifyStream(rows: readonly Link[], anchor?: Pick<AnchorContent, "heads">): StreamCheck {
  const [first] = rows;
  if (!first)
    return { stream: null, problem: "it has no rows: a stream has at least one", anchored_seq: null };
  const { stream } = contentOf(first);
  if (typeof stream !== "string")
    return { stream: null, problem: "row 1: names no stream", anchored_seq: null };
  const head = anchor?.heads.find((known) => known.stream === stream);
  const problem = chainProblem(rows) ?? strayProblem(rows, stream) ?? (head ? headProblem(rows, head) : null);
  return { stream, problem, anchored_seq: head?.seq ?? null };
}

function strayProblem(rows: readonly Link[], stream: string): string | null {
  const index = rows.findIndex((row) => contentOf(row).stream !== stream);
  return index < 0 ? null : `row ${index + 1}: belongs to another stream`;
}

function headProblem(rows: readonly Link[], head: AnchorHead): string | null {
  if (rows.length < head.seq) {
    const missing =
      rows.length + 1 === head.seq ? `row ${head.seq} is` : `rows ${rows.length + 1} to ${head.seq} are`;
    return `${missing} missing: the anchor knows row ${head.seq}`;
  }
  return rows[head.seq - 1]?.row_hash === head.row_hash
    ? null
    : `row ${head.seq}: is not the one the anchor knows`;
}

/** The first thing wrong with an anchor's hash or, if public keys are given, its signature; null if it is genuine. */
export async function anchorProblem(anchor: Anchor, jwks?: { keys: JWK[] }): Promise<string | null> {
  const { anchor_hash, signature, key_id, ...content } = anchor;
  const canonical = canonicalJson(content);
  if (sha256Hex(canonical) !== anchor_hash) return "its hash does not match its content";
  if (!jwks) return null;
  const jwk = jwks.keys.find(({ kid }) => kid === key_id);
  if (!jwk) return "its key is not among the given ones";
  return (await signedEs256(jwk, signature, canonical)) ? null : "its signature does not match";
}
