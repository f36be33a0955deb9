import { and, asc, eq, inArray, isNull, lte } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import { seal, unseal } from "../auth/seal.ts";
import { parseEnv } from "../config.ts";
import type { Env } from "../env.ts";
import { listed } from "../lib/sql.ts";
import { grievanceSteps, grievances, grievanceTexts } from "./tables.ts";

export type GrievanceRow = typeof grievances.$inferSelect;
export type StepRow = typeof grievanceSteps.$inferSelect;

/** A step with its words, null where it has none. */
export interface ToldStep extends StepRow {
  text: string | null;
}

const aadOf = (grievance_id: string, seq: number) => `${grievance_id}/${seq}`;

/** The grievance with this id, or undefined. */
export function findGrievance(env: Env, grievance_id: string): Promise<GrievanceRow | undefined> {
  return drizzle(env.DB).select().from(grievances).where(eq(grievances.grievance_id, grievance_id)).get();
}

/** The grievance that a chat message filed, or undefined. */
export function findByMessage(env: Env, wamid: string): Promise<GrievanceRow | undefined> {
  return drizzle(env.DB).select().from(grievances).where(eq(grievances.wamid, wamid)).get();
}

/** The grievances about some retailers, oldest first. */
export function grievancesOf(
  env: Env,
  retailer_ids: readonly string[],
): Promise<{ grievance_id: string; filed_at: string }[]> {
  return drizzle(env.DB)
    .select({ grievance_id: grievances.grievance_id, filed_at: grievances.filed_at })
    .from(grievances)
    .where(inArray(grievances.retailer_id, listed(retailer_ids)))
    .orderBy(asc(grievances.filed_at), asc(grievances.grievance_id))
    .all();
}

/** The grievances whose deadline has passed by `now` without anybody having been told; the longest overdue first. */
export async function dueToEscalate(env: Env, now: string, limit: number): Promise<string[]> {
  const rows = await drizzle(env.DB)
    .select({ grievance_id: grievances.grievance_id })
    .from(grievances)
    .where(and(isNull(grievances.escalated_at), lte(grievances.escalates_at, now)))
    .orderBy(asc(grievances.escalates_at))
    .limit(limit);
  return rows.map((row) => row.grievance_id);
}

/** The steps of a grievance in the order of their numbers, words opened. */
export async function stepsOf(env: Env, grievance_id: string): Promise<ToldStep[]> {
  const rows = await drizzle(env.DB)
    .select({ step: grievanceSteps, sealed: grievanceTexts.sealed })
    .from(grievanceSteps)
    .leftJoin(
      grievanceTexts,
      and(
        eq(grievanceTexts.grievance_id, grievanceSteps.grievance_id),
        eq(grievanceTexts.seq, grievanceSteps.seq),
      ),
    )
    .where(eq(grievanceSteps.grievance_id, grievance_id))
    .orderBy(asc(grievanceSteps.seq));
  const config = parseEnv(env);
  return Promise.all(
    rows.map(async ({ step, sealed }) => ({
      ...step,
      text: sealed === null ? null : await unseal(config, sealed, aadOf(grievance_id, step.seq)),
    })),
  );
}

/**
 * Statements that append a step with its words; the whole batch fails with a unique violation if another step has
 * taken its number.
 */
export async function stepInserts(
  env: Env,
  db: DrizzleD1Database,
  step: StepRow,
  text: string | null,
): Promise<BatchItem<"sqlite">[]> {
  const { grievance_id, seq } = step;
  const insert = db.insert(grievanceSteps).values(step);
  if (text === null) return [insert];
  const sealed = await seal(parseEnv(env), text, aadOf(grievance_id, seq));
  return [insert, db.insert(grievanceTexts).values({ grievance_id, seq, sealed })];
}

/** Statement that files a grievance; fails with a unique violation if its chat message has filed one already. */
export function grievanceInsert(db: DrizzleD1Database, row: GrievanceRow) {
  return db.insert(grievances).values(row);
}

/** Statement that moves a grievance on; together with `stepInserts`, which keeps it from being moved twice. */
export function grievanceUpdate(db: DrizzleD1Database, grievance_id: string, changes: Partial<GrievanceRow>) {
  return db.update(grievances).set(changes).where(eq(grievances.grievance_id, grievance_id));
}

/** Runs statements as one transaction. */
export async function runBatch(env: Env, statements: BatchItem<"sqlite">[]): Promise<void> {
  const [first, ...rest] = statements;
  if (first) await drizzle(env.DB).batch([first, ...rest]);
}
