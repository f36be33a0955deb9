import { drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import type { EventType } from "../events/types.ts";
import { AppError } from "../http/errors.ts";
import { sha256Hex } from "../lib/bytes.ts";
import { canonicalJson } from "../lib/jcs.ts";
import { nowIso } from "../lib/seams.ts";
import { canonicalRetailer } from "../retailers/store.ts";
import { appendChange } from "./change.ts";
import { enforce } from "./enforce.ts";
import { orUnavailable, retryWhileContended } from "./fail-safe.ts";
import { type ChainHead, type ConsentStatus, changedAt, fullEvidence } from "./record.ts";
import type { ChangeRequest, PauseAnswer, ResumeAnswer, RevokeAnswer } from "./schemas.ts";
import {
  type ConsentRow,
  consentsWithHeads,
  evidenceInsert,
  findEvidence,
  lastRecordsOf,
  runBatch,
  type Standing,
  standingsOf,
} from "./store.ts";

/** What one kind of act does to consents, and what it answers. */
interface Rule<Answer> {
  kind: "revoke" | "pause" | "resume";
  event: EventType & `consent.${string}`;
  from: readonly ConsentStatus[];
  to: ConsentStatus;
  /** Consents in which it finds nothing left to do. */
  done: readonly ConsentStatus[];
  answer: (consent_ids: string[], at: string) => Answer;
  named: (answer: Answer) => string[];
}

const REVOKE: Rule<RevokeAnswer> = {
  kind: "revoke",
  event: "consent.revoked",
  from: ["ACTIVE", "PAUSED"],
  to: "REVOKED",
  done: ["REVOKED", "EXPIRED"],
  // The gates refuse from the moment of the answer on, so processing has halted by the time it says.
  answer: (revoked, revoked_at) => ({
    consent_id: revoked[0] as string,
    revoked,
    status: "revoked",
    revoked_at,
    processing_halt_by: revoked_at,
  }),
  named: (answer) => answer.revoked,
};

const PAUSE: Rule<PauseAnswer> = {
  kind: "pause",
  event: "consent.paused",
  from: ["ACTIVE"],
  to: "PAUSED",
  done: ["PAUSED"],
  answer: (paused, paused_at) => ({
    consent_id: paused[0] as string,
    paused,
    status: "paused",
    paused_at,
    processing_halt_by: paused_at,
  }),
  named: (answer) => answer.paused,
};

const RESUME: Rule<ResumeAnswer> = {
  kind: "resume",
  event: "consent.resumed",
  from: ["PAUSED"],
  to: "ACTIVE",
  done: ["ACTIVE"],
  answer: (resumed, resumed_at) => ({
    consent_id: resumed[0] as string,
    resumed,
    status: "active",
    resumed_at,
  }),
  named: (answer) => answer.resumed,
};

/**
 * Ends consents: by consent_id that one, by retailer_id (and lender_id) all that have not ended yet. The records are
 * appended first, then every lender's gate is told, then the caches are dropped: when this returns, no lender
 * gets a score under them any more. If a gate cannot be reached it throws SERVICE_UNAVAILABLE, and a repeat (or
 * the consumer of `consent.revoked`) tells the gates again. A repeat gives the first answer; of a consent that
 * expired, its end. Throws CONSENT_NOT_FOUND, and EVIDENCE_REUSED if the message served for another act (api.md §4).
 */
export function recordRevocation(env: Env, request: ChangeRequest, by: string): Promise<RevokeAnswer> {
  return record(env, REVOKE, request, by);
}

/**
 * Pauses consents: like a revocation, but `recordResume` can lift it. Consents that have ended are left alone; if
 * the request names no others it throws CONSENT_ENDED.
 */
export function recordPause(env: Env, request: ChangeRequest, by: string): Promise<PauseAnswer> {
  return record(env, PAUSE, request, by);
}

/** Lifts the pause of consents; throws like `recordPause`. A consent that was never paused is active since its grant. */
export function recordResume(env: Env, request: ChangeRequest, by: string): Promise<ResumeAnswer> {
  return record(env, RESUME, request, by);
}

async function record<A>(env: Env, rule: Rule<A>, request: ChangeRequest, by: string): Promise<A> {
  const { answer, standings, others } = await retryWhileContended(() => once(env, rule, request, by));
  await orUnavailable(async () => enforce(env, [...standings, ...(await standingsOf(env, others))]));
  return answer;
}

interface Outcome<A> {
  answer: A;
  /** Where the consents stand that this act changed: as written, not as a replica may read it. */
  standings: Standing[];
  /** The other consents named, earlier acts' too: their gates are told (again). */
  others: string[];
}

async function once<A>(env: Env, rule: Rule<A>, request: ChangeRequest, by: string): Promise<Outcome<A>> {
  const { evidence: given, ...content } = request;
  const content_sha256 = sha256Hex(canonicalJson({ ...content, act: rule.kind }));
  const { wa_message_id } = request;
  const earlier = wa_message_id ? await findEvidence(env, wa_message_id) : undefined;
  if (earlier?.kind === rule.kind && earlier.content_sha256 === content_sha256) {
    const answer = JSON.parse(earlier.answer) as A;
    return { answer, standings: [], others: rule.named(answer) };
  }
  const { rows, heads } = await named(env, request);
  if (rows.length === 0) throw new AppError("CONSENT_NOT_FOUND");
  if (earlier) throw new AppError("EVIDENCE_REUSED");
  const at = nowIso();
  // A consent that ran out can still be revoked until its expiry is recorded, but not paused or resumed.
  const open = rule.kind === "revoke" ? rows : rows.filter((row) => row.expires_at > at);
  const standing = open.filter((row) => rule.from.includes(row.status));
  const usedUp = (answer: A) =>
    evidenceOf(env, rule.kind, request, { content_sha256, answer: JSON.stringify(answer) });
  if (standing.length === 0) {
    const answer = await repeated(env, rule, open);
    await runBatch(drizzle(env.DB), usedUp(answer));
    return { answer, standings: [], others: rows.map((row) => row.consent_id) };
  }
  const consent_ids = standing.map((row) => row.consent_id);
  const answer = rule.answer(consent_ids, at);
  const act = {
    status: rule.to,
    at,
    by,
    channel: wa_message_id === undefined ? "api" : "whatsapp",
    reason: request.reason ?? null,
    evidence: fullEvidence(wa_message_id ?? null, at, given),
    signed_at: at,
  } as const;
  const standings = await appendChange(env, {
    rows: standing,
    heads,
    event: rule.event,
    actOn: () => act,
    together: usedUp(answer),
  });
  const others = rows.filter((row) => !standing.includes(row)).map((row) => row.consent_id);
  return { answer, standings, others };
}

/** The statement that uses up the request's message for this act; none without a message. */
function evidenceOf(
  env: Env,
  kind: Rule<unknown>["kind"],
  { wa_message_id }: ChangeRequest,
  about: { content_sha256: string; answer: string },
) {
  return wa_message_id === undefined
    ? []
    : [evidenceInsert(drizzle(env.DB), { wa_message_id, kind, ...about })];
}

/** The consents that the request names, with the heads of their chains. */
async function named(
  env: Env,
  request: ChangeRequest,
): Promise<{ rows: ConsentRow[]; heads: Map<string, ChainHead> }> {
  const { consent_id, consent_ids, lender_id } = request;
  let retailer_id: string | undefined;
  for (;;) {
    if (request.retailer_id !== undefined) {
      const canonical = await canonicalRetailer(env, request.retailer_id);
      // The second time round: it was not absorbed meanwhile, so there are really none.
      if (canonical === null || canonical === retailer_id) return { rows: [], heads: new Map() };
      retailer_id = canonical;
    }
    const found = await consentsWithHeads(env, { consent_id, consent_ids, retailer_id, lender_id });
    if (found.rows.length > 0 || retailer_id === undefined) return found;
  }
}

/** The answer of the last act that left some of these as they are; nothing is appended. */
async function repeated<A>(env: Env, rule: Rule<A>, rows: readonly ConsentRow[]): Promise<A> {
  const done = rows.filter((row) => rule.done.includes(row.status)).map((row) => row.consent_id);
  if (done.length === 0) throw new AppError("CONSENT_ENDED");
  const last = await lastRecordsOf(env, done);
  const newest = last.map(changedAt).reduce((a, b) => (a > b ? a : b));
  const of_act = last.filter((record) => changedAt(record) === newest);
  return rule.answer(
    of_act.map((record) => record.consent_id),
    newest,
  );
}
