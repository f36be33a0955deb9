import type { Purpose } from "../http/schemas.ts";

/** The purposes in words, as the record states them beside their codes (regulation.md 1.3). */
export const PURPOSE_TEXTS: Record<Purpose, string> = {
  working_capital_loan: "Assess an application for a working capital loan",
  term_loan: "Assess an application for a term loan",
  credit_line: "Assess an application for a credit line",
  portfolio_monitoring: "Monitor a credit that the lender has granted",
};

/** What is processed: the trade records of the retailer's distributors. */
export const DATA_CATEGORIES = ["invoices", "payments", "returns"] as const;

/** What is done with it: a score is computed and disclosed to the lender; the records themselves never are. */
export const OPERATIONS = ["score", "disclose"] as const;

/** How often a lender may ask under a consent, and how long what it allows lasts (regulation.md 1.3). */
export const FREQUENCY = "at each request of the lender while the consent is active";
export const DATA_LIFE = "disclosed until the consent ends; this record is kept for 7 years";

/** Longest life of a consent in calendar months (spec/consent.md). */
const MAX_MONTHS = 12;

/**
 * The latest end of a consent granted at `granted_ms` (Unix ms): 12 calendar months later in UTC, the last day
 * of the month where the day does not exist (29 February). Also the end when none is asked for.
 */
export function latestExpiryMs(granted_ms: number): number {
  const granted = new Date(granted_ms);
  const end = new Date(granted_ms);
  end.setUTCMonth(granted.getUTCMonth() + MAX_MONTHS);
  // Day 0 is the last day of the month before.
  if (end.getUTCDate() !== granted.getUTCDate()) end.setUTCDate(0);
  return end.getTime();
}
