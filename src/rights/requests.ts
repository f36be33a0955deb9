import { and, asc, eq, inArray } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import { drizzle } from "drizzle-orm/d1";
import { auditStatement } from "../audit/statement.ts";
import { seal, unseal } from "../auth/seal.ts";
import { parseEnv } from "../config.ts";
import { orUnavailable } from "../consent/fail-safe.ts";
import { isUniqueViolation } from "../consent/store.ts";
import type { Env } from "../env.ts";
import { correctionStatements } from "../grievance/corrected.ts";
import { AppError, unavailable } from "../http/errors.ts";
import type { Language } from "../http/language.ts";
import { newId, nowIso, nowMs } from "../lib/seams.ts";
import { listed } from "../lib/sql.ts";
import { outboundStatements } from "../whatsapp/outbound.ts";
import { clockAt, dueBy } from "./clock.ts";
import type { DataPrincipal } from "./retailer.ts";
import type { CorrectionAnswer, DecisionBody, RequestAnswer } from "./schemas.ts";
import { rightsDecisions, rightsRequests } from "./tables.ts";
import { refusalText } from "./texts.ts";

type RequestRow = typeof rightsRequests.$inferSelect;
type DecisionRow = typeof rightsDecisions.$inferSelect;

/** A request about to be recorded. */
export interface Asked {
  kind: RequestRow["kind"];
  /** What is wrong, of a correction. */
  field: string | null;
  /** What would be right. */
  text: string | null;
  by: { kind: RequestRow["opened_by_kind"]; id: string };
  language: Language;
  /** The chat message that asks; the same one asks once. */
  wamid: string | null;
}

/**
 * Records a request of a retailer with its clock and its audit entry, in one transaction; the same chat message gives
 * the same request. Returns its id. Throws SERVICE_UNAVAILABLE if D1 fails.
 */
export async function openRequest(env: Env, { retailer_id }: DataPrincipal, asked: Asked): Promise<string> {
  const { kind, field, text, by, language, wamid } = asked;
  const request_id = newId(kind === "correction" ? "cor" : "req");
  const opened_ms = nowMs();
  const opened_at = new Date(opened_ms).toISOString();
  const row: RequestRow = {
    request_id,
    kind,
    retailer_id,
    field,
    sealed_text: text === null ? null : await seal(parseEnv(env), text, request_id),
    opened_by_kind: by.kind,
    opened_by: by.id,
    language,
    wamid,
    opened_at,
    due_by: dueBy(opened_ms),
  };
  const db = drizzle(env.DB);
  try {
    await db.batch([
      db.insert(rightsRequests).values(row),
      auditStatement(db, {
        type: `rights.${kind}_requested`,
        actor: by,
        subject: request_id,
        outcome: "recorded",
        details: { retailer_id, field, due_by: row.due_by },
      }),
    ]);
    return request_id;
  } catch (cause) {
    const earlier = wamid === null ? undefined : await orUnavailable(() => findByMessage(env, wamid));
    if (!earlier) throw unavailable(cause);
    return earlier.request_id;
  }
}

function findByMessage(env: Env, wamid: string): Promise<RequestRow | undefined> {
  return drizzle(env.DB).select().from(rightsRequests).where(eq(rightsRequests.wamid, wamid)).get();
}

interface Decided {
  request: RequestRow;
  decision: DecisionRow | null;
}

/** The requests of a retailer of these kinds, oldest first. */
async function requestsOf(
  env: Env,
  { aliases }: DataPrincipal,
  kinds: RequestRow["kind"][],
  request_id?: string,
): Promise<Decided[]> {
  return drizzle(env.DB)
    .select({ request: rightsRequests, decision: rightsDecisions })
    .from(rightsRequests)
    .leftJoin(rightsDecisions, eq(rightsDecisions.request_id, rightsRequests.request_id))
    .where(
      and(
        inArray(rightsRequests.retailer_id, listed(aliases)),
        inArray(rightsRequests.kind, kinds),
        request_id === undefined ? undefined : eq(rightsRequests.request_id, request_id),
      ),
    )
    .orderBy(asc(rightsRequests.opened_at), asc(rightsRequests.request_id))
    .all();
}

/** How many requests of any kind a retailer has made. */
export async function countRequests(env: Env, principal: DataPrincipal): Promise<number> {
  return (await requestsOf(env, principal, ["correction", "erasure", "export"])).length;
}

/** The correction requests of a retailer, oldest first, or the one with this id. Throws SERVICE_UNAVAILABLE if D1 fails. */
export function listCorrections(
  env: Env,
  principal: DataPrincipal,
  correction_id?: string,
): Promise<CorrectionAnswer[]> {
  return orUnavailable(async () => {
    const found = await requestsOf(env, principal, ["correction"], correction_id);
    return Promise.all(found.map((decided) => correctionAnswer(env, decided)));
  });
}

/** The requests for erasure and export of a retailer, oldest first, or the one with this id. Throws like the above. */
export function listRequests(
  env: Env,
  principal: DataPrincipal,
  request_id?: string,
): Promise<RequestAnswer[]> {
  return orUnavailable(async () => {
    const found = await requestsOf(env, principal, ["erasure", "export"], request_id);
    return found.map(({ request, decision }) => ({
      request_id: request.request_id,
      kind: request.kind as RequestAnswer["kind"],
      ...clocksOf({ request, decision }),
    }));
  });
}

async function correctionAnswer(env: Env, { request, decision }: Decided): Promise<CorrectionAnswer> {
  const config = parseEnv(env);
  const { request_id, field, sealed_text } = request;
  return {
    correction_id: request_id,
    field: field as CorrectionAnswer["field"],
    right_value: sealed_text === null ? null : await unseal(config, sealed_text, request_id),
    ...clocksOf({ request, decision }),
    note: decision && (await unseal(config, decision.sealed_note, noteAad(request_id))),
  };
}

function clocksOf({ request: { opened_at, due_by }, decision }: Decided) {
  const decided_at = decision?.decided_at ?? null;
  const status = decision?.decision ?? ("open" as const);
  return { status, opened_at, due_by, ...clockAt(due_by, decided_at, nowIso()), decided_at };
}

const noteAad = (request_id: string) => `${request_id}/decision`;

/**
 * Decides a correction request and tells the retailer; one that is done has the retailer scored again and the lenders
 * told. One transaction; of two at once one wins. Throws NOT_FOUND, STEP_NOT_ALLOWED if it was decided before,
 * SERVICE_UNAVAILABLE if D1 fails.
 */
export async function decideCorrection(
  env: Env,
  principal: DataPrincipal,
  correction_id: string,
  { decision, note }: DecisionBody,
  decided_by: string,
): Promise<void> {
  const [found] = await orUnavailable(() => requestsOf(env, principal, ["correction"], correction_id));
  if (!found) throw new AppError("NOT_FOUND");
  if (found.decision) throw decidedBefore(found.decision.decision);
  const { retailer_id } = principal;
  const { language } = found.request;
  const db = drizzle(env.DB);
  try {
    const sealed_note = await seal(parseEnv(env), note, noteAad(correction_id));
    const row = { request_id: correction_id, decision, sealed_note, decided_by, decided_at: nowIso() };
    await db.batch([
      db.insert(rightsDecisions).values(row),
      auditStatement(db, {
        type: "rights.correction_decided",
        actor: { kind: "service", id: decided_by },
        subject: correction_id,
        outcome: decision,
        details: { retailer_id },
      }),
      ...(decision === "done"
        ? await correctionStatements(env, db, { retailer_id, about: correction_id, language, except: null })
        : refusal(env, retailer_id, correction_id, language)),
    ]);
  } catch (cause) {
    if (!isUniqueViolation(cause)) throw cause instanceof AppError ? cause : unavailable(cause);
    const [now] = await orUnavailable(() => requestsOf(env, principal, ["correction"], correction_id));
    throw decidedBefore(now?.decision?.decision ?? "open");
  }
}

function decidedBefore(status: string): AppError {
  return new AppError("STEP_NOT_ALLOWED", { members: { details: { status } } });
}

function refusal(
  env: Env,
  retailer_id: string,
  correction_id: string,
  language: Language,
): BatchItem<"sqlite">[] {
  const text = refusalText(correction_id, language);
  const dedupe_key = `${correction_id}/refused`;
  const message = { retailer_id, kind: "correction.refused", language, text, dedupe_key };
  return [...outboundStatements(drizzle(env.DB), [message])];
}
