import { drizzle } from "drizzle-orm/d1";
import { auditStatement } from "../audit/statement.ts";
import type { Principal } from "../auth/bearer.ts";
import { orUnavailable } from "../consent/fail-safe.ts";
import { readConsent } from "../consent/lookup.ts";
import type { Env } from "../env.ts";
import { newEvent } from "../events/envelope.ts";
import { outboxInsert } from "../events/outbox.ts";
import { AppError, unavailable } from "../http/errors.ts";
import type { Language } from "../http/language.ts";
import { takeTurn } from "../http/rate-limit.ts";
import { invalid } from "../http/validation.ts";
import { newId, nowMs } from "../lib/seams.ts";
import { aliasesOf, canonicalRetailer } from "../retailers/store.ts";
import { scoreById } from "../score/store.ts";
import { escalatesAt, newLifecycle } from "./lifecycle.ts";
import type { FiledAnswer, GrievanceBody } from "./schemas.ts";
import { findByMessage, type GrievanceRow, grievanceInsert, runBatch, stepInserts } from "./store.ts";

/** api.md §9: grievances about one retailer. */
const LIMIT = { limit: 5, window_ms: 86_400_000 };

/** A grievance about to be filed. */
interface Filing {
  /** Canonical id. */
  retailer_id: string;
  score_id: string | null;
  grievance_type: string;
  description: string;
  contact_phone_hash: string | null;
  filer: { kind: GrievanceRow["filer_kind"]; id: string };
  language: Language;
  wamid: string | null;
}

/**
 * Files a grievance of a lender about a retailer that has consented to it, or of a service for the retailer. Throws the
 * uniform CONSENT_NOT_GRANTED for lenders, RETAILER_NOT_FOUND for services, INVALID_REQUEST for a score_id that is not
 * the retailer's, RATE_LIMIT_EXCEEDED for a sixth in 24 hours, SERVICE_UNAVAILABLE if D1 fails.
 */
export async function fileGrievance(
  env: Env,
  principal: Principal,
  body: GrievanceBody,
  language: Language,
): Promise<FiledAnswer> {
  const { score_id = null, grievance_type, description, contact_phone_hash = null } = body;
  const { kind, subject } = principal;
  const retailer_id = await (kind === "lender"
    ? consentedRetailer(env, subject, body.retailer_id)
    : knownRetailer(env, body.retailer_id));
  if (score_id !== null) await checkScore(env, score_id, retailer_id);
  const filer = { kind, id: subject };
  const row = await counted(env, retailer_id, () =>
    write(env, {
      retailer_id,
      score_id,
      grievance_type,
      description,
      contact_phone_hash,
      filer,
      language,
      wamid: null,
    }),
  );
  return filedAnswer(row);
}

/** What a retailer writes in the chat to complain. */
export interface ChatGrievance {
  retailer_id: string;
  text: string;
  /** The message: the same one files one grievance. */
  wamid: string;
  language: Language;
}

/**
 * Files what a retailer complained of in the chat; the same message gives the same grievance. Null if the retailer has
 * filed 5 in the last 24 hours. Throws RETAILER_NOT_FOUND, SERVICE_UNAVAILABLE if D1 fails.
 */
export async function fileFromChat(
  env: Env,
  { retailer_id: named, text, wamid, language }: ChatGrievance,
): Promise<FiledAnswer | null> {
  const earlier = await orUnavailable(() => findByMessage(env, wamid));
  if (earlier) return filedAnswer(earlier);
  const retailer_id = await knownRetailer(env, named);
  const filing: Filing = {
    retailer_id,
    score_id: null,
    grievance_type: "other",
    description: text,
    contact_phone_hash: null,
    filer: { kind: "retailer", id: retailer_id },
    language,
    wamid,
  };
  try {
    return filedAnswer(await counted(env, retailer_id, () => write(env, filing)));
  } catch (error) {
    // The same message may have been worked off beside us.
    const twin = await orUnavailable(() => findByMessage(env, wamid));
    if (twin) return filedAnswer(twin);
    if (error instanceof AppError && error.code === "RATE_LIMIT_EXCEEDED") return null;
    throw error;
  }
}

async function consentedRetailer(env: Env, lender_id: string, retailer_id: string): Promise<string> {
  const consent = await readConsent(env, lender_id, retailer_id);
  if (!consent) throw new AppError("CONSENT_NOT_GRANTED");
  return consent.retailer_id;
}

async function knownRetailer(env: Env, retailer_id: string): Promise<string> {
  const canonical = await orUnavailable(() => canonicalRetailer(env, retailer_id));
  if (canonical === null) throw new AppError("RETAILER_NOT_FOUND");
  return canonical;
}

/** An unknown score and another retailer's are the same mistake. */
async function checkScore(env: Env, score_id: string, retailer_id: string): Promise<void> {
  const [score, aliases] = await orUnavailable(() =>
    Promise.all([scoreById(env, score_id), aliasesOf(env, retailer_id)]),
  );
  if (!score || !aliases.includes(score.retailer_id))
    throw invalid("score_id", "is not a score of this retailer");
}

/** Files under the limit of the retailer; what could not be filed is not counted. */
async function counted<T>(env: Env, retailer_id: string, file: () => Promise<T>): Promise<T> {
  const giveBack = await takeTurn(env, `grievance:${retailer_id}`, LIMIT);
  try {
    return await file();
  } catch (cause) {
    await giveBack().catch(() => undefined);
    throw unavailable(cause);
  }
}

/** Writes the grievance, its first step, its event and its audit entry: all or nothing. */
async function write(env: Env, filing: Filing): Promise<GrievanceRow> {
  const { description, filer, ...about } = filing;
  const lifecycle = newLifecycle(nowMs());
  const row: GrievanceRow = {
    ...about,
    ...lifecycle,
    grievance_id: newId("grv"),
    filer_kind: filer.kind,
    filer_id: filer.id,
    seq: 1,
    outcome: null,
    escalates_at: escalatesAt(lifecycle),
    escalated_at: null,
  };
  const { grievance_id, retailer_id, grievance_type, score_id, filed_at } = row;
  const db = drizzle(env.DB);
  const step = {
    grievance_id,
    seq: row.seq,
    step: "filed" as const,
    at: filed_at,
    actor_kind: filer.kind,
    actor_id: filer.id,
    outcome: null,
  };
  await runBatch(env, [
    grievanceInsert(db, row),
    ...(await stepInserts(env, db, step, description)),
    outboxInsert(db, newEvent("grievance.filed", grievance_id, { grievance_id, retailer_id })),
    auditStatement(db, {
      type: "grievance.filed",
      actor: filer,
      subject: grievance_id,
      outcome: "recorded",
      details: { retailer_id, grievance_type, score_id },
    }),
  ]);
  return row;
}

function filedAnswer({ grievance_id, filed_at, ack_by, resolution_sla }: GrievanceRow): FiledAnswer {
  return { grievance_id, status: "open", filed_at, ack_by, resolution_sla };
}
