import { desc, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { signingKey } from "../auth/keys.ts";
import type { Env } from "../env.ts";
import { signEs256 } from "../lib/es256.ts";
import { nowIso } from "../lib/seams.ts";
import { type ChainHead, chainProblem, EMPTY_HEAD, type Link, nextLink } from "./chain.ts";
import { auditAnchors, auditEvents, auditStreams } from "./tables.ts";
import type { Anchor, AnchorContent, AnchorHead } from "./verify.ts";

const PAGE = 1_000;

/**
 * The daily anchor: checks every row that came since the last one, and that the anchored rows are still there; then
 * signs where each stream stands and stores that. What is wrong stands in the anchor, and the head of that stream stays where it
 * was, so that heads only ever grow; it also fails the run, after the anchor is stored. The anchor goes to
 * the log as well: a copy outside the database.
 */
export async function anchorAudit(env: Env): Promise<void> {
  const last = await latestAnchor(env);
  const { heads, problems } = await checkedHeads(env, last?.heads ?? []);
  if (heads.length === 0 && problems.length === 0) return;
  const seq = (last?.seq ?? 0) + 1;
  const content: Omit<AnchorContent, "prev_hash"> = {
    version: 1,
    seq,
    anchored_at: nowIso(),
    heads,
    problems,
  };
  const { canonical, row_hash } = nextLink(last?.anchor_hash ?? EMPTY_HEAD.row_hash, { ...content });
  const { kid, key } = await signingKey(env, "ES256");
  const seal = { anchor_hash: row_hash, signature: await signEs256(key, canonical), key_id: kid };
  // Two runs at once both follow the same anchor: the number lets one of them in.
  await drizzle(env.DB)
    .insert(auditAnchors)
    .values({ seq, anchored_at: content.anchored_at, canonical, ...seal });
  console.log(JSON.stringify({ task: "audit anchor", seq, anchored_at: content.anchored_at, ...seal }));
  if (problems.length > 0) {
    throw new Error(`audit: ${problems.map(({ stream, problem }) => `${stream}: ${problem}`).join("; ")}`);
  }
}

/** The newest anchor; null before the first. */
export async function latestAnchor(env: Env): Promise<Anchor | null> {
  const row = await drizzle(env.DB)
    .select()
    .from(auditAnchors)
    .orderBy(desc(auditAnchors.seq))
    .limit(1)
    .get();
  if (!row) return null;
  const { canonical, anchor_hash, signature, key_id } = row;
  return { ...(JSON.parse(canonical) as AnchorContent), anchor_hash, signature, key_id };
}

interface Heads {
  heads: AnchorHead[];
  problems: AnchorContent["problems"];
}

/** Where each stream stands now, by the rows from the anchored one of each on; D1 is read in pages over all streams. */
async function checkedHeads(env: Env, anchored: readonly AnchorHead[]): Promise<Heads> {
  const streams = new Map(anchored.map((head) => [head.stream, new StreamWalk(head)]));
  for (let after: { stream: string; seq: number } | null = { stream: "", seq: 0 }; after; ) {
    const page: NewRow[] = await newRows(env, anchored, after);
    for (const [stream, rows] of Map.groupBy(page, (row) => row.stream)) {
      const walk = streams.get(stream) ?? new StreamWalk(null);
      walk.take(rows);
      streams.set(stream, walk);
    }
    after = page.length < PAGE ? null : (page.at(-1) as NewRow);
  }
  const found = [...streams].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    heads: found
      .map(([stream, { head }]) => ({ stream, seq: head.seq, row_hash: head.row_hash }))
      .filter(({ seq }) => seq > 0),
    problems: found.flatMap(([stream, walk]) => {
      const problem = walk.problem();
      return problem === null ? [] : [{ stream, problem }];
    }),
  };
}

interface NewRow extends Link {
  stream: string;
  seq: number;
}

/**
 * Rows of all streams from their anchored row on (or their first), ordered by stream and number. The streams lead and
 * each is entered at its own row, so a page reads no more than it gives, however long the streams are.
 */
function newRows(
  env: Env,
  anchored: readonly AnchorHead[],
  after: { stream: string; seq: number },
): Promise<NewRow[]> {
  return drizzle(env.DB).all<NewRow>(sql`
    SELECT e.stream, e.seq, e.canonical, e.row_hash
    FROM ${auditStreams} s CROSS JOIN ${auditEvents} e ON e.stream = s.stream AND e.seq >= max(
      coalesce((SELECT value->>'$.seq' FROM json_each(${JSON.stringify(anchored)})
        WHERE value->>'$.stream' = s.stream), 1),
      CASE s.stream WHEN ${after.stream} THEN ${after.seq + 1} ELSE 1 END)
    WHERE s.stream >= ${after.stream} ORDER BY s.stream, e.seq LIMIT ${PAGE}`);
}

/** One stream on its way from the anchored head to the present one. */
class StreamWalk {
  head: ChainHead;
  readonly #anchored: ChainHead | null;
  #anchored_is_there: boolean;
  #problem: string | null = null;

  constructor(anchored: AnchorHead | null) {
    this.#anchored = anchored;
    this.#anchored_is_there = anchored === null;
    this.head = anchored ?? EMPTY_HEAD;
  }

  /** Takes the next rows, in order. */
  take(rows: readonly NewRow[]): void {
    let fresh = rows;
    const [first] = rows;
    if (!this.#anchored_is_there && first && first.seq === this.#anchored?.seq) {
      this.#anchored_is_there = true;
      fresh = rows.slice(1);
      if (first.row_hash !== this.#anchored.row_hash)
        this.#problem = `row ${first.seq}: is not the one the last anchor knows`;
    }
    if (this.#anchored_is_there) this.#problem ??= chainProblem(fresh, this.head);
    const last = fresh.at(-1);
    if (last && this.problem() === null) this.head = { seq: last.seq, row_hash: last.row_hash };
  }

  problem(): string | null {
    if (this.#anchored_is_there) return this.#problem;
    return `row ${this.#anchored?.seq}: is gone, the last anchor knows it`;
  }
}
