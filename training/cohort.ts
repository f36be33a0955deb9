/**
 * Writes the synthetic cohort the champion is trained on: seeded ledgers, seen at several as_of dates through the
 * engine's own features, with what happened in the 90 days after. See training/README.md.
 */
import { createWriteStream, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { parseArgs } from "node:util";
import { statementAt, usualTermsAt } from "../scripts/lib/statements.ts";
import { dayToIso, isoToDay } from "../src/lib/days.ts";
import { FEATURE_LIST_VERSION, FEATURE_NAMES, FEATURES } from "../src/scoring/feature-table.ts";
import { computeFeatures } from "../src/scoring/features.ts";
import { generateLedger } from "../src/synthetic/kirana.ts";
import { outcomeOf, WINDOW_DAYS } from "./outcome.ts";
import { rowsOfLedger } from "./statements.ts";

const HELP = `Usage: node training/cohort.ts [options]

Writes cohort.csv (one row per retailer and as_of date) and cohort.json (its description).

  --out DIR        where to (default .local/training)
  --seed TEXT      seed of all ledgers (default champion-1)
  --ledgers N      number of ledgers (default 36)
  --retailers N    retailers in each (default 400)
  --help           this text`;

/** The last known day of every ledger; the last as_of date is WINDOW_DAYS before it. */
const END_DAY = isoToDay("2026-03-31");
/** As_of dates this far apart, so that no retailer's label windows overlap. */
const AS_OF_STEP_DAYS = WINDOW_DAYS;
const MAX_AS_OF_DATES = 5;
const MIN_HISTORY_DAYS = 185;
/** Length of the ledgers in months, and share of retailers that buy like small wholesalers; taken in turn. */
const LEDGER_MONTHS = [13, 18, 24, 30, 36, 42];
const TRADE_SHARES = [0.2, 0.45, 0.7, 0.95];
const DISTRIBUTORS_PER_LEDGER = 24;
/** A younger retailer is scored by the cold-start rules; a little below, so that the model knows the border. */
const MIN_TENURE_MONTHS = 4;

const { values: options } = parseArgs({
  options: {
    out: { type: "string", default: ".local/training" },
    seed: { type: "string", default: "champion-1" },
    ledgers: { type: "string", default: "36" },
    retailers: { type: "string", default: "400" },
    help: { type: "boolean", default: false },
  },
});

interface CohortCounts {
  rows: number;
  bad: number;
}

/** The rows of one ledger at all its as_of dates, as CSV lines. */
function* cohortRows(
  number: number,
  seed: string,
  retailers: number,
  counts: CohortCounts,
): Generator<string> {
  const months = LEDGER_MONTHS[number % LEDGER_MONTHS.length]!;
  const ledger = generateLedger({
    seed: `${seed} ledger ${number}`,
    retailers,
    distributors: DISTRIBUTORS_PER_LEDGER,
    months,
    end_day: END_DAY,
    trade_share: TRADE_SHARES[number % TRADE_SHARES.length]!,
  });
  const rows = rowsOfLedger(ledger);
  const tenure_index = FEATURE_NAMES.indexOf("distributor_tenure_months");
  const start_day = END_DAY - Math.round(months * 30.4375);
  for (let date = 1; date <= MAX_AS_OF_DATES; date++) {
    const as_of_day = END_DAY - date * AS_OF_STEP_DAYS;
    if (as_of_day - start_day < MIN_HISTORY_DAYS) break;
    const terms = usualTermsAt(rows.values(), as_of_day);
    for (const [index, own] of rows) {
      const id = `${number}-${index}`;
      const computed = computeFeatures(statementAt(id, own, terms, as_of_day, "tally_prime"), as_of_day);
      if (computed === null || computed.values[tenure_index]! < MIN_TENURE_MONTHS) continue;
      const known_day = as_of_day + WINDOW_DAYS;
      const outcome = outcomeOf(statementAt(id, own, terms, known_day, "tally_prime"), as_of_day, known_day);
      if (!outcome.at_risk) continue;
      counts.rows++;
      if (outcome.defaulted) counts.bad++;
      const retailer = number * retailers + index;
      const sparse = computed.route === "sparse" ? 1 : 0;
      const cells = computed.values.map((value) => value ?? "");
      const already_bad = outcome.already_bad ? 1 : 0;
      yield [retailer, as_of_day, sparse, already_bad, outcome.defaulted ? 1 : 0, ...cells].join(",");
    }
  }
}

async function main(): Promise<void> {
  if (options.help) {
    console.log(HELP);
    return;
  }
  const ledgers = Number(options.ledgers);
  const retailers = Number(options.retailers);
  mkdirSync(options.out, { recursive: true });
  const file = createWriteStream(join(options.out, "cohort.csv"));
  file.write(`${["retailer", "as_of_day", "sparse", "already_bad", "label", ...FEATURE_NAMES].join(",")}\n`);
  const counts: CohortCounts = { rows: 0, bad: 0 };
  for (let number = 0; number < ledgers; number++) {
    for (const line of cohortRows(number, options.seed, retailers, counts)) file.write(`${line}\n`);
    console.log(`ledger ${number + 1}/${ledgers}: ${counts.rows} rows, ${counts.bad} bad`);
  }
  file.end();
  await finished(file);
  const first_as_of = dayToIso(END_DAY - MAX_AS_OF_DATES * AS_OF_STEP_DAYS);
  const description = {
    feature_list_version: FEATURE_LIST_VERSION,
    features: FEATURES.map(({ name, sign }) => ({ name, sign: sign === "+" ? 1 : -1 })),
    summary:
      `Synthetic kirana cohort, seed "${options.seed}": ${ledgers} ledgers of ${retailers} made-up retailers, ` +
      `${counts.rows} rows at as_of dates ${first_as_of} to ${dayToIso(END_DAY - AS_OF_STEP_DAYS)}, ` +
      `delays distributed as published for receivables; no real retailer`,
  };
  writeFileSync(join(options.out, "cohort.json"), `${JSON.stringify(description, null, 2)}\n`);
}

await main();
