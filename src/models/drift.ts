import type { ScoreFacts } from "../score/population.ts";
import { PSI_BINS, PSI_MIN_SCORES } from "./gates.ts";
import { populationStability, psiStatus, scoreBin } from "./psi.ts";

/** `too_few` scores say nothing; `no_base`: the model's card has no shares to compare with. */
export type DriftStatus = "green" | "amber" | "refresh" | "freeze" | "too_few" | "no_base";

/** How the latest scores of all retailers stand at the end of a month. Shares are of the scored ones, 0 to 1. */
export interface DriftReport {
  month: string;
  model_id: string;
  status: DriftStatus;
  scores: number;
  /** Shares of the scores 300-349, 350-399, ... 850-900. */
  score_shares: number[];
  /** Null for `too_few` and `no_base`. */
  psi: number | null;
  mean_altscore: number | null;
  /** Points above the mean of the month before; null without one. */
  score_shift: number | null;
  /** Scores among the cards that had enough data: the others lacked true reasons. */
  explainable_share: number | null;
  /** Scores that show a reason code. */
  reason_counts: Record<string, number>;
  anomaly_share: number | null;
}

/** Adds up scores page by page, then reports on them; pure. */
export class DriftTally {
  private readonly bins = new Array<number>(PSI_BINS).fill(0);
  private readonly reasons = new Map<string, number>();
  private scored = 0;
  private unexplainable = 0;
  private anomalies = 0;
  private altscores = 0;

  /** Counts one retailer's latest score. */
  add(score: Pick<ScoreFacts, "status" | "altscore" | "anomaly_flag" | "reason_codes">): void {
    if (score.status === "unexplainable") this.unexplainable++;
    if (score.altscore === null) return;
    this.scored++;
    this.bins[scoreBin(score.altscore)]!++;
    this.altscores += score.altscore;
    if (score.anomaly_flag) this.anomalies++;
    for (const code of score.reason_codes) this.reasons.set(code, (this.reasons.get(code) ?? 0) + 1);
  }

  /**
   * The report against the shares a model was measured with (absent: `no_base`) and the mean score of the month
   * before (null: none).
   */
  report(
    of: { month: string; model_id: string },
    psi_base: readonly number[] | undefined,
    previous_mean: number | null,
  ): DriftReport {
    const { scored } = this;
    const ofScored = (count: number) => (scored > 0 ? count / scored : null);
    const computed = scored + this.unexplainable;
    const score_shares = this.bins.map((count) => ofScored(count) ?? 0);
    const mean_altscore = ofScored(this.altscores);
    const comparable = psi_base !== undefined && scored >= PSI_MIN_SCORES;
    const psi = comparable ? populationStability(score_shares, psi_base) : null;
    return {
      ...of,
      status: psi === null ? (psi_base === undefined ? "no_base" : "too_few") : psiStatus(psi),
      scores: scored,
      score_shares,
      psi,
      mean_altscore,
      score_shift: mean_altscore === null || previous_mean === null ? null : mean_altscore - previous_mean,
      explainable_share: computed > 0 ? scored / computed : null,
      reason_counts: Object.fromEntries([...this.reasons].sort(([a], [b]) => (a < b ? -1 : 1))),
      anomaly_share: ofScored(this.anomalies),
    };
  }
}
