import { madeUpGstin } from "./gstin.ts";
import { createRandom, type Random } from "./random.ts";
import type { LedgerRequest, RetailerKind, SyntheticDistributor } from "./types.ts";

/** Days in a mean month. */
export const MONTH_DAYS = 30.4375;

/** How a distributor sells: its usual term and how often it leaves the due day out. */
export interface DistributorProfile extends SyntheticDistributor {
  term_days: number;
  due_missing_share: number;
}

/** A retailer's buying from one distributor. */
export interface Relationship {
  distributor_index: number;
  /** Mean days between orders at the start, before season and trend. */
  gap_days: number;
  /** Median order in paise. */
  order_paise: number;
  term_days: number;
}

/**
 * A retailer's hidden nature. Lateness is on a latent scale whose unit is about one standard deviation of
 * invoices; delays.ts turns it into days.
 */
export interface RetailerProfile {
  index: number;
  gstin: string;
  phone: string;
  kind: RetailerKind;
  first_day: number;
  /** The last day it orders; end_day unless the shop closes. */
  last_order_day: number;
  relationships: Relationship[];
  /** Steady part of lateness. */
  lateness: number;
  /** Part of lateness that changes by month, from the ledger's first month. */
  monthly_lateness: Float64Array;
  /** Standard deviation of lateness between invoices. */
  scatter: number;
  /** Share of invoices that are forgotten or argued about and slip far. */
  slip_share: number;
  /**
   * Lateness from which it hurries, because its distributors would stop supplying: what goes beyond counts only
   * a fifth. Infinity for one that no such limit moves.
   */
  supply_stop_lateness: number;
  /** Yearly growth of order value and frequency, as a log. */
  growth: number;
  /** How strongly its own season moves its orders (0 none, 1 to almost nothing), and in which month it peaks. */
  season_amplitude: number;
  season_peak_month: number;
  /** Chance that a month has no orders at all. */
  idle_month_share: number;
  /** Standard deviation of the log of order values. */
  order_spread: number;
  partial_share: number;
  bounce_share: number;
  cheque_share: number;
  return_share: number;
  dispute_share: number;
}

const KIND_WEIGHTS: readonly (readonly [RetailerKind, number])[] = [
  ["punctual", 33],
  ["average", 28],
  ["slow", 13],
  ["deteriorating", 7],
  ["seasonal", 7],
  ["sparse", 6],
  ["new", 6],
];

/** Mean and standard deviation of steady lateness by kind. */
const LATENESS: Record<RetailerKind, readonly [number, number]> = {
  punctual: [-0.8, 0.35],
  average: [-0.05, 0.35],
  slow: [1, 0.7],
  deteriorating: [-0.1, 0.4],
  seasonal: [0.1, 0.45],
  sparse: [0.25, 0.6],
  new: [0.2, 0.65],
};
const ERP_TYPES = ["tally_prime", "sap_b1", "csv"] as const;
const DISTRIBUTOR_TERMS = [
  [7, 15],
  [14, 15],
  [15, 15],
  [21, 25],
  [30, 22],
  [45, 8],
] as const;
const TRADE_TERMS = [
  [15, 15],
  [30, 55],
  [45, 15],
  [60, 15],
] as const;

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));
const logNormal = (random: Random, median: number, sigma: number): number =>
  median * Math.exp(sigma * random.normal());

/** The distributors of a ledger; the first two differ in ERP and term, as a demonstration wants. */
export function makeDistributors(request: LedgerRequest): DistributorProfile[] {
  return Array.from({ length: request.distributors }, (_, index) => {
    const random = createRandom(`${request.seed} distributor ${index}`);
    return {
      index,
      erp_type: ERP_TYPES[index % ERP_TYPES.length]!,
      term_days: random.weighted(DISTRIBUTOR_TERMS),
      due_missing_share: random.chance(0.3) ? random.between(0.005, 0.04) : 0,
    };
  });
}

/** Months of lateness above the steady part: a slow drift, crises that come and go, and a decline if it is one. */
function monthlyLateness(random: Random, kind: RetailerKind, months: number): Float64Array {
  const values = new Float64Array(months);
  let drift = 0;
  let crisis = 0;
  let crisis_months = 0;
  const decline_start = random.integer(Math.floor(months * 0.2), months);
  const decline_months = random.integer(3, 8);
  const decline_depth = random.between(1.4, 3);
  const recovers = random.chance(0.35);
  const crisis_chance = kind === "punctual" ? 0.006 : 0.014;
  for (let month = 0; month < months; month++) {
    drift = 0.8 * drift + 0.2 * random.normal();
    if (crisis_months === 0 && random.chance(crisis_chance)) {
      crisis = random.between(1, 2.8);
      crisis_months = random.integer(1, 5);
    }
    values[month] = drift + (crisis_months > 0 ? crisis : 0);
    crisis_months = Math.max(0, crisis_months - 1);
    if (kind === "deteriorating" && month >= decline_start) {
      const since = month - decline_start;
      const recovered = recovers && since > 2 * decline_months;
      if (!recovered) values[month]! += decline_depth * Math.min(1, (since + 1) / decline_months);
    }
  }
  return values;
}

function makeRelationships(
  random: Random,
  kind: RetailerKind,
  trade: boolean,
  distributors: readonly DistributorProfile[],
): Relationship[] {
  const wanted = random.weighted([
    [1, trade ? 85 : 60],
    [2, 32],
    [3, 8],
  ]);
  const main = random.integer(0, distributors.length - 1);
  const gap_days = clamp(logNormal(random, trade ? 22 : 7, 0.5), 2.5, 75) * (kind === "sparse" ? 1.6 : 1);
  const order_paise = clamp(logNormal(random, 900_000, trade ? 1.7 : 0.8), 8_000, 40_000_000);
  const relationships: Relationship[] = [];
  for (let i = 0; i < Math.min(wanted, distributors.length); i++) {
    const distributor = distributors[(main + i) % distributors.length]!;
    let term_days = trade ? random.weighted(TRADE_TERMS) : distributor.term_days;
    if (random.chance(0.15)) term_days = random.weighted(DISTRIBUTOR_TERMS);
    relationships.push({
      distributor_index: distributor.index,
      gap_days: i === 0 ? gap_days : gap_days * random.between(1.2, 3),
      order_paise: i === 0 ? order_paise : order_paise * random.between(0.3, 0.9),
      term_days,
    });
  }
  return relationships;
}

function firstDay(random: Random, kind: RetailerKind, start_day: number, end_day: number): number {
  const span_days = end_day - start_day;
  if (kind === "new") return Math.round(end_day - span_days * random.between(0.05, 0.3));
  // Most bought before the ledger begins; the others come during its first half.
  return Math.round(
    start_day + (random.chance(0.65) ? random.between(0, 20) : span_days * random.between(0, 0.5)),
  );
}

/** One retailer of a ledger that runs from `start_day`; follows from the seed and the index alone. */
export function makeRetailer(
  request: LedgerRequest,
  index: number,
  start_day: number,
  distributors: readonly DistributorProfile[],
): RetailerProfile {
  const random = createRandom(`${request.seed} retailer ${index}`);
  const trade = random.chance(request.trade_share ?? 0);
  const kind = random.weighted(KIND_WEIGHTS);
  const [mean, deviation] = LATENESS[kind];
  const lateness = mean + deviation * random.normal() + (trade ? 0.35 * random.normal() : 0);
  const first_day = firstDay(random, kind, start_day, request.end_day);
  const closes = random.chance(kind === "punctual" ? 0.01 : 0.04);
  const months = Math.ceil((request.end_day - start_day) / MONTH_DAYS) + 1;
  return {
    index,
    gstin: madeUpGstin(`${request.seed} ${index}`),
    phone: `6${String(random.integer(0, 999_999_999)).padStart(9, "0")}`,
    kind,
    first_day,
    last_order_day: closes ? random.integer(first_day + 30, request.end_day) : request.end_day,
    relationships: makeRelationships(random, kind, trade, distributors),
    lateness,
    monthly_lateness: monthlyLateness(random, kind, months),
    scatter: clamp(logNormal(random, trade ? 0.6 : 0.5, 0.35), 0.2, 1.4),
    slip_share: clamp(logNormal(random, 0.006 * Math.exp(0.5 * lateness), 1.4), 0, 0.35),
    supply_stop_lateness: random.chance(0.3) ? random.between(1.2, 2) : Number.POSITIVE_INFINITY,
    growth: 0.06 + 0.15 * random.normal() - (kind === "deteriorating" ? 0.25 : 0),
    season_amplitude: kind === "seasonal" ? random.between(0.6, 1) : random.between(0, 0.25),
    season_peak_month: random.integer(0, 11),
    idle_month_share: kind === "sparse" ? random.between(0.35, 0.7) : trade ? random.between(0, 0.15) : 0.01,
    order_spread: random.between(0.25, trade ? 0.9 : 0.6),
    partial_share: clamp(logNormal(random, 0.04 * Math.exp(0.4 * lateness), 0.7), 0, 0.4),
    bounce_share: clamp(logNormal(random, 0.01 * Math.exp(0.5 * lateness), 0.8), 0, 0.2),
    cheque_share: random.between(0.05, 0.6),
    return_share: clamp(logNormal(random, 0.035, 0.6), 0, 0.2),
    dispute_share: clamp(logNormal(random, trade ? 0.03 : 0.008, 1), 0, 0.35),
  };
}
