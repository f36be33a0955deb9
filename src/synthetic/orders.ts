import { MONTH_DAYS, type Relationship, type RetailerProfile } from "./profiles.ts";
import { createRandom, type Random } from "./random.ts";

/** One order before it has an id and a payment. */
export interface OrderDraft {
  retailer_index: number;
  distributor_index: number;
  invoice_day: number;
  term_days: number;
  amount_paise: number;
  disputed: boolean;
  /** Latent lateness of its payment, see delays.ts. */
  lateness: number;
}

/** What a shop sells in each month against its mean: weddings in spring, rains in summer, festivals in autumn. */
const MONTH_DEMAND = [0.95, 0.95, 1.05, 1.0, 0.95, 0.9, 0.85, 1.0, 1.1, 1.3, 1.2, 0.95];
const DAY_MS = 86_400_000;
/** A shop in trouble orders less: this much of its order rate goes per unit of monthly lateness above 0.5. */
const TROUBLE_ORDER_LOSS = 0.3;

/** Share of lateness that is left beyond the point at which distributors stop supplying. */
const BEYOND_SUPPLY_STOP = 0.2;

/** Demand factor of a day: the common rhythm times the retailer's own season. */
function demandFactor(retailer: RetailerProfile, day: number): number {
  const month = new Date(day * DAY_MS).getUTCMonth();
  const phase = (2 * Math.PI * (month - retailer.season_peak_month)) / 12;
  return MONTH_DEMAND[month]! * Math.max(0.04, 1 + retailer.season_amplitude * Math.cos(phase));
}

function ordersFrom(
  random: Random,
  retailer: RetailerProfile,
  relationship: Relationship,
  start_day: number,
  idle: readonly boolean[],
): OrderDraft[] {
  const drafts: OrderDraft[] = [];
  let day = retailer.first_day + random.integer(0, Math.ceil(relationship.gap_days));
  while (day <= retailer.last_order_day) {
    const month = Math.floor((day - start_day) / MONTH_DAYS);
    const trouble = retailer.monthly_lateness[month] ?? 0;
    const demand = demandFactor(retailer, day);
    const growth = Math.exp((retailer.growth * (day - retailer.first_day)) / 365);
    if (!idle[month]) {
      const surprise = random.normal();
      const rupees = Math.exp(retailer.order_spread * surprise) * Math.sqrt(demand * growth);
      drafts.push({
        retailer_index: retailer.index,
        distributor_index: relationship.distributor_index,
        invoice_day: day,
        term_days: relationship.term_days,
        amount_paise: Math.max(5_000, Math.round(relationship.order_paise * rupees)),
        disputed: random.chance(retailer.dispute_share),
        lateness: retailer.lateness + trouble + 0.1 * surprise + retailer.scatter * random.normal(),
      });
      const draft = drafts.at(-1)!;
      // Money is short when shops sell little, and in the retailer's own lean season most of all.
      draft.lateness += 0.35 * Math.max(0, 1 - demand);
      if (draft.disputed) draft.lateness += 0.4;
      if (random.chance(retailer.slip_share)) draft.lateness += 1 + random.exponential(1);
      const beyond = Math.max(0, draft.lateness - retailer.supply_stop_lateness);
      draft.lateness -= (1 - BEYOND_SUPPLY_STOP) * beyond;
    }
    const rate = Math.sqrt(demand * growth) * Math.exp(-TROUBLE_ORDER_LOSS * Math.max(0, trouble - 0.5));
    const gap_days = (relationship.gap_days / rate) * (0.45 + random.exponential(0.55));
    day += Math.max(1, Math.round(gap_days));
  }
  return drafts;
}

/** All orders of a retailer, relationship by relationship, each by day; `start_day` is the ledger's first. */
export function makeOrders(seed: string, retailer: RetailerProfile, start_day: number): OrderDraft[] {
  const random = createRandom(`${seed} orders ${retailer.index}`);
  const idle = Array.from(retailer.monthly_lateness, () => random.chance(retailer.idle_month_share));
  return retailer.relationships.flatMap((relationship) =>
    ordersFrom(random, retailer, relationship, start_day, idle),
  );
}
