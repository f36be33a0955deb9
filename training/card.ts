/** Writes the model card models/README.md from champion.meta.json and validation.json; see training/README.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BANDS, type BandCalibration } from "./measures.ts";
import {
  type BookReport,
  COMPARISON_HEADER,
  calibrationRow,
  comparisonRows,
  coverageText,
  type MeasuredRow,
  percent,
  table,
  withInterval,
  wrapped,
} from "./report.ts";

const folder = join(import.meta.dirname, "../models");
const read = (name: string) => JSON.parse(readFileSync(join(folder, name), "utf8"));
const meta = read("champion.meta.json");
const { metrics } = meta;
const books: BookReport[] = read("validation.json").books;
const cold_start: { rules: Record<string, unknown> } = read("cold-start.json");

const thousands = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ",");
const outOfTime = (population: string, rows: number, bad_rate: number, measures: MeasuredRow[]) =>
  comparisonRows({
    source: "out of time",
    population,
    bad_means: "default",
    customers: rows,
    bad: Math.round(rows * bad_rate),
    measures,
  });

const bands = (by_band: Record<string, BandCalibration>, name: string): string[][] =>
  BANDS.flatMap((band) => (by_band[band] ? [[name, ...calibrationRow(band, by_band[band])]] : []));

const gain = Object.entries(meta.gain_shares as Record<string, number>).slice(0, 8);
const { served } = metrics;
const inBand = (name: string) => metrics.calibration_by_band[name];
const widest_gap = Math.max(...BANDS.map((band) => Math.abs(inBand(band).mean_pd - inBand(band).bad_rate)));

const text = `<!-- Written by training/card.ts from champion.meta.json and validation.json; do not edit. -->

# The shipped champion: model card

${meta.model_id}, version ${meta.version}. \`champion.xgb\` is an XGBoost 1.7.4 JSON artefact: 200 trees of depth 4 at
most, binary logistic, 42 inputs in the order of the feature table, a missing value where a feature is null, every
input constrained to its direction of risk. \`champion.meta.json\` registers it (id, SHA-256, calibration, metrics);
\`vectors.csv\` holds XGBoost's own answers for the evaluator's tests. \`cold-start.json\` is the scorecard of
${Object.keys(cold_start.rules).length} rules for retailers with under six months of history (docs/adr/0013).
\`validation.json\` holds all figures on the real books. \`training/README.md\` says how everything is made; the same
seed gives the same bytes.

## What it is for

It predicts the probability that invoices worth at least 5 % of a retailer's average monthly billing stand 30 or more
days past due on some day of the next 90. It is meant as one input of a lender's decision on short trade credit for a
shop whose distributors keep their ledgers here, with that shop's consent, and with the reasons shown.

It must not be used to price credit before its PD has been recalibrated on observed outcomes, to decide about anybody
without a person to object to, for consumers or employees, on data without consent, or for loans of more than a few
months. No input encodes place, name, community or festival; none may be added that stands in for one.

## What it was trained on

${meta.trained_on}. ${thousands(meta.rows.train)} rows to train, ${thousands(meta.rows.calibration)} of other
retailers to calibrate; the last date is kept for the tests below. How retailers differ, drift and slip is assumption;
days late follow the published distribution of receivables. No request data, no real book.

What it leans on (share of the total gain): ${gain.map(([name, share]) => `\`${name}\` ${percent(share)}`).join(", ")}.

## Out of time, on its own kind

The cohort's last date, which nothing was fitted to. Intervals (95 %) come from resampling retailers. "The model" is
its own PD of everybody with six months of history or more: what the promotion gates ask for. "As served" is the score
after cold start, the 70 : 30 weighing of the payment history, widened PDs, and with its reasons.

${table(COMPARISON_HEADER, [
  ...outOfTime("6+ months of history", metrics.rows, metrics.bad_rate, metrics.comparison),
  ...outOfTime("everybody scored", served.rows, served.bad_rate, served.comparison),
])}

A plain logistic scorecard of the same features is a strong baseline here. The model minus it:
${withInterval(metrics.comparison[1].first_minus_this)}; the score as served minus it:
${withInterval(served.comparison[1].first_minus_this)}. What the guardrails cost of the ranking is the price of what this
cohort does not contain, a retailer who cleans up for two months in order to borrow. Part of the task is easy, since some
are 30 days past due already; among the others the score's AUROC is ${withInterval(served.parts.not_yet_bad.auroc)}.

| part, as served | rows | AUROC | mean PD | went bad |
| -- | -- | -- | -- | -- |
${["primary", "sparse", "cold_start"]
  .map((name) => {
    const part = served.parts[name];
    const figures = [withInterval(part.auroc), percent(part.mean_pd), percent(part.bad_rate)];
    return `| ${name} | ${part.rows} | ${figures.join(" | ")} |`;
  })
  .join("\n")}

Brier score: the model ${metrics.brier}, as served ${served.brier}.

## Calibration

${table(
  ["", "band", "rows", "mean PD", "went bad"],
  [...bands(metrics.calibration_by_band, "the model"), ...bands(served.calibration_by_band, "as served")],
)}

The gate is 2 points a band for the model; its largest gap is ${(100 * widest_gap).toFixed(1)}. As served, PD is on
the careful side by design: whoever looks better than 60 days ago is held back, a sparse retailer gets the upper end of
an interval, a young one an allowance.

## On two real books it was never trained on

Bad is any invoice 30 or more days late in the 90 days after a day in the past; (customer, day) pairs, intervals from
resampling customers. More questions and days: docs/real-books.md.

${books
  .map((book) =>
    [
      `### ${book.source}`,
      "",
      table(COMPARISON_HEADER, book.comparisons.flatMap(comparisonRows)),
      "",
      `PSI of its scores against the out-of-time set's: ${book.psi.toFixed(3)}.`,
      "",
    ].join("\n"),
  )
  .join("\n")}
Few customers turn bad, so most differences to the single feature and to the logistic scorecard do not exclude zero, in
either direction. Both books are wholesale trade outside India: they show that the score reads payment behaviour, not
how it does on kirana shops, and their scores are distributed unlike the cohort's. The generator of the cohort was
revised with earlier figures of these books in view, and the way the cold-start card is made was chosen after the rules
before it had failed there; no weight was fitted to them.

## Fairness

Approval rate (band A or B, as served) of each cohort of the out-of-time set over the best-off one of its kind; the gate
asks for 0.80. No protected attribute is collected, so none can be tested; these are cohorts a lender can see or would
ask about: size (quartiles of six-month purchases, 1 the smallest), length of the history, the ERP of the main
distributor, and shops whose trade is seasonal or rare (a hidden label of the generator). Ratios on made-up retailers
show that the method does not turn on these traits by itself, not that it is fair to real ones.

${table(
  ["cohort", "ratio"],
  Object.entries(metrics.air as Record<string, number>).map(([cohort, ratio]) => [cohort, ratio.toFixed(3)]),
)}

## Reason codes

A score is given only with at least 3 positive and 2 negative codes that are true (docs/adr/0006).

- Out of time: ${coverageText(metrics.coverage)}.
${books.map((book) => `- ${book.source}, all cut-off days: ${coverageText(book.coverage)}.`).join("\n")}

## Limits

- The bad rate of the cohort sets the level of PD; the calibration on the real books is in docs/real-books.md.
- ${books.map((book) => `${book.comparisons.at(-1)!.bad} bad cases in the ${book.source} book`).join(", ")}: little to tell methods apart by.
- On the real books the single feature and the logistic scorecard come close to the score, and beat it in places.
- A customer known from one or two bills, paid late, gets no score: three true strengths cannot be named.
`;

writeFileSync(join(folder, "README.md"), wrapped(text));
