/**
 * Scores two real books of receivables at earlier days with the engine and the shipped champion, and measures how
 * well the score foretold who paid late. Prints Markdown tables; see training/README.md.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { statementAt, usualTermsAt } from "../scripts/lib/statements.ts";
import { dayToIso, isoToDay } from "../src/lib/days.ts";
import { compileChampion, scoreStatement } from "../src/scoring/engine.ts";
import { FEATURE_INDEX } from "../src/scoring/feature-table.ts";
import { modelRow, predictMargin } from "../src/scoring/model.ts";
import type { RiskBand, Scorecard, ScoredCard } from "../src/scoring/types.ts";
import { type AurocEstimate, compareAuroc } from "./auroc.ts";
import { type Book, loadHighradius, loadIbm, rowsOfBook } from "./books.ts";
import { type Outcome, outcomeOf, WINDOW_DAYS } from "./outcome.ts";

const HELP = `Usage: node training/validate.ts [options]

  --data DIR    folder with the two real books (default ../shared/data)
  --write FILE  put the tables into this Markdown file, between its validation marks
  --help        this text`;

const CUT_OFFS = {
  ibm: ["2012-06-30", "2012-09-30", "2012-12-31", "2013-03-31", "2013-06-30"],
  highradius: ["2019-06-30", "2019-09-30", "2019-12-31"],
};
const BEGIN_MARK = "<!-- validation: begin, written by training/validate.ts -->";
const END_MARK = "<!-- validation: end -->";
/** Late by so many days is a second, milder question: few customers of the IBM book are ever 30 days late. */
const MILD_DAYS = 15;

/** One customer at one cut-off day and what became of it; `margin` is the model's alone, whatever the route. */
interface Customer<Card extends Scorecard = Scorecard> {
  customer_id: string;
  cut_off_day: number;
  card: Card;
  margin: number;
  outcome: Outcome;
  mild: Outcome;
}
type ScoredCustomer = Customer<ScoredCard>;

function isScored(customer: Customer): customer is ScoredCustomer {
  return customer.card.status === "scored";
}

type Champion = ReturnType<typeof compileChampion>;

/** Everybody who could turn bad after a cut-off day, with the engine's answer. */
function customersAt(book: Book, cut_off_day: number, champion: Champion): Customer[] {
  const customers = rowsOfBook(book);
  const terms = usualTermsAt(customers.values(), cut_off_day);
  return Array.from(customers).flatMap(([customer_id, rows]) => {
    const statement = statementAt(customer_id, rows, terms, cut_off_day, "csv");
    if (statement.invoices.length === 0) return [];
    const known = statementAt(customer_id, rows, terms, book.last_day, "csv");
    const outcome = outcomeOf(known, cut_off_day, book.last_day);
    if (!outcome.at_risk) return [];
    const { card } = scoreStatement(statement, cut_off_day, champion);
    const margin = predictMargin(champion.model, modelRow(card.features));
    const mild = outcomeOf(known, cut_off_day, book.last_day, MILD_DAYS);
    return [{ customer_id, cut_off_day, card, margin, outcome, mild }];
  });
}

const percent = (share: number): string => (Number.isNaN(share) ? "-" : `${(100 * share).toFixed(1)} %`);
const number = (value: number): string => (Number.isNaN(value) ? "-" : value.toFixed(3));
const withInterval = ({ value, low, high }: AurocEstimate): string =>
  Number.isNaN(value) ? "-" : `${number(value)} (${number(low)} to ${number(high)})`;
const table = (header: string[], rows: string[][]): string =>
  [header, header.map(() => "--"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

/** Cells: customers, bad ones, AUROC of the risk measure, of worst_delay_365 alone, and their difference. */
function comparison<C extends Customer>(
  customers: readonly C[],
  isBad: (customer: C) => boolean,
  riskOf: (customer: C) => number,
): string[] {
  const cases = (risk: (customer: C) => number) =>
    customers.map((customer) => ({
      group: customer.customer_id,
      bad: isBad(customer),
      risk: risk(customer),
    }));
  const byRisk = cases(riskOf);
  // A customer of whom nothing fell due in a year has not been late.
  const byWorstDelay = cases(({ card }) => card.features[FEATURE_INDEX.worst_delay_365] ?? 0);
  const { estimates, differences } = compareAuroc([byRisk, byWorstDelay], "validation");
  const bad = byRisk.filter((item) => item.bad).length;
  return [String(customers.length), String(bad), ...[...estimates, ...differences].map(withInterval)];
}

const byScore = ({ card }: ScoredCustomer): number => -card.altscore;
const byMargin = ({ margin }: Customer): number => margin;
const anyBad = ({ outcome }: Customer): boolean => outcome.any_bad;

const COMPARISON_HEADER = ["customers", "bad", "AUROC", "worst_delay_365 alone", "difference"];

function bandRows(customers: readonly ScoredCustomer[]): string[][] {
  return (["A", "B", "C", "D"] satisfies RiskBand[]).map((band) => {
    const own = customers.filter(({ card }) => card.risk_band === band);
    const mean = (value: (customer: ScoredCustomer) => number): number =>
      own.reduce((sum, customer) => sum + value(customer), 0) / own.length;
    return [
      band,
      String(own.length),
      percent(mean(({ card }) => card.probability_of_default)),
      percent(mean(({ outcome }) => (outcome.defaulted ? 1 : 0))),
      percent(mean(({ outcome }) => (outcome.any_bad ? 1 : 0))),
    ];
  });
}

/** The tables of one book. */
function report(book: Book, cut_offs: readonly string[], champion: Champion): string {
  const runs = cut_offs.map((iso) => {
    const everybody = customersAt(book, isoToDay(iso), champion);
    return { iso, everybody, scored: everybody.filter(isScored) };
  });
  const everybody = runs.flatMap((run) => run.everybody);
  const all = runs.flatMap((run) => run.scored);
  const by_model = all.filter(({ card }) => card.route !== "cold_start");
  const due_known = all.filter((row) => row.cut_off_day + WINDOW_DAYS <= book.outcomes_known_due_day);
  const unscored = runs.map((run) => `${run.iso}: ${run.everybody.length - run.scored.length}`).join(", ");
  return [
    `## ${book.name}`,
    "",
    `${book.invoices.length} invoices of ${new Set(book.invoices.map((row) => row.customer_id)).size} customers, ` +
      `known up to ${dayToIso(book.last_day)}. Customers at risk to whom the engine gave no score: ${unscored}.`,
    "",
    "Any invoice 30+ days late in the 90 days after the cut-off day:",
    "",
    table(
      ["cut-off", ...COMPARISON_HEADER],
      [
        ...runs.map((run) => [run.iso, ...comparison(run.scored, anyBad, byScore)]),
        ["all", ...comparison(all, anyBad, byScore)],
        ["all, scored by the model (6+ months)", ...comparison(by_model, anyBad, byScore)],
        ["everybody at risk, the model alone", ...comparison(everybody, anyBad, byMargin)],
      ],
    ),
    "",
    "All cut-off days together, the question put in other ways:",
    "",
    table(
      ["bad means", ...COMPARISON_HEADER],
      [
        [
          "30+ days past due of 5 % of monthly billing (what PD means)",
          ...comparison(all, ({ outcome }) => outcome.defaulted, byScore),
        ],
        [
          "passed 30 days in the window itself",
          ...comparison(all, ({ outcome }) => outcome.newly_bad, byScore),
        ],
        [
          "an invoice due in the window became 30+ days late",
          ...comparison(due_known, ({ outcome }) => outcome.due_in_window_bad, byScore),
        ],
        [`${MILD_DAYS}+ days late in the window`, ...comparison(all, ({ mild }) => mild.any_bad, byScore)],
      ],
    ),
    "",
    "Bands, all cut-off days together:",
    "",
    table(
      ["band", "customers", "mean PD", "went bad as PD defines it", "any invoice 30+ days late"],
      bandRows(all),
    ),
    "",
  ].join("\n");
}

function writeBetweenMarks(path: string, text: string): void {
  const page = readFileSync(path, "utf8");
  const begin = page.indexOf(BEGIN_MARK);
  const end = page.indexOf(END_MARK);
  if (begin < 0 || end < begin) throw new Error(`${path} lacks the marks ${BEGIN_MARK} and ${END_MARK}`);
  writeFileSync(path, `${page.slice(0, begin)}${BEGIN_MARK}\n\n${text}\n${page.slice(end)}`);
}

function main(): void {
  const { values: options } = parseArgs({
    options: {
      data: { type: "string", default: "../shared/data" },
      write: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (options.help) {
    console.log(HELP);
    return;
  }
  const file = (name: string): string => join(options.data, name);
  const ibm = file("ibm_watson_accounts_receivable_2466.csv");
  if (!existsSync(ibm)) throw new Error(`no books in ${options.data}: give their folder with --data`);
  const model = (name: string): string => join(import.meta.dirname, "../models", name);
  const meta = JSON.parse(readFileSync(model("champion.meta.json"), "utf8"));
  const champion = compileChampion(readFileSync(model("champion.xgb"), "utf8"), meta);
  const text = [
    `Model ${meta.model_id}, version ${meta.version}.`,
    "",
    report(loadIbm(ibm), CUT_OFFS.ibm, champion),
    report(
      loadHighradius(file("highradius_closed.csv.gz"), file("highradius_open.csv.gz")),
      CUT_OFFS.highradius,
      champion,
    ),
  ].join("\n");
  console.log(text);
  if (options.write !== undefined) writeBetweenMarks(options.write, text);
}

main();
