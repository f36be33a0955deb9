import { type CompactJWSHeaderParameters, CompactSign } from "jose";
import { signingKey } from "../auth/keys.ts";
import type { ActiveConsent } from "../consent/lookup.ts";
import type { Env } from "../env.ts";
import { AppError, unavailable } from "../http/errors.ts";
import type { Language } from "../http/language.ts";
import type { Purpose } from "../http/schemas.ts";
import { utf8 } from "../lib/bytes.ts";
import { istDay } from "../lib/days.ts";
import { newUuid, nowMs } from "../lib/seams.ts";
import { applyFreshness } from "../scoring/freshness.ts";
import { cardFields, type ServableCard } from "./card-fields.ts";
import type { ScoreAnswer, ScoreRequest } from "./schemas.ts";
import type { ServedScore } from "./types.ts";

/** IST days from the newest sync to now; never negative. Null sync: as old as can be. */
export function freshnessDays(newest_sync_to: string | null): number {
  if (newest_sync_to === null) return Number.MAX_SAFE_INTEGER;
  return Math.max(0, istDay(nowMs()) - istDay(Date.parse(newest_sync_to)));
}

/**
 * The card as it may be disclosed today: freshness applied. Throws DATA_INSUFFICIENT for too little or too old data, SERVICE_UNAVAILABLE if it cannot be explained.
 */
export function servableCard({ card }: ServedScore, freshness_days: number): ServableCard {
  if (card.status !== "scored") {
    if (card.status === "unexplainable") throw unavailable("reason codes incomplete");
    throw new AppError("DATA_INSUFFICIENT", { members: { details: { completeness: card.completeness } } });
  }
  const fresh = applyFreshness(card, freshness_days);
  if (!fresh) {
    throw new AppError("DATA_INSUFFICIENT", {
      detail: "The newest data is older than 30 days.",
      members: { details: { completeness: card.completeness, data_freshness_days: freshness_days } },
    });
  }
  return fresh;
}

/** The body of POST /v1/score (api.md §3), receipt included, as JSON text. */
export async function scoreAnswerBody(
  env: Env,
  input: {
    lender_id: string;
    request_id: string;
    language: Language;
    request: ScoreRequest;
    consent: ActiveConsent;
    score: ServedScore;
    card: ServableCard;
    freshness_days: number;
  },
): Promise<string> {
  const { request, consent, score, card } = input;
  const answer: ScoreAnswer = {
    retailer_id: consent.retailer_id,
    score_id: score.score_id,
    ...cardFields(card, {
      language: input.language,
      freshness_days: input.freshness_days,
      score_version: score.score_version,
      requested_limit_inr: request.requested_limit_inr,
    }),
    scored_at: score.scored_at,
    consent: { consent_id: consent.consent_id, purpose: request.purpose, expires_at: consent.expires_at },
    receipt: await signReceipt(env, {
      iss: "altscore.in",
      sub: input.lender_id,
      jti: newUuid(),
      iat: Math.floor(nowMs() / 1000),
      retailer_id: consent.retailer_id,
      score_id: score.score_id,
      consent_id: consent.consent_id,
      purpose: request.purpose,
      altscore: card.altscore,
      risk_band: card.risk_band,
    }),
    request_id: input.request_id,
  };
  return JSON.stringify(answer);
}

interface ReceiptClaims {
  iss: string;
  sub: string;
  jti: string;
  iat: number;
  retailer_id: string;
  score_id: string;
  consent_id: string;
  purpose: Purpose;
  altscore: number;
  risk_band: string;
}

/** The lender's proof of what it was told, when and under which consent: a compact JWS, ES256. */
async function signReceipt(env: Env, claims: ReceiptClaims): Promise<string> {
  const { kid, key } = await signingKey(env, "ES256");
  const header: CompactJWSHeaderParameters = { alg: "ES256", kid, typ: "altscore-receipt+jwt" };
  return new CompactSign(utf8(JSON.stringify(claims))).setProtectedHeader(header).sign(key);
}
