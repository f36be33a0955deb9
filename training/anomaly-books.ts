/**
 * Prints what share of the customers of the two real books the anomaly rules and the forest flag, as they are and after
 * each attack. Nothing was fitted on either book.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type RetailerRows, statementAt, usualTermsAt } from "../scripts/lib/statements.ts";
import { isoToDay } from "../src/lib/days.ts";
import { anomalies, anomalyFacts } from "../src/scoring/anomaly.ts";
import { ledgerView } from "../src/scoring/settlement.ts";
import { ATTACKS, attacked } from "../src/synthetic/attacks.ts";
import { type Book, loadHighradius, loadIbm, rowsOfBook } from "./books.ts";

const HELP = `Usage: node training/anomaly-books.ts [options]

  --data DIR   folder of the two books (default ../shared/data)
  --help       this text`;

const { values: options } = parseArgs({
  options: {
    data: { type: "string", default: "../shared/data" },
    help: { type: "boolean", default: false },
  },
});

interface Counts {
  customers: number;
  flagged: number;
}

/** Counts by "honest" and by attack, over customers with a baseline at the given days. */
function countsOf(book: Book, days: readonly string[]): Map<string, Counts> {
  const counts = new Map<string, Counts>();
  const customers = rowsOfBook(book);
  for (const as_of_day of days.map(isoToDay)) {
    const terms = usualTermsAt(customers.values(), as_of_day);
    const count = (name: string, id: string, rows: RetailerRows): void => {
      const view = ledgerView(statementAt(id, rows, terms, as_of_day, "tally_prime"), as_of_day);
      const facts = view === null ? null : anomalyFacts(view);
      if (facts === null || facts.behaviour === null) return;
      const own = counts.get(name) ?? { customers: 0, flagged: 0 };
      counts.set(name, own);
      own.customers++;
      if (anomalies(facts).length > 0) own.flagged++;
    };
    for (const [id, rows] of customers) {
      count("honest", id, rows);
      for (const attack of ATTACKS) {
        const after = attacked(rows, attack, as_of_day, `${id} ${as_of_day}`);
        if (after !== null) count(attack, id, after);
      }
    }
  }
  return counts;
}

function main(): void {
  if (options.help) {
    console.log(HELP);
    return;
  }
  const file = (name: string): string => join(options.data, name);
  const ibm = loadIbm(file("ibm_watson_accounts_receivable_2466.csv"));
  const highradius = loadHighradius(file("highradius_closed.csv.gz"), file("highradius_open.csv.gz"));
  const books = [
    countsOf(ibm, ["2012-12-31", "2013-03-31", "2013-06-30", "2013-09-30"]),
    countsOf(highradius, ["2019-09-30", "2019-12-31", "2020-02-29"]),
  ];
  const share = ({ customers, flagged }: Counts) => `${((100 * flagged) / customers).toFixed(1)} %`;
  const cells = (name: string) =>
    books.map((counts) => counts.get(name)!).map((own) => `${own.customers} | ${share(own)}`);
  const all_attacks = books.map((counts) => {
    const own = ATTACKS.map((attack) => counts.get(attack)!);
    const total = (field: keyof Counts) => own.reduce((sum, one) => sum + one[field], 0);
    return { customers: total("customers"), flagged: total("flagged") };
  });
  console.log("| rows | IBM Watson | flagged | HighRadius | flagged |\n|--|--|--|--|--|");
  for (const name of ["honest", ...ATTACKS]) console.log(`| ${name} | ${cells(name).join(" | ")} |`);
  console.log(
    `| all attacks | ${all_attacks.map((own) => `${own.customers} | ${share(own)}`).join(" | ")} |`,
  );
}

main();
