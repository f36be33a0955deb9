import type { Completeness, ErpType } from "../scoring/types.ts";

/** What a batch is judged by; counts over its checked records unless said otherwise. */
export interface BatchFacts {
  /** The registry's or the header's type is csv. */
  csv: boolean;
  records_sent: number;
  records_quarantined: number;
  invoices: number;
  /** Invoices with a usable due date; credit notes that name their invoice. */
  invoices_detailed: number;
  /** Invoices whose retailer has a GSTIN or a phone verified by a consent. */
  invoices_identified: number;
  /** Invoices (credit notes apart) due by `sync_to`, and those of them with a payment in the batch or the books. */
  invoices_due: number;
  invoices_due_paid: number;
  /** Calendar months (IST) from sync_from to sync_to, and those with a record dated in them. */
  months_covered: number;
  months_active: number;
}

/** Fields every checked invoice has (id, date, amount, retailer), next to the one that may be missing. */
const SURE_FIELDS = 4;
const CSV_CEILING = 75;
const WEIGHTS = { invoice: 0.3, payment: 0.3, temporal: 0.2, identity: 0.1, schema: 0.1 } as const;

/** True if completeness is to be capped as a csv-only source (scoring.md §3). */
export function countsAsCsv(registered: ErpType, stated: ErpType): boolean {
  return registered === "csv" || stated === "csv";
}

/**
 * Completeness of one batch, 0-100 with one decimal, in the dimensions and weights of scoring.md §3:
 * - invoice: share of an invoice's five fields (id, date, amount, retailer, due date) that are filled;
 * - payment: share of the invoices due by sync_to that have a payment;
 * - temporal: share of the calendar months from sync_from to sync_to with a record;
 * - identity: share of invoices whose retailer is known by GSTIN or verified phone;
 * - schema: share of the records sent that were not quarantined.
 * A share of nothing is 100: what was not there to send is not missing. csv: the total is at most 75.
 */
export function batchCompleteness(facts: BatchFacts): Completeness {
  const parts = {
    invoice: share(
      SURE_FIELDS * facts.invoices + facts.invoices_detailed,
      (SURE_FIELDS + 1) * facts.invoices,
    ),
    payment: share(facts.invoices_due_paid, facts.invoices_due),
    temporal: share(facts.months_active, facts.months_covered),
    identity: share(facts.invoices_identified, facts.invoices),
    schema: share(facts.records_sent - facts.records_quarantined, facts.records_sent),
  };
  let score = 0;
  for (const [name, weight] of Object.entries(WEIGHTS)) score += weight * parts[name as keyof typeof WEIGHTS];
  if (facts.csv) score = Math.min(score, CSV_CEILING);
  return { score: oneDecimal(score), ...parts };
}

function share(part: number, whole: number): number {
  return whole === 0 ? 100 : oneDecimal(Math.min(1, part / whole) * 100);
}

function oneDecimal(value: number): number {
  return Math.round(value * 10) / 10;
}
