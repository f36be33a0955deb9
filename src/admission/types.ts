/** What a lender may do; the registry holds each lender's own numbers (api.md §9). */
export interface LenderLimits {
  score_per_minute: number;
  score_per_day: number;
  lookup_per_minute: number;
  lookup_per_day: number;
}

/** The published minimum. */
export const DEFAULT_LENDER_LIMITS: LenderLimits = {
  score_per_minute: 100,
  score_per_day: 5000,
  lookup_per_minute: 20,
  lookup_per_day: 500,
};

/** How long an answer is kept for a repeated X-Request-ID. */
export const REPLAY_MS = 86_400_000;

/** Where a consent stands, for a gate: refused or, once a pause is lifted, not. */
export interface Denial {
  consent_id: string;
  /** The consent's own expiry, Unix ms. */
  until_ms: number;
  /** Number of the record that says so in the consent's chain: the highest counts. */
  record_seq: number;
  lifted: boolean;
}

/** One authenticated call of a lender as its gate sees it: ids and outcome, and the finished answer if there is one. */
export interface AdmissionRequest {
  route: "score" | "history" | "lookup" | "explanation";
  client_id: string;
  jti: string;
  request_id: string;
  retailer_id: string | null;
  purpose: string | null;
  /** The consent the outcome rests on; null if none was found or the call never came that far. */
  consent: { consent_id: string; expires_ms: number } | null;
  score_id: string | null;
  /** `OK` or the error code the call would get. */
  outcome: string;
  /** Why, for the access log only. */
  cause: string | null;
  /** True on the second try of a call that was counted on its first (its cached consent had been revoked). */
  retry: boolean;
  /** Present when the client sent an X-Request-ID on POST /v1/score. */
  replay: { body_sha256: string; language: string; answer: string | null } | null;
}

/** What the X-RateLimit headers say. */
export interface RateState {
  limit: number;
  remaining: number;
  reset_s: number;
}

/** The gate's decision; exactly one of these. */
export type Admission =
  | { kind: "admitted"; denied: boolean; rate: RateState }
  | { kind: "replayed"; answer: string; language: string; rate: RateState }
  | { kind: "reused"; rate: RateState }
  | {
      kind: "limited";
      until_ms: number;
      rate: RateState;
      quota: { limit: number; used: number; resets_at: string } | null;
    }
  | { kind: "revoked" };
