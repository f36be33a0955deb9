/**
 * Writes the behaviour (src/scoring/behaviour.ts) of honest synthetic retailers and of the same retailers after each
 * attack, for anomaly.py. See the end of training/README.md.
 */
import { createWriteStream, mkdirSync } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { parseArgs } from "node:util";
import { statementAt, usualTermsAt } from "../scripts/lib/statements.ts";
import { isoToDay } from "../src/lib/days.ts";
import { anomalyFacts, ruleAnomalies } from "../src/scoring/anomaly.ts";
import { BEHAVIOUR_MEASURES } from "../src/scoring/behaviour.ts";
import { ledgerView } from "../src/scoring/settlement.ts";
import {
  ATTACKS,
  attacked,
  type RetailerLedger,
  withCollectionDay,
  withRoundOrders,
} from "../src/synthetic/attacks.ts";
import { generateLedger } from "../src/synthetic/kirana.ts";
import { createRandom, type Random } from "../src/synthetic/random.ts";
import { rowsOfLedger } from "./statements.ts";

const HELP = `Usage: node training/attacks.ts [options]

Writes behaviour.csv: a row for each retailer and as_of date, honest and after each attack.

  --out DIR        where to (default .local/training)
  --retailers N    retailers in each ledger (default 600)
  --help           this text`;

const { values: options } = parseArgs({
  options: {
    out: { type: "string", default: ".local/training" },
    retailers: { type: "string", default: "600" },
    help: { type: "boolean", default: false },
  },
});

/** The forest is grown on the first, its threshold set on the second, its figures come from the third. */
const SETS = ["train", "threshold", "test"] as const;
const END_DAY = isoToDay("2026-03-31");
const LEDGER_MONTHS = [18, 24, 30, 36];
const TRADE_SHARES = [0, 0.2, 0.45, 0.7];
const LEDGERS = 8;
const DISTRIBUTORS_PER_LEDGER = 24;
/** Over a year, so that every season is an end of some window. */
const AS_OF_STEPS_DAYS = [0, 73, 146, 219, 292];
/** This share of shops orders in round sums of one of these steps. */
const ROUND_SHARE = 0.4;
const ROUND_STEPS_PAISE = [
  [10_000, 1],
  [50_000, 1],
  [100_000, 1],
] as const;
/** And this share pays on one day of the week only. */
const COLLECTION_DAY_SHARE = 0.3;

/** Habits of a shop that the generator does not know. */
function withHabits(rows: RetailerLedger, random: Random): RetailerLedger {
  const step_paise = random.weighted(ROUND_STEPS_PAISE);
  const ordered = random.chance(ROUND_SHARE) ? withRoundOrders(rows, step_paise) : rows;
  const weekday = random.integer(0, 6);
  return random.chance(COLLECTION_DAY_SHARE) ? withCollectionDay(ordered, weekday) : ordered;
}

function* rowsOfSet(set: string, retailers: number): Generator<string> {
  for (let number = 0; number < LEDGERS; number++) {
    const seed = `anomaly-${set} ledger ${number}`;
    const ledger = generateLedger({
      seed,
      retailers,
      distributors: DISTRIBUTORS_PER_LEDGER,
      months: LEDGER_MONTHS[number % LEDGER_MONTHS.length]!,
      end_day: END_DAY,
      trade_share: TRADE_SHARES[Math.floor(number / 2) % TRADE_SHARES.length]!,
    });
    const all = rowsOfLedger(ledger);
    const random = createRandom(`${seed} as_of`);
    const terms = usualTermsAt(all.values(), END_DAY);
    for (const [index, made] of all) {
      const as_of_day = END_DAY - AS_OF_STEPS_DAYS[random.integer(0, AS_OF_STEPS_DAYS.length - 1)]!;
      const honest = withHabits(made, random);
      const line = (rows: RetailerLedger, name: string): string | null => {
        const statement = statementAt(`${index}`, rows, terms, as_of_day, "tally_prime");
        const view = ledgerView(statement, as_of_day);
        if (view === null) return null;
        const facts = anomalyFacts(view);
        if (facts.behaviour === null) return null;
        const rules = ruleAnomalies(facts).length > 0 ? 1 : 0;
        return [set, name, `${number}-${index}`, rules, ...facts.behaviour.map((v) => v ?? "")].join(",");
      };
      const first = line(honest, "honest");
      if (first === null) continue;
      yield first;
      if (set === "train") continue;
      for (const attack of ATTACKS) {
        const rows = attacked(honest, attack, as_of_day, `${seed} ${index}`);
        const attack_line = rows === null ? null : line(rows, attack);
        if (attack_line !== null) yield attack_line;
      }
    }
  }
}

async function main(): Promise<void> {
  if (options.help) {
    console.log(HELP);
    return;
  }
  mkdirSync(options.out, { recursive: true });
  const file = createWriteStream(join(options.out, "behaviour.csv"));
  file.write(`${["set", "attack", "retailer", "rules", ...BEHAVIOUR_MEASURES].join(",")}\n`);
  for (const set of SETS) {
    let rows = 0;
    for (const row of rowsOfSet(set, Number(options.retailers))) {
      file.write(`${row}\n`);
      rows++;
    }
    console.log(`${set}: ${rows} rows`);
  }
  file.end();
  await finished(file);
}

await main();
