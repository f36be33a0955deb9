/**
 * The words that the definitions of the feature table are written in. docs/features.md prints them above the table,
 * so that a reader can compute every feature by hand; the engine does not read them.
 */
export const FEATURE_GLOSSARY: readonly { term: string; meaning: string }[] = [
  {
    term: "t",
    meaning: "the as-of day, at its end (IST). Only rows dated up to t exist. Days are whole calendar days.",
  },
  {
    term: "statement",
    meaning:
      "the invoices with I > t minus 36 months, their payments, and the credit notes that are dated in the same window or name one of these invoices. It limits every feature but the first-invoice day, which the ledger keeps for longer. A retailer without an invoice in it has no feature row.",
  },
  {
    term: "I, D, A, P",
    meaning:
      "of an invoice: its day, its due day, its gross amount, and the day it is settled (none if not by t).",
  },
  {
    term: "D missing",
    meaning:
      "D is I plus the distributor's usual term: the most frequent due - invoice difference among that distributor's invoices up to t (ties: the shorter; none: 30 days).",
  },
  {
    term: "settled",
    meaning:
      "on the first day at whose end non-bounced payments plus credit notes that name the invoice reach 99 % of A. Its open amount is 0 from then on, and A minus both before. A bounced payment counts in feature 18 only. A credit note that names no invoice counts in GMV, 22 and 23 only.",
  },
  {
    term: "partially paid",
    meaning:
      "settled with more than one non-bounced payment dated up to P; or not settled, with at least one such payment, while payments plus credit notes that name it are under 95 % of A. Payments after P count for nothing.",
  },
  {
    term: "late",
    meaning:
      "min(365, max(0, end - D)), where end is P if settled, else t: who never pays must not look punctual.",
  },
  { term: "DUEn", meaning: "the invoices with t - n < D <= t." },
  { term: "INVn", meaning: "the invoices with t - n < I <= t." },
  {
    term: "n days, n months",
    meaning:
      "dated after t - n; or after t minus n calendar months, the day clipped to that month's end (31 March - 1 month = 28 February).",
  },
  { term: "credit notes", meaning: "are no invoices: they count only where they are named." },
  { term: "GMV of a month", meaning: "invoices minus credit notes dated in that calendar month." },
  {
    term: "M12",
    meaning:
      "the last 12 complete calendar months that are not before the month of the first invoice. The month of t is complete if t is its last day.",
  },
  {
    term: "tenure",
    meaning: "in months: feature 37. In days: t minus the day of the first invoice.",
  },
  {
    term: "first month of 35, 36",
    meaning:
      "that of the first invoice or that in which the statement begins, whichever is later. The sparse rule starts there as well.",
  },
  {
    term: "sparse",
    meaning:
      "fewer than 6 months of M12 with an invoice at a tenure of 12 months or more; or the mean interval between active complete months above 1.32 with a squared cv of their invoice counts above 0.49 (Syntetos and Boylan); or feature 32 at 10 or more.",
  },
  {
    term: "sd, cv, percentiles",
    meaning:
      "sd is the population standard deviation, cv is sd / mean; medians and percentiles interpolate linearly, as numpy does by default. OLS is the least squares line over 0, 1, 2, ...",
  },
  {
    term: "order of sums",
    meaning: "distributor, then invoice id, in code units: the order of the rows that came in never shows.",
  },
];
