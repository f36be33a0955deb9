import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import { unavailable } from "../http/errors.ts";
import { causeText } from "../lib/cause.ts";
import { nowMs } from "../lib/seams.ts";
import { distributorSyncs } from "./tables.ts";

/**
 * Freshness: the newest `sync_to` of each distributor. D1 is the truth; KV and the isolate's memory hold copies that
 * may lag by seconds, which is nothing against freshness counted in days. It only ever moves forward.
 */

const MEMORY_TTL_MS = 10_000;
const MEMORY_ENTRIES = 10_000;
const KV_TTL_S = 3_600;

interface Copy {
  sync_to: string;
  until_ms: number;
}

const memory = new Map<string, Copy>();

function keyOf(distributor_id: string): string {
  return `sync/v1/${distributor_id}`;
}

function remember(distributor_id: string, sync_to: string): void {
  if (memory.size >= MEMORY_ENTRIES) {
    // A Map keeps the order of insertion: the first is the oldest.
    const [oldest] = memory.keys();
    if (oldest !== undefined) memory.delete(oldest);
  }
  memory.set(distributor_id, { sync_to, until_ms: nowMs() + MEMORY_TTL_MS });
}

function remembered(distributor_id: string): string | null {
  const copy = memory.get(distributor_id);
  return copy && nowMs() < copy.until_ms ? copy.sync_to : null;
}

/**
 * Notes that a distributor's data reach up to `sync_to` (ISO 8601; a time still to come counts as now). Idempotent
 * and in any order: the newest stays. The Worker calls it when a batch is accepted and the pipeline again when
 * the batch is worked on, so a crash in between is healed. `null` (no batch) does nothing. Throws what D1 throws.
 */
export async function recordSync(env: Env, distributor_id: string, sync_to: string | null): Promise<void> {
  if (sync_to === null) return;
  const reached = new Date(Math.min(Date.parse(sync_to), nowMs())).toISOString();
  const known = remembered(distributor_id);
  // The stored value never goes back, so what was seen there a moment ago is enough to know.
  if (known !== null && known >= reached) return;
  const [row] = await drizzle(env.DB)
    .insert(distributorSyncs)
    .values({ distributor_id, newest_sync_to: reached })
    .onConflictDoUpdate({
      target: distributorSyncs.distributor_id,
      set: { newest_sync_to: sql`max(${distributorSyncs.newest_sync_to}, excluded.newest_sync_to)` },
    })
    .returning({ newest: distributorSyncs.newest_sync_to });
  const newest = row?.newest ?? reached;
  remember(distributor_id, newest);
  await copyToKv(env, distributor_id, newest);
}

/**
 * The newest `sync_to` (ISO 8601) over these distributors; null if none has sent a batch. Memory, then KV, then D1 for
 * whoever is still missing. Throws SERVICE_UNAVAILABLE if D1 is needed and fails.
 */
export async function newestSync(env: Env, distributor_ids: readonly string[]): Promise<string | null> {
  const found: string[] = [];
  const unknown: string[] = [];
  for (const distributor_id of distributor_ids) {
    const known = remembered(distributor_id);
    if (known !== null) found.push(known);
    else unknown.push(distributor_id);
  }
  if (unknown.length > 0) found.push(...(await readCopies(env, unknown)));
  // All have one form, so the last in text order is the newest.
  return found.sort().at(-1) ?? null;
}

async function readCopies(env: Env, distributor_ids: string[]): Promise<string[]> {
  const copies = await Promise.all(
    // KV failing is a miss, because D1 is asked next.
    distributor_ids.map((distributor_id) => env.KV.get(keyOf(distributor_id)).catch(() => null)),
  );
  const missing = distributor_ids.filter((_, index) => copies[index] === null);
  const stored = missing.length === 0 ? new Map<string, string>() : await readStored(env, missing);
  const found: string[] = [];
  for (const [index, distributor_id] of distributor_ids.entries()) {
    const copy = copies[index] ?? null;
    const sync_to = copy ?? stored.get(distributor_id);
    if (sync_to === undefined) continue;
    remember(distributor_id, sync_to);
    if (copy === null) await copyToKv(env, distributor_id, sync_to);
    found.push(sync_to);
  }
  return found;
}

async function readStored(env: Env, distributor_ids: string[]): Promise<Map<string, string>> {
  try {
    const rows = await drizzle(env.DB)
      .select()
      .from(distributorSyncs)
      .where(
        sql`${distributorSyncs.distributor_id} IN (SELECT value FROM json_each(${JSON.stringify(distributor_ids)}))`,
      );
    return new Map(rows.map((row) => [row.distributor_id, row.newest_sync_to]));
  } catch (cause) {
    throw unavailable(cause);
  }
}

async function copyToKv(env: Env, distributor_id: string, sync_to: string): Promise<void> {
  try {
    await env.KV.put(keyOf(distributor_id), sync_to, { expirationTtl: KV_TTL_S });
  } catch (cause) {
    // Only a copy: D1 has it, and the entry expires.
    console.warn(JSON.stringify({ task: "copy sync to KV", distributor_id, cause: causeText(cause) }));
  }
}
