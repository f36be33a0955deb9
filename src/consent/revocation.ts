import { drizzle } from "drizzle-orm/d1";
import { signingKey } from "../auth/keys.ts";
import type { Env } from "../env.ts";
import { newEvent } from "../events/envelope.ts";
import { outboxInsert } from "../events/outbox.ts";
import { AppError } from "../http/errors.ts";
import { sha256Hex } from "../lib/bytes.ts";
import { canonicalJson } from "../lib/jcs.ts";
import { nowIso } from "../lib/seams.ts";
import { canonicalRetailer } from "../retailers/store.ts";
import { orUnavailable, retryWhileContended } from "./fail-safe.ts";
import { forgetConsent } from "./lookup.ts";
import { type ChainHead, EMPTY_CHAIN, revocationContent, sealRecords } from "./record.ts";
import type { RevokeAnswer, RevokeRequest } from "./schemas.ts";
import {
  type ConsentRow,
  consentsById,
  consentsWithHeads,
  type EvidenceRow,
  evidenceInsert,
  findEvidence,
  grantRecordsOf,
  recordInserts,
  revokeUpdate,
  runBatch,
} from "./store.ts";

/**
 * Ends consents: by consent_id that one, by retailer_id (and lender_id) all that are not revoked yet. The records are
 * appended first, then every lender's gate is told, then the caches are dropped: when this returns, no lender
 * gets a score under them any more. If a gate cannot be reached it throws SERVICE_UNAVAILABLE, and a repeat (or
 * the consumer of `consent.revoked`) tells the gates again. A repeat gives the first answer. Throws
 * CONSENT_NOT_FOUND, and EVIDENCE_REUSED if the message served for another act (api.md §4).
 */
export async function recordRevocation(
  env: Env,
  request: RevokeRequest,
  revoked_by: string,
): Promise<RevokeAnswer> {
  const { answer, in_force } = await retryWhileContended(() => revokeOnce(env, request, revoked_by));
  await enforceRevocation(env, { consent_ids: in_force });
  return answer;
}

/**
 * Makes revocations effective: denies the consents in the gate of every lender named until their own expiry, and
 * drops the cached copies. Idempotent; consents that are not revoked are left alone. Throws SERVICE_UNAVAILABLE
 * if D1 or a gate fails, and is to be called again then.
 */
export async function enforceRevocation(env: Env, revocation: { consent_ids: string[] }): Promise<void> {
  return orUnavailable(async () => {
    const rows = await consentsById(env, revocation.consent_ids);
    const revoked = rows.filter((row) => row.status === "REVOKED");
    const by_lender = Map.groupBy(revoked, (row) => row.lender_id);
    await Promise.all(
      [...by_lender].map(([lender_id, ended]) =>
        env.LENDER_GATE.get(env.LENDER_GATE.idFromName(lender_id)).deny(
          ended.map((row) => ({ consent_id: row.consent_id, until_ms: Date.parse(row.expires_at) })),
        ),
      ),
    );
    await Promise.all(revoked.map((row) => forgetConsent(env, row.lender_id, row.retailer_id)));
  });
}

interface Outcome {
  answer: RevokeAnswer;
  /** All revoked consents that the request names, earlier acts' too: their denials are sent (again). */
  in_force: string[];
}

async function revokeOnce(env: Env, request: RevokeRequest, revoked_by: string): Promise<Outcome> {
  const content_sha256 = sha256Hex(canonicalJson({ ...request, act: "revoke" }));
  const earlier = request.wa_message_id ? await findEvidence(env, request.wa_message_id) : undefined;
  if (earlier?.kind === "revoke" && earlier.content_sha256 === content_sha256) {
    const answer = JSON.parse(earlier.answer) as RevokeAnswer;
    return { answer, in_force: answer.revoked };
  }
  const { rows, heads } = await named(env, request);
  if (rows.length === 0) throw new AppError("CONSENT_NOT_FOUND");
  if (earlier) throw new AppError("EVIDENCE_REUSED");
  const standing = rows.filter((row) => row.status === "ACTIVE");
  const answer =
    standing.length > 0
      ? await append(env, { request, revoked_by, content_sha256, standing, heads })
      : await repeat(env, request, content_sha256, rows);
  return { answer, in_force: rows.map((row) => row.consent_id) };
}

/** The consents that the request names, with the heads of their chains. */
async function named(
  env: Env,
  request: RevokeRequest,
): Promise<{ rows: ConsentRow[]; heads: Map<string, ChainHead> }> {
  const { consent_id, lender_id } = request;
  let retailer_id: string | undefined;
  for (;;) {
    if (request.retailer_id !== undefined) {
      const canonical = await canonicalRetailer(env, request.retailer_id);
      // The second time round: it was not absorbed meanwhile, so there are really none.
      if (canonical === null || canonical === retailer_id) return { rows: [], heads: new Map() };
      retailer_id = canonical;
    }
    const found = await consentsWithHeads(env, { consent_id, retailer_id, lender_id });
    if (found.rows.length > 0 || retailer_id === undefined) return found;
  }
}

interface Append {
  request: RevokeRequest;
  revoked_by: string;
  content_sha256: string;
  standing: ConsentRow[];
  heads: Map<string, ChainHead>;
}

/**
 * Signs and appends the revocations, each to the chain that holds its grant, in one transaction. Two revokers of
 * one consent append to the same chain after the same head: one of them fails and finds it revoked when it reads again.
 */
async function append(env: Env, input: Append): Promise<RevokeAnswer> {
  const { request, revoked_by, standing, heads } = input;
  const consent_ids = standing.map((row) => row.consent_id);
  const [grants, signer] = await Promise.all([grantRecordsOf(env, consent_ids), signingKey(env, "ES256")]);
  const revoked_at = nowIso();
  const act = {
    revoked_at,
    revoked_by,
    reason: request.reason ?? null,
    wa_message_id: request.wa_message_id ?? null,
  };
  const chains = Map.groupBy(standing, (row) => row.chain_retailer_id);
  const records = await Promise.all(
    [...chains].map(([chain_id, rows]) => {
      const contents = rows.map((row) => {
        const grant = grants.get(row.consent_id);
        if (!grant) throw new Error(`consent ${row.consent_id} has no record of its grant`);
        return revocationContent(grant, act);
      });
      return sealRecords(heads.get(chain_id) ?? EMPTY_CHAIN, contents, signer);
    }),
  );
  const answer = answerFor(consent_ids, revoked_at);
  const retailer_id = (standing[0] as ConsentRow).retailer_id;
  const lender_ids = [...new Set(standing.map((row) => row.lender_id))];
  const db = drizzle(env.DB);
  await runBatch(db, [
    ...evidenceOf(env, request, input.content_sha256, answer),
    ...recordInserts(db, records.flat()),
    revokeUpdate(db, consent_ids, revoked_at),
    outboxInsert(db, newEvent("consent.revoked", retailer_id, { retailer_id, consent_ids, lender_ids })),
  ]);
  return answer;
}

/** The answer of the last act that revoked some of these; nothing is appended, but the message is used up. */
async function repeat(
  env: Env,
  request: RevokeRequest,
  content_sha256: string,
  rows: ConsentRow[],
): Promise<RevokeAnswer> {
  const revoked_at = rows.reduce(
    (last, row) => (row.revoked_at && row.revoked_at > last ? row.revoked_at : last),
    "",
  );
  const consent_ids = rows.filter((row) => row.revoked_at === revoked_at).map((row) => row.consent_id);
  const answer = answerFor(consent_ids, revoked_at);
  await runBatch(drizzle(env.DB), evidenceOf(env, request, content_sha256, answer));
  return answer;
}

function evidenceOf(env: Env, request: RevokeRequest, content_sha256: string, answer: RevokeAnswer) {
  if (request.wa_message_id === undefined) return [];
  const row: Omit<EvidenceRow, "created_at"> = {
    wa_message_id: request.wa_message_id,
    kind: "revoke",
    content_sha256,
    answer: JSON.stringify(answer),
  };
  return [evidenceInsert(drizzle(env.DB), row)];
}

/** The gates refuse from the moment of the answer on, so processing has halted by the time it says. */
function answerFor(consent_ids: string[], revoked_at: string): RevokeAnswer {
  return {
    consent_id: consent_ids[0] as string,
    revoked: consent_ids,
    status: "revoked",
    revoked_at,
    processing_halt_by: revoked_at,
  };
}
