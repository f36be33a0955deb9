/** Writes the synthetic cohort through the engine's own features, for train.py and its fellows; see README.md. */
import { createWriteStream, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { parseArgs } from "node:util";
import { dayToIso } from "../src/lib/days.ts";
import { FEATURE_LIST_VERSION, FEATURE_NAMES, FEATURES } from "../src/scoring/feature-table.ts";
import { computeFeatures } from "../src/scoring/features.ts";
import { AS_OF_DAYS, CHAMPION_COHORT, type CohortCase, casesOfLedger } from "./synthetic.ts";

const HELP = `Usage: node training/cohort.ts [options]

Writes cohort.csv (one row per retailer and as_of date) and cohort.json (its description).

  --out DIR        where to (default .local/training)
  --seed TEXT      seed of all ledgers (default ${CHAMPION_COHORT.seed})
  --ledgers N      number of ledgers (default ${CHAMPION_COHORT.ledgers})
  --retailers N    retailers in each (default ${CHAMPION_COHORT.retailers})
  --help           this text`;

const { values: options } = parseArgs({
  options: {
    out: { type: "string", default: ".local/training" },
    seed: { type: "string", default: CHAMPION_COHORT.seed },
    ledgers: { type: "string", default: String(CHAMPION_COHORT.ledgers) },
    retailers: { type: "string", default: String(CHAMPION_COHORT.retailers) },
    help: { type: "boolean", default: false },
  },
});

const COLUMNS = ["retailer", "as_of_day", "route", "already_bad", "label", ...FEATURE_NAMES];

/** A case as a CSV line; undefined where the window holds no invoice. */
function lineOf({ retailer, as_of_day, statement, outcome }: CohortCase): string | undefined {
  const computed = computeFeatures(statement, as_of_day);
  if (computed === null) return undefined;
  const values = computed.values.map((value) => value ?? "");
  return [retailer, as_of_day, computed.route, +outcome.already_bad, +outcome.defaulted, ...values].join(",");
}

async function main(): Promise<void> {
  if (options.help) {
    console.log(HELP);
    return;
  }
  const { seed } = options;
  const request = { seed, ledgers: Number(options.ledgers), retailers: Number(options.retailers) };
  mkdirSync(options.out, { recursive: true });
  const file = createWriteStream(join(options.out, "cohort.csv"));
  file.write(`${COLUMNS.join(",")}\n`);
  let rows = 0;
  for (let number = 0; number < request.ledgers; number++) {
    for (const one of casesOfLedger(number, request, AS_OF_DAYS)) {
      const line = lineOf(one);
      if (line === undefined) continue;
      file.write(`${line}\n`);
      rows++;
    }
    console.log(`ledger ${number + 1}/${request.ledgers}: ${rows} rows`);
  }
  file.end();
  await finished(file);
  const description = {
    feature_list_version: FEATURE_LIST_VERSION,
    features: FEATURES.map(({ name, sign }) => ({ name, sign: sign === "+" ? 1 : -1 })),
    summary:
      `Synthetic kirana cohort, seed "${seed}": ${request.ledgers} ledgers of ${request.retailers} made-up ` +
      `retailers, ${rows} rows at as_of dates ${dayToIso(AS_OF_DAYS.at(-1)!)} to ${dayToIso(AS_OF_DAYS[0]!)}, ` +
      `delays distributed as published for receivables; no real retailer`,
  };
  writeFileSync(join(options.out, "cohort.json"), `${JSON.stringify(description, null, 2)}\n`);
}

await main();
