import {
  PSI_AMBER_FROM,
  PSI_BIN_POINTS,
  PSI_BINS,
  PSI_FREEZE_ABOVE,
  PSI_LOWEST_SCORE,
  PSI_REFRESH_ABOVE,
} from "./gates.ts";

/** An empty bin counts as this share, or its logarithm would be infinite. */
const LEAST_SHARE = 1e-4;

/** The bin of a score from 300 to 900; the last includes 900. */
export function scoreBin(altscore: number): number {
  return Math.min(PSI_BINS - 1, Math.floor((altscore - PSI_LOWEST_SCORE) / PSI_BIN_POINTS));
}

/**
 * Population stability index of two distributions over the same bins: sum of (a - b) ln(a / b), which is Jeffreys'
 * divergence (Siddiqi 2006, Credit Risk Scorecards). 0 for equal shares, never negative, symmetric.
 */
export function populationStability(shares: readonly number[], base: readonly number[]): number {
  if (shares.length !== base.length) throw new RangeError("distributions over different bins");
  return shares.reduce((sum, share, bin) => {
    const a = Math.max(share, LEAST_SHARE);
    const b = Math.max(base[bin]!, LEAST_SHARE);
    return sum + (a - b) * Math.log(a / b);
  }, 0);
}

/** What an index asks for (scoring.md §6.6). */
export function psiStatus(psi: number): "green" | "amber" | "refresh" | "freeze" {
  if (psi > PSI_FREEZE_ABOVE) return "freeze";
  if (psi > PSI_REFRESH_ABOVE) return "refresh";
  return psi >= PSI_AMBER_FROM ? "amber" : "green";
}
