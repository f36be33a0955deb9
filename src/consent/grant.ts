import type { BatchItem } from "drizzle-orm/batch";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import { signingKey } from "../auth/keys.ts";
import { parseEnv } from "../config.ts";
import type { Env } from "../env.ts";
import { newEvent } from "../events/envelope.ts";
import { outboxInsert } from "../events/outbox.ts";
import { AppError } from "../http/errors.ts";
import { invalid } from "../http/validation.ts";
import { sha256Hex } from "../lib/bytes.ts";
import { canonicalJson } from "../lib/jcs.ts";
import { newId, nowMs } from "../lib/seams.ts";
import { distributorExists, findNotice, type Notice, unknownLenders } from "../parties/store.ts";
import { KEY_IDS } from "../retailers/blind-index.ts";
import {
  canonicalRetailer,
  createProvisional,
  markPhoneVerified,
  retailersOfPhone,
} from "../retailers/store.ts";
import { retryWhileContended } from "./fail-safe.ts";
import { forgetConsent, moveConsentsStatements } from "./lookup.ts";
import { dataFiduciary, fullEvidence, type GrantAct, grantContent, sealRecords } from "./record.ts";
import type { GrantAnswer, GrantRequest } from "./schemas.ts";
import {
  chainHead,
  consentInserts,
  type EvidenceRow,
  evidenceInsert,
  findEvidence,
  recordInserts,
  runBatch,
} from "./store.ts";
import { latestExpiryMs } from "./terms.ts";

/** The answer of a grant; `repeated` if the message had served for the same act before. */
export interface Granted {
  repeated: boolean;
  answer: GrantAnswer;
}

/** Statements of the caller's own for the grant's transaction; one that fails takes the whole grant with it. */
export type Together = (db: DrizzleD1Database, answer: GrantAnswer) => BatchItem<"sqlite">[];

/**
 * Records a consent: one signed record per lender, the projection, the evidence and the event `consent.granted`, all
 * or nothing. The same message with the same content gives the first answer again. Throws INVALID_REQUEST (end
 * in the past or too late), ADULT_REQUIRED, NOTICE_UNKNOWN, UNKNOWN_PARTY, RETAILER_NOT_FOUND,
 * AMBIGUOUS_RETAILER, EVIDENCE_REUSED (api.md §4, §10).
 */
export async function recordGrant(
  env: Env,
  request: GrantRequest,
  recorded_by: string,
  together: Together = () => [],
): Promise<Granted> {
  const { wa_message_id } = request;
  const content_sha256 = contentHash(request);
  let notice: Notice | undefined;
  return retryWhileContended(async () => {
    const earlier = wa_message_id === null ? undefined : await findEvidence(env, wa_message_id);
    if (earlier && earlier.kind === "grant" && earlier.content_sha256 === content_sha256) {
      const answer = JSON.parse(earlier.answer) as GrantAnswer;
      await settle(env, request, answer.retailer_id);
      return { repeated: true, answer };
    }
    notice ??= await checkedNotice(env, request);
    const retailer_id = await nameRetailer(env, request, earlier);
    const answer = await append(env, {
      request,
      content_sha256,
      recorded_by,
      notice,
      retailer_id,
      together,
    });
    const settled_id = await settle(env, request, retailer_id);
    await Promise.all(request.lender_ids.map((lender_id) => forgetConsent(env, lender_id, settled_id)));
    return { repeated: false, answer };
  });
}

/**
 * What makes two grants the same act: all that was said, in one spelling, whatever the order of its lists; not the
 * evidence, which names another time of receipt when a message is delivered again.
 */
function contentHash({ evidence: _, ...request }: GrantRequest): string {
  return sha256Hex(
    canonicalJson({
      ...request,
      act: "grant",
      lender_ids: [...request.lender_ids].sort(),
      purposes: [...request.purposes].sort(),
    }),
  );
}

/** The notice that was given, once everything that the request can be wrong in has been found right. */
async function checkedNotice(env: Env, request: GrantRequest): Promise<Notice> {
  checkExpiry(request, nowMs());
  if (!request.adult_declared) throw new AppError("ADULT_REQUIRED");
  const [notice, unknown_lenders, distributor_known] = await Promise.all([
    noticeGiven(env, request),
    unknownLenders(env, request.lender_ids),
    distributorExists(env, request.distributor_id),
  ]);
  if (!notice) throw new AppError("NOTICE_UNKNOWN");
  if (unknown_lenders.length > 0 || !distributor_known) throw new AppError("UNKNOWN_PARTY");
  return notice;
}

function checkExpiry({ expires_ms }: GrantRequest, now_ms: number): void {
  if (expires_ms === null) return;
  if (expires_ms <= now_ms) throw invalid("expires_at", "must be in the future");
  if (expires_ms > latestExpiryMs(now_ms)) throw invalid("expires_at", "must be at most 12 months from now");
}

/** The notice in the language of the consent: `hi-IN` is served by a notice in `hi`. */
async function noticeGiven(env: Env, request: GrantRequest): Promise<Notice | null> {
  const { notice_id, notice_version, language } = request;
  if (notice_id === null || notice_version === null) return null;
  const primary = language.split("-")[0] as string;
  return (
    (await findNotice(env, notice_id, notice_version, language)) ??
    (primary === language ? null : await findNotice(env, notice_id, notice_version, primary))
  );
}

/**
 * The canonical retailer that the request names. A phone nobody has named yet makes a provisional one, so what
 * else can be refused is refused here: that the message served for another act.
 */
async function nameRetailer(
  env: Env,
  request: GrantRequest,
  earlier: EvidenceRow | undefined,
): Promise<string> {
  if (request.retailer_id !== null) {
    const canonical = await canonicalRetailer(env, request.retailer_id);
    if (canonical === null) throw new AppError("RETAILER_NOT_FOUND");
    if (earlier) throw new AppError("EVIDENCE_REUSED");
    return canonical;
  }
  const phone_hash = request.retailer_phone_hash as string;
  const named = await retailersOfPhone(env, phone_hash);
  if (named.length > 1) throw new AppError("AMBIGUOUS_RETAILER");
  if (earlier) throw new AppError("EVIDENCE_REUSED");
  return named[0] ?? (await createProvisional(env, phone_hash));
}

interface Append {
  request: GrantRequest;
  notice: Notice;
  content_sha256: string;
  recorded_by: string;
  retailer_id: string;
  together: Together;
}

/** Signs and writes the act in one transaction; fails with a unique violation if another writer was first. */
async function append(env: Env, input: Append): Promise<GrantAnswer> {
  const { request, retailer_id, notice } = input;
  const granted_ms = nowMs();
  // Once more: others' turns in the chain may have taken longer than the consent was to last.
  checkExpiry(request, granted_ms);
  const signed_at = new Date(granted_ms).toISOString();
  const expires_at = new Date(request.expires_ms ?? latestExpiryMs(granted_ms)).toISOString();
  const act: GrantAct = {
    retailer_id,
    fiduciary: dataFiduciary(parseEnv(env)),
    identifier:
      request.retailer_phone_hash === null
        ? null
        : { hmac: request.retailer_phone_hash, key_id: KEY_IDS.phone },
    grant_group: newId("grp"),
    purposes: request.purposes,
    distributor_id: request.distributor_id,
    channel: request.channel,
    language: request.language,
    notice: { id: notice.notice_id, version: notice.notice_version, sha256: notice.sha256 },
    evidence: fullEvidence(request.wa_message_id, signed_at, request.evidence),
    recorded_by: input.recorded_by,
    granted_at: signed_at,
    expires_at,
  };
  const contents = request.lender_ids.map((lender_id) => grantContent(act, newId("cns"), lender_id));
  const [head, signer] = await Promise.all([chainHead(env, retailer_id), signingKey(env, "ES256")]);
  const records = await sealRecords(head, contents, signer);
  const consents = records.map(({ consent_id, signature }, index) => ({
    lender_id: request.lender_ids[index] as string,
    consent_id,
    signature,
  }));
  const [first] = consents;
  const [purpose] = request.purposes;
  if (!first || !purpose) throw new RangeError("a grant names at least one lender and one purpose");
  const answer: GrantAnswer = {
    consent_id: first.consent_id,
    consents,
    retailer_id,
    lender_scope: request.lender_ids,
    purpose,
    signed_at,
    expires_at,
    signature: first.signature,
  };
  const db = drizzle(env.DB);
  const event = newEvent("consent.granted", retailer_id, {
    retailer_id,
    consent_ids: consents.map((consent) => consent.consent_id),
    lender_ids: request.lender_ids,
  });
  await runBatch(db, [
    ...(request.wa_message_id === null
      ? []
      : [
          evidenceInsert(db, {
            wa_message_id: request.wa_message_id,
            kind: "grant",
            content_sha256: input.content_sha256,
            answer: JSON.stringify(answer),
          }),
        ]),
    ...recordInserts(db, records),
    ...consentInserts(
      db,
      contents.map((content) => ({
        consent_id: content.consent_id,
        retailer_id,
        chain_retailer_id: retailer_id,
        lender_id: content.lender_id,
        purposes: JSON.stringify(content.purposes),
        status: "ACTIVE" as const,
        grant_group: content.grant_group,
        granted_at: content.granted_at,
        expires_at: content.expires_at,
        revoked_at: null,
      })),
    ),
    ...(request.retailer_phone_hash === null ? [] : [markPhoneVerified(db, retailer_id)]),
    outboxInsert(db, event),
    ...input.together(db, answer),
  ]);
  return answer;
}

/**
 * Lets a consent follow its retailer if that was absorbed while the grant was being written: the merge could
 * not see it. Done again on a repeat, in case a crash came in between. Returns the retailer it stands under.
 */
async function settle(env: Env, request: GrantRequest, retailer_id: string): Promise<string> {
  const canonical = await canonicalRetailer(env, retailer_id);
  if (canonical === null || canonical === retailer_id) return retailer_id;
  const db = drizzle(env.DB);
  await runBatch(db, [
    ...moveConsentsStatements(db, retailer_id, canonical),
    ...(request.retailer_phone_hash === null ? [] : [markPhoneVerified(db, canonical)]),
  ]);
  return canonical;
}
