import { mapLimited, pause } from "../lib/concurrency.ts";
import { OperationError } from "../lib/errors.ts";
import type { HttpAnswer } from "../lib/http-client.ts";
import { type BearerApi, unexpected } from "./api.ts";

const CONCURRENCY = 4;
const POLL_MS = 500;
const STALL_MS = 120_000;

export interface ReasonCode {
  code: string;
  direction: "positive" | "negative";
  rank: number;
  label_en: string;
  label_hi: string;
}

/** The part of POST /v1/score's answer that is shown. */
export interface ScoreAnswer {
  retailer_id: string;
  score_id: string;
  altscore: number;
  risk_band: string;
  probability_of_default: number;
  pd_horizon_days: number;
  recommended_limit_inr: number;
  limit_source: string;
  gmv_6m_trailing_inr: number;
  reason_codes: ReasonCode[];
  data_freshness_days: number;
  completeness_score: number;
  low_confidence: boolean;
  cold_start: boolean;
  warnings: string[];
  data_as_of: string;
  score_version: string;
}

/** What a retailer's score call came to: a score, or why there is none. */
export type ScoreOutcome = { score: ScoreAnswer } | { refusal: string };

function askScore(lender: BearerApi, retailer_id: string): Promise<HttpAnswer> {
  return lender.sendOnce("POST", "/v1/score", { retailer_id, purpose: "working_capital_loan" });
}

/**
 * Waits until every retailer has its score or a lasting refusal (too little data), asking again for those that
 * the pipeline has not reached. A score without complete reason codes is never shown (503). OperationError if nothing moves for two minutes.
 */
export async function collectScores(
  lender: BearerApi,
  retailer_ids: string[],
  onScore: (done: number) => void,
): Promise<Map<string, ScoreOutcome>> {
  const outcomes = new Map<string, ScoreOutcome>();
  const unavailable = new Set<string>();
  let moved_ms = Date.now();
  for (;;) {
    const open = retailer_ids.filter((id) => !outcomes.has(id));
    if (open.length === 0) return outcomes;
    // The pipeline works in the order of the consents: while the first are missing, asking for all is idle.
    const asked = open.slice(0, 25);
    await mapLimited(asked, CONCURRENCY, async (retailer_id) => {
      const answer = await askScore(lender, retailer_id);
      // Once may be a busy moment; twice is a score that may not be shown.
      if (answer.status === 503 && !unavailable.has(retailer_id)) {
        unavailable.add(retailer_id);
        return;
      }
      const outcome = outcomeOf(answer);
      if (outcome === null) return;
      outcomes.set(retailer_id, outcome);
      moved_ms = Date.now();
      onScore(outcomes.size);
    });
    if (Date.now() - moved_ms > STALL_MS) {
      throw new OperationError(`${open.length} retailers have no score yet: see the Worker's log for why.`);
    }
    if (asked.some((id) => !outcomes.has(id))) await pause(POLL_MS);
  }
}

function outcomeOf(answer: HttpAnswer): ScoreOutcome | null {
  if (answer.status === 200) return { score: answer.body as ScoreAnswer };
  if (answer.status === 404) return null;
  // 422: too little data; 503: reason codes that are not complete.
  if (answer.status === 422 || answer.status === 503) {
    return { refusal: (answer.body as { error_code: string }).error_code };
  }
  throw unexpected("POST /v1/score", answer);
}
