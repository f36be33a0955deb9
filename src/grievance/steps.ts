import type { BatchItem } from "drizzle-orm/batch";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import { auditStatement } from "../audit/statement.ts";
import { retryWhileContended } from "../consent/fail-safe.ts";
import type { Env } from "../env.ts";
import { newEvent } from "../events/envelope.ts";
import { outboxInsert, relaySoon } from "../events/outbox.ts";
import { AppError } from "../http/errors.ts";
import { nowIso } from "../lib/seams.ts";
import { noticeStatements } from "../notifications/notify.ts";
import { canonicalRetailer } from "../retailers/store.ts";
import { outboundStatements } from "../whatsapp/outbound.ts";
import { correctionStatements } from "./corrected.ts";
import { afterStep, escalatedAt, escalatesAt, type Step, statusAt } from "./lifecycle.ts";
import type { Outcome } from "./schemas.ts";
import {
  dueToEscalate,
  findGrievance,
  type GrievanceRow,
  grievanceUpdate,
  runBatch,
  type StepRow,
  stepInserts,
} from "./store.ts";
import { type TextKey, textAbout } from "./texts.ts";

/** Escalations of one run; the next minute's run goes on. */
const MAX_ESCALATIONS = 500;

/** A step that somebody takes. */
export interface Taken {
  step: Step;
  note: string;
  /** Of a resolution. */
  outcome: Outcome | null;
  /** The service's client_id. */
  client_id: string;
}

/**
 * Takes a step and tells who has to know of it, in one transaction; of two at once that cannot both follow, one wins. Throws
 * NOT_FOUND, STEP_NOT_ALLOWED with the present status, SERVICE_UNAVAILABLE if D1 fails.
 */
export async function takeStep(env: Env, grievance_id: string, taken: Taken): Promise<void> {
  return retryWhileContended(async () => {
    const row = await findGrievance(env, grievance_id);
    if (!row) throw new AppError("NOT_FOUND");
    const at = nowIso();
    const lifecycle = afterStep(row, taken.step, at);
    if (!lifecycle) {
      throw new AppError("STEP_NOT_ALLOWED", { members: { details: { status: statusAt(row, at) } } });
    }
    const { stage, acknowledged_at, closed_at } = lifecycle;
    const outcome = taken.outcome ?? row.outcome;
    await append(env, row, {
      step: stage as StepRow["step"],
      at,
      actor: { kind: "service", id: taken.client_id },
      outcome: taken.outcome,
      text: taken.note,
      changes: { stage, acknowledged_at, closed_at, outcome, escalates_at: escalatesAt(lifecycle) },
    });
  });
}

/**
 * Escalates every grievance whose deadline has passed; safe to run at any time, late and in parallel: each is told of
 * once, with the deadline itself as its time. One that fails does not hold up the others, but fails the run.
 */
export async function escalateDue(env: Env): Promise<number> {
  const due = await dueToEscalate(env, nowIso(), MAX_ESCALATIONS);
  const failures: unknown[] = [];
  for (const grievance_id of due) {
    try {
      await retryWhileContended(() => escalate(env, grievance_id));
    } catch (cause) {
      failures.push(cause);
    }
  }
  if (due.length > 0) await relaySoon(env);
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} escalation(s) failed`);
  return due.length;
}

async function escalate(env: Env, grievance_id: string): Promise<void> {
  const row = await findGrievance(env, grievance_id);
  const at = row && row.escalated_at === null ? escalatedAt(row, nowIso()) : null;
  if (!row || at === null) return;
  await append(env, row, {
    step: "escalated",
    at,
    actor: { kind: "system", id: null },
    outcome: null,
    text: null,
    changes: { escalated_at: at },
  });
}

/** A step as it is recorded. */
interface Entry {
  step: StepRow["step"];
  at: string;
  actor: { kind: "service" | "system"; id: string | null };
  outcome: string | null;
  text: string | null;
  changes: Partial<GrievanceRow>;
}

/** Appends the step and all that follows from it as one transaction; a unique violation says that another was first. */
async function append(env: Env, row: GrievanceRow, entry: Entry): Promise<void> {
  const { grievance_id } = row;
  const { step, at, actor, outcome, text, changes } = entry;
  const db = drizzle(env.DB);
  const seq = row.seq + 1;
  const retailer_id = (await canonicalRetailer(env, row.retailer_id)) ?? row.retailer_id;
  const recorded = { grievance_id, seq, step, at, actor_kind: actor.kind, actor_id: actor.id, outcome };
  await runBatch(env, [
    ...(await stepInserts(env, db, recorded, text)),
    grievanceUpdate(db, grievance_id, { ...changes, seq }),
    ...(step === "escalated"
      ? [outboxInsert(db, newEvent("grievance.escalated", grievance_id, { grievance_id, retailer_id }))]
      : []),
    auditStatement(
      db,
      {
        type: `grievance.${step}`,
        actor,
        subject: grievance_id,
        outcome: outcome ?? "recorded",
        details: { retailer_id, seq },
      },
      at,
    ),
    ...(await told(env, db, { row, retailer_id, step, seq, outcome })),
  ]);
}

interface News {
  row: GrievanceRow;
  retailer_id: string;
  step: StepRow["step"];
  seq: number;
  outcome: string | null;
}

/**
 * Statements that tell a lender of each step of what it has filed, and the retailer of those that matter to it;
 * a correction is told to all whom it concerns.
 */
async function told(env: Env, db: DrizzleD1Database, news: News): Promise<BatchItem<"sqlite">[]> {
  const { row, retailer_id, step, seq, outcome } = news;
  const { grievance_id, language } = row;
  const lender_id = row.filer_kind === "lender" ? row.filer_id : null;
  const corrected = outcome === "corrected";
  const statements: BatchItem<"sqlite">[] = [];
  if (lender_id !== null) {
    const data = { grievance_id, status: step, outcome };
    const dedupe_key = `${grievance_id}/${seq}`;
    statements.push(
      ...noticeStatements(db, [{ lender_id, type: "grievance.updated", retailer_id, data, dedupe_key }]),
    );
  } else if (isTold(step) && !corrected) {
    const text = textAbout(step, language, grievance_id);
    const dedupe_key = `${grievance_id}/${step}`;
    statements.push(
      ...outboundStatements(db, [{ retailer_id, kind: `grievance.${step}`, language, text, dedupe_key }]),
    );
  }
  if (corrected) {
    const correction = { retailer_id, about: grievance_id, language, except: lender_id };
    statements.push(...(await correctionStatements(env, db, correction)));
  }
  return statements;
}

function isTold(step: StepRow["step"]): step is StepRow["step"] & TextKey {
  return step === "acknowledged" || step === "resolved" || step === "rejected" || step === "escalated";
}
