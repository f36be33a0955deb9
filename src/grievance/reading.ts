import type { Principal } from "../auth/bearer.ts";
import { orUnavailable } from "../consent/fail-safe.ts";
import type { Env } from "../env.ts";
import { AppError, unavailable } from "../http/errors.ts";
import { nowIso } from "../lib/seams.ts";
import { canonicalRetailer } from "../retailers/store.ts";
import { findLatestScore, scoreById } from "../score/store.ts";
import type { ServedScore } from "../score/types.ts";
import { reasonTexts } from "../scoring/reason-table.ts";
import { escalatedAt, slaAt, statusAt } from "./lifecycle.ts";
import { type ExplanationAnswer, type GrievanceAnswer, grievanceId } from "./schemas.ts";
import { findGrievance, type GrievanceRow, stepsOf, type ToldStep } from "./store.ts";

/** The scope of those who work grievances; until there are people with roles, services. */
export const WORK = "grievance:work";

/** Most negative reasons that a retailer is told: the principal ones. */
const MAX_NEGATIVE_FOR_RETAILERS = 4;

type Reader = Pick<Principal, "kind" | "subject" | "scopes">;

/** Whoever works grievances sees them all; the others what they have filed themselves. */
function maySee(reader: Reader, { filer_kind, filer_id }: GrievanceRow): boolean {
  return works(reader) || (filer_kind === reader.kind && filer_id === reader.subject);
}

function works({ kind, scopes }: Reader): boolean {
  return kind === "service" && scopes.has(WORK);
}

/** The grievance if the reader may see it; NOT_FOUND alike for what is unknown, malformed or somebody else's. */
export async function visibleGrievance(env: Env, reader: Reader, id: string): Promise<GrievanceRow> {
  if (!grievanceId.safeParse(id).success) throw new AppError("NOT_FOUND");
  const row = await orUnavailable(() => findGrievance(env, id));
  if (!row || !maySee(reader, row)) throw new AppError("NOT_FOUND");
  return row;
}

/** A grievance as its reader sees it now; throws NOT_FOUND, SERVICE_UNAVAILABLE if D1 fails. */
export async function readGrievance(env: Env, reader: Reader, id: string): Promise<GrievanceAnswer> {
  const row = await visibleGrievance(env, reader, id);
  return orUnavailable(async () => {
    const steps = await stepsOf(env, id);
    const answer = answerFor(row, steps, nowIso());
    if (!works(reader)) return answer;
    const { stage, contact_phone_hash } = row;
    const retailer_id = (await canonicalRetailer(env, row.retailer_id)) ?? row.retailer_id;
    const told = steps.map(({ grievance_id: _, ...step }) => step);
    return { ...answer, work: { retailer_id, stage, contact_phone_hash, steps: told } };
  });
}

function answerFor(row: GrievanceRow, steps: readonly ToldStep[], now: string): GrievanceAnswer {
  const closing = steps.find(({ step }) => step === "resolved" || step === "rejected");
  return {
    grievance_id: row.grievance_id,
    status: statusAt(row, now),
    grievance_type: row.grievance_type as GrievanceAnswer["grievance_type"],
    score_id: row.score_id,
    outcome: row.outcome as GrievanceAnswer["outcome"],
    resolution: closing?.text ?? null,
    filed_at: row.filed_at,
    acknowledged_at: row.acknowledged_at,
    resolved_at: row.closed_at,
    escalated_at: row.escalated_at ?? escalatedAt(row, now),
    ack_by: row.ack_by,
    resolution_sla: row.resolution_sla,
    sla: slaAt(row, now),
  };
}

/**
 * The score that a grievance is about: the one it names, else the retailer's latest. Throws RETAILER_NOT_SCORED,
 * SERVICE_UNAVAILABLE if D1 fails.
 */
export async function scoreOf(env: Env, { score_id, retailer_id }: GrievanceRow): Promise<ServedScore> {
  const score = await orUnavailable(async () => {
    if (score_id !== null) return scoreById(env, score_id);
    const canonical = await canonicalRetailer(env, retailer_id);
    return canonical === null ? null : findLatestScore(env, canonical);
  });
  if (!score) throw new AppError("RETAILER_NOT_SCORED");
  return score;
}

/**
 * Why a score is as it is, in sentences and with advice, never with numbers. Throws DATA_INSUFFICIENT for a score that
 * could not be given, SERVICE_UNAVAILABLE for one that could not be explained.
 */
export function explanationOf(
  { grievance_id }: GrievanceRow,
  { score_id, card }: ServedScore,
  reader: Pick<Principal, "kind">,
): ExplanationAnswer {
  if (card.status === "unexplainable") throw unavailable("reason codes incomplete");
  if (card.status !== "scored") {
    throw new AppError("DATA_INSUFFICIENT", { members: { details: { completeness: card.completeness } } });
  }
  const shown = card.reasons.filter(
    ({ direction, rank }) =>
      reader.kind === "lender" || direction === "positive" || rank <= MAX_NEGATIVE_FOR_RETAILERS,
  );
  return {
    grievance_id,
    score_id,
    reasons: shown.map(({ code, direction }) => {
      const { explain_en, explain_hi, advice_en, advice_hi } = reasonTexts(code);
      return { code, direction, sentence_en: explain_en, sentence_hi: explain_hi, advice_en, advice_hi };
    }),
  };
}
