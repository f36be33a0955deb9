import { and, count, desc, eq, getTableColumns, gte, inArray, type SQL, sql } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import { newEvent } from "../events/envelope.ts";
import { type KeyedEvent, outboxInserts } from "../events/outbox.ts";
import { unavailable } from "../http/errors.ts";
import { nowMs } from "../lib/seams.ts";
import { listed } from "../lib/sql.ts";
import { type ShadowScore, shadowInsert } from "../models/shadow.ts";
import type { RiskBand, Scorecard } from "../scoring/types.ts";
import { latestScores, type NewScore, scores } from "./tables.ts";
import type { ServedScore } from "./types.ts";

/** How long an isolate may serve a score from its memory: short, because other isolates compute new ones. */
const MEMORY_TTL_MS = 5_000;
const MEMORY_ENTRIES = 5_000;

const memory = new Map<string, { score: ServedScore; until_ms: number }>();

const kvKey = (retailer_id: string) => `score:${retailer_id}`;

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
 * Stores scores, at most one of a retailer, with their events, and makes each the latest unless a
 * newer one is there: one transaction. The same inputs are stored once, however often and in whatever order the work
 * is delivered. `shadows` are what challengers made of the same inputs. Fails as a whole if the model of a score has
 * ceased to be the champion meanwhile (trigger scores_by_the_champion): the work is to be done again.
 */
export async function storeScores(
  env: Env,
  rows: readonly NewScore[],
  shadows: readonly ShadowScore[] = [],
): Promise<void> {
  if (rows.length === 0) return;
  const db = drizzle(env.DB);
  const texts = JSON.stringify(rows);
  const isStored = (score_id: SQL) => sql`EXISTS (SELECT 1 FROM scores WHERE score_id = ${score_id})`;
  const columns = Object.keys(getTableColumns(scores)).map((name) => sql.raw(`value->>'$.${name}'`));
  const retailer_ids = rows.map((row) => row.retailer_id);
  const [, , , latest] = await db.batch([
    db
      .insert(scores)
      .select(sql`SELECT ${sql.join(columns, sql`, `)} FROM json_each(${texts}) WHERE true`)
      .onConflictDoNothing(),
    db
      .insert(latestScores)
      .select(sql`
        SELECT retailer_id, score_id, as_of_day, ledger_revision FROM scores
        WHERE score_id IN ${listed(rows.map((row) => row.score_id))}`)
      .onConflictDoUpdate({
        target: latestScores.retailer_id,
        set: {
          score_id: sql`excluded.score_id`,
          as_of_day: sql`excluded.as_of_day`,
          ledger_revision: sql`excluded.ledger_revision`,
        },
        setWhere: sql`(excluded.as_of_day, excluded.ledger_revision) >= (${latestScores.as_of_day}, ${latestScores.ledger_revision})`,
      }),
    outboxInserts(db, rows.map(eventOf), isStored),
    latestOf(db, retailer_ids),
    shadowInsert(db, shadows, isStored),
  ]);
  await refreshCache(env, rows, latest);
}

function eventOf({ retailer_id, score_id, status }: NewScore): KeyedEvent {
  const envelope =
    status === "scored"
      ? newEvent("score.computed", retailer_id, { retailer_id, score_id })
      : newEvent("score.blocked", retailer_id, { retailer_id, cause: status });
  return { key: score_id, envelope };
}

interface Latest {
  retailer_id: string;
  score_id: string;
}

function latestOf(db: DrizzleD1Database, retailer_ids: readonly string[]) {
  return db
    .select({ retailer_id: latestScores.retailer_id, score_id: latestScores.score_id })
    .from(latestScores)
    .where(inArray(latestScores.retailer_id, listed(retailer_ids)));
}

/**
 * Writes the latest scores to KV. Looks again afterwards and repeats for those that changed meanwhile, so that two
 * writers at once end with the newer one.
 */
async function refreshCache(env: Env, rows: readonly NewScore[], latest: readonly Latest[]): Promise<void> {
  const own = new Map(rows.map((row) => [row.score_id, row]));
  let due = latest;
  for (let attempt = 0; attempt < 3 && due.length > 0; attempt++) {
    const written = new Map(due.map(({ retailer_id, score_id }) => [retailer_id, score_id]));
    const others = await readServed(
      env,
      due.filter(({ score_id }) => !own.has(score_id)).map(({ score_id }) => score_id),
    );
    const known = due.flatMap(({ score_id }) => own.get(score_id) ?? []).map(toServed);
    await Promise.all(
      [...known, ...others].map((score) => env.KV.put(kvKey(score.retailer_id), JSON.stringify(score))),
    );
    for (const retailer_id of written.keys()) memory.delete(retailer_id);
    const now = await latestOf(drizzle(env.DB), [...written.keys()]);
    due = now.filter(({ retailer_id, score_id }) => written.get(retailer_id) !== score_id);
  }
}

/** The scores of some ids as they are served. */
async function readServed(env: Env, score_ids: readonly string[]): Promise<ServedScore[]> {
  if (score_ids.length === 0) return [];
  const rows = await drizzle(env.DB)
    .select()
    .from(scores)
    .where(inArray(scores.score_id, listed(score_ids)));
  return rows.map(toServed);
}

/** A score by its id as it is served, or null. */
export async function scoreById(env: Env, score_id: string): Promise<ServedScore | null> {
  const [score] = await readServed(env, [score_id]);
  return score ?? null;
}

/** How many scores some retailers have, and when the newest `limit` of them were computed, newest first. */
export async function scoreDates(
  env: Env,
  retailer_ids: readonly string[],
  limit: number,
): Promise<{ count: number; newest: { score_id: string; scored_at: string }[] }> {
  const db = drizzle(env.DB);
  const own = inArray(scores.retailer_id, listed(retailer_ids));
  const [[counted], newest] = await db.batch([
    db.select({ count: count() }).from(scores).where(own),
    db
      .select({ score_id: scores.score_id, scored_at: scores.scored_at })
      .from(scores)
      .where(own)
      .orderBy(desc(scores.scored_at), desc(scores.score_id))
      .limit(limit),
  ]);
  return { count: counted?.count ?? 0, newest };
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
