import { and, desc, eq, gte, inArray, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import { newEvent } from "../events/envelope.ts";
import { outboxInsert } from "../events/outbox.ts";
import { unavailable } from "../http/errors.ts";
import { nowMs } from "../lib/seams.ts";
import type { RiskBand, Scorecard } from "../scoring/types.ts";
import { latestScores, scores } from "./tables.ts";
import type { ServedScore } from "./types.ts";

/** How long an isolate may serve a score from its memory: short, because other isolates compute new ones. */
const MEMORY_TTL_MS = 5_000;
const MEMORY_ENTRIES = 5_000;

const memory = new Map<string, { score: ServedScore; until_ms: number }>();

const kvKey = (retailer_id: string) => `score:${retailer_id}`;

/** A row of `scores` as the pipeline makes it. */
export type NewScore = typeof scores.$inferInsert;

/**
 * The score a lender would get now, or null if there is none: isolate memory, then KV (written by the pipeline
 * only), then D1. Throws SERVICE_UNAVAILABLE if D1 is needed and cannot answer.
 */
export async function findLatestScore(env: Env, retailer_id: string): Promise<ServedScore | null> {
  const known = memory.get(retailer_id);
  if (known && known.until_ms > nowMs()) return known.score;
  // A KV failure is no reason to refuse: D1 holds the truth.
  const cached = await env.KV.get<ServedScore>(kvKey(retailer_id), "json").catch(() => null);
  const score = cached ?? (await readLatest(env, retailer_id));
  if (score) remember(score);
  return score;
}

function remember(score: ServedScore): void {
  if (memory.size >= MEMORY_ENTRIES) memory.clear();
  memory.set(score.retailer_id, { score, until_ms: nowMs() + MEMORY_TTL_MS });
}

async function readLatest(env: Env, retailer_id: string): Promise<ServedScore | null> {
  try {
    const row = await drizzle(env.DB)
      .select({
        score_id: scores.score_id,
        retailer_id: scores.retailer_id,
        scored_at: scores.scored_at,
        score_version: scores.score_version,
        watermarks: scores.watermarks,
        scorecard: scores.scorecard,
      })
      .from(latestScores)
      .innerJoin(scores, eq(scores.score_id, latestScores.score_id))
      .where(eq(latestScores.retailer_id, retailer_id))
      .get();
    return row ? toServed(row) : null;
  } catch (cause) {
    throw unavailable(cause);
  }
}

function toServed(row: {
  score_id: string;
  retailer_id: string;
  scored_at: string;
  score_version: string;
  watermarks: string;
  scorecard: string;
}): ServedScore {
  const card = servedCard(JSON.parse(row.scorecard) as Scorecard);
  const distributor_ids = Object.keys(JSON.parse(row.watermarks) as Record<string, number>);
  const { score_id, retailer_id, scored_at, score_version } = row;
  return { score_id, retailer_id, scored_at, score_version, distributor_ids, card };
}

/** The card without the engine's internals. */
function servedCard(card: Scorecard): ServedScore["card"] {
  if (card.status === "scored") {
    const { features: _features, shap: _shap, shap_bias: _bias, ...served } = card;
    return served;
  }
  const { features: _features, ...served } = card;
  return served;
}

/**
 * Stores a score with its event and, unless a newer one is there, makes it the latest: one transaction. The same
 * inputs are stored once, however often and in whatever order the work is delivered. Returns true if it was new.
 */
export async function storeScore(env: Env, score: NewScore): Promise<boolean> {
  const db = drizzle(env.DB);
  const { retailer_id, score_id, as_of_day, ledger_revision } = score;
  const event =
    score.status === "scored"
      ? newEvent("score.computed", retailer_id, { retailer_id, score_id })
      : newEvent("score.blocked", retailer_id, { retailer_id, cause: score.status });
  const inserted = sql`EXISTS (SELECT 1 FROM scores WHERE score_id = ${score_id})`;
  const [insert] = await db.batch([
    db.insert(scores).values(score).onConflictDoNothing(),
    db
      .insert(latestScores)
      .select(sql`SELECT ${retailer_id}, ${score_id}, ${as_of_day}, ${ledger_revision} WHERE ${inserted}`)
      .onConflictDoUpdate({
        target: latestScores.retailer_id,
        set: {
          score_id: sql`excluded.score_id`,
          as_of_day: sql`excluded.as_of_day`,
          ledger_revision: sql`excluded.ledger_revision`,
        },
        setWhere: sql`(excluded.as_of_day, excluded.ledger_revision) >= (${latestScores.as_of_day}, ${latestScores.ledger_revision})`,
      }),
    outboxInsert(db, event, inserted),
  ]);
  await refreshCache(env, retailer_id);
  return insert.meta.changes > 0;
}

/** Writes the latest score to KV; looks again afterwards, so that two writers at once end with the newer one. */
async function refreshCache(env: Env, retailer_id: string): Promise<void> {
  for (let attempt = 0; attempt < 3; attempt++) {
    const latest = await readLatest(env, retailer_id);
    if (!latest) return;
    await env.KV.put(kvKey(retailer_id), JSON.stringify(latest));
    memory.delete(retailer_id);
    const again = await drizzle(env.DB)
      .select({ score_id: latestScores.score_id })
      .from(latestScores)
      .where(eq(latestScores.retailer_id, retailer_id))
      .get();
    if (again?.score_id === latest.score_id) return;
  }
}

/** A stored score as it was written, or undefined. */
export function storedScore(env: Env, score_id: string): Promise<typeof scores.$inferSelect | undefined> {
  return drizzle(env.DB).select().from(scores).where(eq(scores.score_id, score_id)).get();
}

/** One month of a score history. */
export interface MonthlyScore {
  month: string;
  altscore: number;
  risk_band: RiskBand;
  score_version: string;
}

/** The last score of each month from `from_day` on, newest month first. `retailer_ids`: the retailer and its aliases. */
export async function monthlyScores(
  env: Env,
  retailer_ids: string[],
  from_day: number,
): Promise<MonthlyScore[]> {
  const month = sql<string>`strftime('%Y-%m', ${scores.as_of_day} * 86400, 'unixepoch')`;
  try {
    const rows = await drizzle(env.DB)
      .select({
        month,
        altscore: scores.altscore,
        risk_band: scores.risk_band,
        score_version: scores.score_version,
      })
      .from(scores)
      .where(
        and(
          inArray(scores.retailer_id, retailer_ids),
          eq(scores.status, "scored"),
          gte(scores.as_of_day, from_day),
        ),
      )
      .orderBy(desc(scores.as_of_day), desc(scores.ledger_revision), desc(scores.scored_at));
    const newest = new Map<string, MonthlyScore>();
    for (const row of rows) {
      if (!newest.has(row.month)) newest.set(row.month, row as MonthlyScore);
    }
    return [...newest.values()];
  } catch (cause) {
    throw unavailable(cause);
  }
}
