/**
 * Scores two real books of receivables at earlier days with the engine and the shipped champion, and measures how
 * well the score foretold who paid late. Writes models/validation.json and the tables of docs/real-books.md; see
 * training/README.md.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { statementAt, usualTermsAt } from "../scripts/lib/statements.ts";
import { dayToIso, isoToDay } from "../src/lib/days.ts";
import { compileChampion, scoreStatement } from "../src/scoring/engine.ts";
import { modelRow, predictMargin } from "../src/scoring/model.ts";
import type { Scorecard, ScoredCard } from "../src/scoring/types.ts";
import { type Case, compareMeasures, type Discrimination, type Estimate } from "./auroc.ts";
import { type Book, loadHighradius, loadIbm, rowsOfBook } from "./books.ts";
import {
  calibrationByBand,
  coverageOf,
  logisticMargin,
  reliability,
  rounded,
  scoreShares,
  stabilityIndex,
  worstDelay,
} from "./measures.ts";
import { type Outcome, outcomeOf, WINDOW_DAYS } from "./outcome.ts";
import {
  type BookReport,
  type Comparison,
  type MeasuredRow,
  markdownOf,
  writeBetweenMarks,
} from "./report.ts";

const HELP = `Usage: node training/validate.ts [options]

Writes models/validation.json and, between its validation marks, docs/real-books.md.

  --data DIR    folder with the two real books (default ../shared/data)
  --help        this text`;

const CUT_OFFS = {
  ibm: ["2012-06-30", "2012-09-30", "2012-12-31", "2013-03-31", "2013-06-30"],
  highradius: ["2019-06-30", "2019-09-30", "2019-12-31"],
};
/** Late by so many days is a second, milder question: few customers of the IBM book are ever 30 days late. */
const MILD_DAYS = 15;
/** Few customers turn bad, so few groups. */
const RELIABILITY_POINTS = 5;

type Champion = ReturnType<typeof compileChampion>;

/** One customer at one day; `margin` is the model's alone, whatever the route. */
interface Answer {
  customer_id: string;
  day: number;
  invoices: number;
  card: Scorecard;
  margin: number;
}

/** A customer who could turn bad after a cut-off day, and what became of it. */
interface Customer extends Answer {
  outcome: Outcome;
  mild: Outcome;
}
type Scored = Customer & { card: ScoredCard };

/** Everybody with an invoice by a day, as the engine would have answered then. */
function answersAt(book: Book, day: number, champion: Champion): Answer[] {
  const customers = rowsOfBook(book);
  const terms = usualTermsAt(customers.values(), day);
  return Array.from(customers).flatMap(([customer_id, rows]) => {
    const statement = statementAt(customer_id, rows, terms, day, "csv");
    const invoices = statement.invoices.length;
    if (invoices === 0) return [];
    const { card } = scoreStatement(statement, day, champion);
    const margin = predictMargin(champion.model, modelRow(card.features));
    return [{ customer_id, day, invoices, card, margin }];
  });
}

/** Those of the answers who could turn bad in the window. */
function withOutcomes(book: Book, answers: readonly Answer[]): Customer[] {
  const customers = rowsOfBook(book);
  return answers.flatMap((answer) => {
    const { customer_id, day } = answer;
    // The terms known at the cut-off day: no due day in these books is missing, so they decide nothing.
    const known = statementAt(customer_id, customers.get(customer_id)!, new Map(), book.last_day, "csv");
    const outcome = outcomeOf(known, day, book.last_day);
    if (!outcome.at_risk) return [];
    return [{ ...answer, outcome, mild: outcomeOf(known, day, book.last_day, MILD_DAYS) }];
  });
}

const figures = ({ value, low, high }: Estimate): MeasuredRow["auroc"] =>
  Number.isNaN(value) ? null : { value: rounded(value), interval: [rounded(low), rounded(high)] };

const measured = (measure: string, found: Discrimination, difference?: Estimate): MeasuredRow => ({
  measure,
  auroc: figures(found.auroc),
  ks: figures(found.ks),
  ...(difference === undefined ? {} : { first_minus_this: figures(difference) }),
});

/** AUROC and KS of some risk measures on the same customers, the first one's difference to each other. */
function compare<C extends Customer>(
  source: string,
  population: string,
  bad_means: string,
  customers: readonly C[],
  isBad: (customer: C) => boolean,
  risks: Record<string, (customer: C) => number>,
): Comparison {
  const cases = Object.values(risks).map((riskOf) =>
    customers.map((customer): Case => {
      return { group: customer.customer_id, bad: isBad(customer), risk: riskOf(customer) };
    }),
  );
  const { measures, differences } = compareMeasures(cases, "validation");
  return {
    source,
    population,
    bad_means,
    customers: customers.length,
    bad: customers.filter(isBad).length,
    measures: Object.keys(risks).map((name, m) => measured(name, measures[m]!, differences[m - 1])),
  };
}

const SERVED = { score: ({ card }: Scored): number => -card.altscore };
const MODEL = { model: ({ margin }: Customer): number => margin };
const BASELINES = {
  logistic: ({ card }: Customer): number => logisticMargin(card.features),
  worst_delay_365: ({ card }: Customer): number => worstDelay(card.features),
};
const anyBad = ({ outcome }: Customer): boolean => outcome.any_bad;
const ANY_BAD = "any invoice 30+ days late";

function reportOf(
  book: Book,
  cut_offs: readonly string[],
  champion: Champion,
  base: readonly number[],
): BookReport {
  const runs = cut_offs.map((iso) => {
    const answers = answersAt(book, isoToDay(iso), champion);
    const everybody = withOutcomes(book, answers);
    return { iso, answers, everybody };
  });
  const everybody = runs.flatMap((run) => run.everybody);
  const isScored = (customer: Customer): customer is Scored => customer.card.status === "scored";
  const all = everybody.filter(isScored);
  const due_known = all.filter((row) => row.day + WINDOW_DAYS <= book.outcomes_known_due_day);
  const served = { ...SERVED, ...BASELINES };
  const scored = (bad_means: string, customers: readonly Scored[], isBad: (customer: Scored) => boolean) =>
    compare(book.name, "scored", bad_means, customers, isBad, served);
  const part = (population: string, routes: string[]) => {
    const own = all.filter(({ card }) => routes.includes(card.route));
    return compare(book.name, population, ANY_BAD, own, anyBad, served);
  };
  const at_end = answersAt(book, book.last_day, champion);
  const forecasts = all.map(({ card, outcome }) => ({
    pd: card.probability_of_default,
    band: card.risk_band,
    defaulted: outcome.defaulted,
  }));
  const scores = runs.flatMap(({ answers }) =>
    answers.flatMap(({ card }) => (card.status === "scored" ? [card.altscore] : [])),
  );
  return {
    source: book.name,
    invoices: book.invoices.length,
    customers: new Set(book.invoices.map((row) => row.customer_id)).size,
    known_until: dayToIso(book.last_day),
    cut_offs: runs.map(({ iso, everybody: own }) => ({
      ...compare(book.name, iso, ANY_BAD, own.filter(isScored), anyBad, served),
      at_risk: own.length,
      at_risk_bad: own.filter(anyBad).length,
    })),
    comparisons: [
      scored(ANY_BAD, all, anyBad),
      part("scored by the model (6+ months)", ["primary", "sparse"]),
      part("scored by the cold-start card", ["cold_start"]),
      compare(book.name, "everybody at risk", ANY_BAD, everybody, anyBad, { ...MODEL, ...BASELINES }),
    ],
    questions: [
      scored(
        "30+ days past due of 5 % of monthly billing (what PD means)",
        all,
        ({ outcome }) => outcome.defaulted,
      ),
      scored("passed 30 days in the window itself", all, ({ outcome }) => outcome.newly_bad),
      scored(
        "an invoice due in the window became 30+ days late",
        due_known,
        ({ outcome }) => outcome.due_in_window_bad,
      ),
      scored(`${MILD_DAYS}+ days late in the window`, all, ({ mild }) => mild.any_bad),
    ],
    calibration_by_band: calibrationByBand(forecasts),
    reliability: reliability(forecasts, RELIABILITY_POINTS),
    score_shares: scoreShares(scores).map((share) => rounded(share)),
    psi: rounded(stabilityIndex(scoreShares(scores), base)),
    coverage: coverageOf(runs.flatMap(({ answers }) => answers)),
    coverage_at_end: coverageOf(at_end),
  };
}

function main(): void {
  const { values: options } = parseArgs({
    options: {
      data: { type: "string", default: "../shared/data" },
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
  const root = join(import.meta.dirname, "..");
  const model = (name: string): string => join(root, "models", name);
  const meta = JSON.parse(readFileSync(model("champion.meta.json"), "utf8"));
  const { metrics } = meta;
  const champion = compileChampion(readFileSync(model("champion.xgb"), "utf8"), meta);
  const highradius = loadHighradius(file("highradius_closed.csv.gz"), file("highradius_open.csv.gz"));
  const books = [
    reportOf(loadIbm(ibm), CUT_OFFS.ibm, champion, metrics.psi_base),
    reportOf(highradius, CUT_OFFS.highradius, champion, metrics.psi_base),
  ];
  const points = [
    { source: "out of time, the model", reliability: metrics.reliability },
    { source: "out of time, as served", reliability: metrics.served.reliability },
    ...books,
  ];
  const validation = {
    model_id: meta.model_id,
    reliability: points.flatMap(({ source, reliability: own }) =>
      own.map((point: object) => ({ source, ...point })),
    ),
    auroc: books.flatMap(({ comparisons }) =>
      comparisons.flatMap(({ measures, ...what }) => measures.map((row) => ({ ...what, ...row }))),
    ),
    books,
  };
  writeFileSync(model("validation.json"), `${JSON.stringify(validation, null, 1)}\n`);
  const text = [`Model ${meta.model_id}, version ${meta.version}.`, "", ...books.map(markdownOf)].join("\n");
  writeBetweenMarks(join(root, "docs/real-books.md"), text);
  console.log(text);
}

main();
