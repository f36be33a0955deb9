import {
  CEILING_PERCENT,
  type Guardrail,
  LIMIT_STEP_INR,
  OVERRIDE_PERCENT,
  SMALL_LIMIT_CAP_INR,
} from "./guardrails.ts";
import type { GuardrailEntry, LimitSource, RiskBand, Route } from "./types.ts";

export interface LimitInputs {
  route: Route;
  risk_band: RiskBand;
  altscore: number;
  gmv_6m_paise: number;
  best_gmv_6m_paise: number;
  /** Completeness under the full-confidence mark: halves the limit. */
  low_completeness: boolean;
  single_distributor: boolean;
}

export interface Limit {
  recommended_limit_inr: number;
  limit_source: LimitSource;
  ceiling_applied: boolean;
  gmv_6m_trailing_inr: number;
  ceiling_inr: number;
  trail: GuardrailEntry[];
}

/** Rounds rupees down to whole thousands. */
export function floorToStep(inr: number): number {
  return Math.floor(inr / LIMIT_STEP_INR) * LIMIT_STEP_INR;
}

/** Whole rupees of an amount in paise, rounded down, not below 0. */
function wholeRupees(paise: number): number {
  return Math.max(0, Math.floor(paise / 100));
}

/**
 * The band's share of a GMV (guardrail 4): A 30 %, B 15-25 % and C 10-15 % by score, D nothing. One division at the
 * end: integers up to there, so that a limit on a whole thousand is not lost to rounding.
 */
function shareOfGmv(band: RiskBand, altscore: number, gmv_inr: number): number {
  switch (band) {
    case "A":
      return (gmv_inr * 30) / 100;
    case "B":
      return (gmv_inr * (15 * 149 + 10 * (altscore - 600))) / (149 * 100);
    case "C":
      return (gmv_inr * (10 * 149 + 5 * (altscore - 450))) / (149 * 100);
    case "D":
      return 0;
  }
}

/** The highest limit that six months of net GMV allow: 30 %, or the small cap where there was none. */
function ceilingOf(gmv_inr: number): number {
  return gmv_inr > 0 ? (gmv_inr * CEILING_PERCENT) / 100 : SMALL_LIMIT_CAP_INR;
}

/**
 * The recommended limit (scoring.md §3, §4, §6): the band's share of the route's GMV, under the ceiling, halved for
 * incomplete records and halved for a single distributor, rounded down to thousands.
 */
export function recommendLimit(inputs: LimitInputs): Limit {
  const trail: GuardrailEntry[] = [];
  const note = (guardrail: Guardrail, effect: string) => trail.push({ guardrail, effect });
  const gmv_inr = wholeRupees(inputs.gmv_6m_paise);
  const ceiling_inr = ceilingOf(gmv_inr);
  const is_cold = inputs.route === "cold_start";
  let limit = 0;
  let source: LimitSource = is_cold ? "cold_start" : "model";
  let ceiling_applied = false;

  if (inputs.risk_band === "D") {
    note("band_d_no_limit", "no limit in band D");
  } else if (is_cold) {
    const allowed = (gmv_inr * CEILING_PERCENT) / 100;
    ceiling_applied = allowed < SMALL_LIMIT_CAP_INR;
    limit = Math.min(SMALL_LIMIT_CAP_INR, allowed);
    note("cold_start_limit_cap", `limit at most ${SMALL_LIMIT_CAP_INR} and the ceiling`);
  } else {
    const window_inr = inputs.route === "sparse" ? wholeRupees(inputs.best_gmv_6m_paise) : gmv_inr;
    const wanted = shareOfGmv(inputs.risk_band, inputs.altscore, window_inr);
    ceiling_applied = wanted > ceiling_inr;
    limit = Math.min(wanted, ceiling_inr);
    if (ceiling_applied) {
      source = "gmv_ceiling";
      note(gmv_inr > 0 ? "affordability_ceiling" : "zero_gmv_cap", change(wanted, limit));
    }
  }
  if (inputs.low_completeness && limit > 0) {
    note("data_quality_low_confidence", change(limit, limit / 2));
    limit /= 2;
    source = "low_confidence_cap";
  }
  if (inputs.single_distributor && limit > 0) {
    note("single_distributor_halved", change(limit, limit / 2));
    limit /= 2;
  }
  return {
    recommended_limit_inr: floorToStep(limit),
    limit_source: source,
    ceiling_applied,
    gmv_6m_trailing_inr: gmv_inr,
    ceiling_inr,
    trail,
  };
}

/** A limit's change in whole rupees, for the trail. */
export function change(from_inr: number, to_inr: number): string {
  return `limit ${Math.floor(from_inr)} -> ${Math.floor(to_inr)}`;
}

/** How a requested limit (integer rupees) stands against a score's ceiling (api.md §3). */
export function requestedLimit(
  card: { ceiling_inr: number },
  requested_inr: number,
): { requested_inr: number; within_ceiling: boolean; override_max_inr: number } {
  return {
    requested_inr,
    within_ceiling: requested_inr <= card.ceiling_inr,
    override_max_inr: floorToStep((card.ceiling_inr * OVERRIDE_PERCENT) / 100),
  };
}
