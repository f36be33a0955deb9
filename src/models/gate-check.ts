import type { RiskBand } from "../scoring/types.ts";
import type { ModelMetrics } from "./card.ts";
import {
  MAX_CALIBRATION_GAP,
  MIN_AIR,
  MIN_AUROC,
  MIN_AUROC_GAIN,
  MIN_KS,
  MIN_RANK_CONCORDANCE,
  MIN_SHADOW_DAYS,
  MIN_SHADOW_SCORES,
} from "./gates.ts";

/** What a promotion is decided on. */
export interface PromotionEvidence {
  metrics: ModelMetrics;
  /** Of the champion, or the last one if it is frozen. */
  champion_metrics: ModelMetrics;
  shadow_days: number;
  /** Retailers scored by both models, and the rank correlation over them; null if it is not defined. */
  shadow_scores: number;
  rank_concordance: number | null;
}

/** Decimal borders that binary cannot hold must not fail by one bit. */
const ROUNDING = 1e-9;
const BANDS: readonly RiskBand[] = ["A", "B", "C", "D"];

function reaches(value: number | null | undefined, floor: number): boolean {
  return typeof value === "number" && value >= floor - ROUNDING;
}

/** The gates that the evidence does not pass, each with what was found; a figure that is missing fails its gate. */
export function failedGates(evidence: PromotionEvidence): string[] {
  const { metrics, champion_metrics, shadow_days, shadow_scores, rank_concordance } = evidence;
  const failed: string[] = [];
  const require = (passed: boolean, gate: string, found: unknown) => {
    if (!passed) failed.push(`${gate} (is ${found ?? "missing"})`);
  };
  require(reaches(metrics.auroc, MIN_AUROC), `AUROC at least ${MIN_AUROC}`, metrics.auroc);
  require(champion_metrics.auroc !== undefined &&
    reaches(
      metrics.auroc,
      champion_metrics.auroc + MIN_AUROC_GAIN,
    ), `AUROC at least ${MIN_AUROC_GAIN} above the champion's ${champion_metrics.auroc ?? "(missing)"}`, metrics.auroc);
  require(reaches(metrics.ks, MIN_KS), `KS at least ${MIN_KS}`, metrics.ks);
  for (const band of BANDS) {
    const measured = metrics.calibration_by_band?.[band];
    const gap = measured && measured.rows > 0 ? Math.abs(measured.mean_pd - measured.bad_rate) : undefined;
    require(gap !== undefined &&
      reaches(
        -gap,
        -MAX_CALIBRATION_GAP,
      ), `calibration of band ${band} within ${MAX_CALIBRATION_GAP}`, gap?.toFixed(4));
  }
  const cohorts = Object.entries(metrics.air ?? {});
  if (cohorts.length === 0) require(false, `AIR at least ${MIN_AIR} in every cohort`, undefined);
  for (const [cohort, ratio] of cohorts) {
    require(reaches(ratio, MIN_AIR), `AIR of ${cohort} at least ${MIN_AIR}`, ratio);
  }
  require(metrics.psi_base !== undefined, "score shares for the drift reports (psi_base)", undefined);
  require(shadow_days >= MIN_SHADOW_DAYS, `at least ${MIN_SHADOW_DAYS} days in shadow`, Math.floor(
    shadow_days,
  ));
  require(shadow_scores >=
    MIN_SHADOW_SCORES, `at least ${MIN_SHADOW_SCORES} retailers in shadow`, shadow_scores);
  require(reaches(
    rank_concordance,
    MIN_RANK_CONCORDANCE,
  ), `rank concordance at least ${MIN_RANK_CONCORDANCE}`, rank_concordance?.toFixed(4));
  return failed;
}
