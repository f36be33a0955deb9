/**
 * The synthetic cohort: seeded ledgers of made-up retailers, seen at several as_of dates, with what happened in the
 * 90 days after. The same seed gives the same retailers.
 */
import { statementAt, usualTermsAt } from "../scripts/lib/statements.ts";
import { isoToDay } from "../src/lib/days.ts";
import type { ErpType, Statement } from "../src/scoring/types.ts";
import { generateLedger } from "../src/synthetic/kirana.ts";
import type { RetailerKind } from "../src/synthetic/types.ts";
import { type Outcome, outcomeOf, WINDOW_DAYS } from "./outcome.ts";
import { rowsOfLedger } from "./statements.ts";

/** Which cohort: as many ledgers, of so many retailers each. */
export interface CohortRequest {
  seed: string;
  ledgers: number;
  retailers: number;
}

export const CHAMPION_COHORT: CohortRequest = { seed: "champion-1", ledgers: 72, retailers: 400 };

/** One retailer at one as_of date, and what became of it. */
export interface CohortCase {
  /** The same for all dates of a retailer. */
  retailer: number;
  as_of_day: number;
  statement: Statement;
  outcome: Outcome;
  /** What only the generator knows: the hidden kind, and the ERP of the distributor that bills it most. */
  kind: RetailerKind;
  erp_type: ErpType;
}

/** The last known day of every ledger; the last as_of date is WINDOW_DAYS before it. */
const END_DAY = isoToDay("2026-03-31");
/** As_of dates, the last first, so far apart that no retailer's label windows overlap. */
export const AS_OF_DAYS: readonly number[] = [1, 2, 3, 4, 5].map((date) => END_DAY - date * WINDOW_DAYS);
const MIN_HISTORY_DAYS = 185;
/** Length of the ledgers in months, and share of retailers that buy like small wholesalers; taken in turn. */
const LEDGER_MONTHS = [13, 18, 24, 30, 36, 42];
const TRADE_SHARES = [0.2, 0.45, 0.7, 0.95];
const DISTRIBUTORS_PER_LEDGER = 24;

/** ERP of the distributor with the most invoices; the first by index among equals. */
function mainErp(statement: Statement): ErpType {
  return statement.sources.toSorted((a, b) => b.records_received - a.records_received)[0]!.erp_type;
}

/** The cases of one ledger (numbered from 0) at some as_of dates: all retailers with an invoice who could turn bad. */
export function* casesOfLedger(
  number: number,
  request: CohortRequest,
  as_of_days: readonly number[],
): Generator<CohortCase> {
  const months = LEDGER_MONTHS[number % LEDGER_MONTHS.length]!;
  const ledger = generateLedger({
    seed: `${request.seed} ledger ${number}`,
    retailers: request.retailers,
    distributors: DISTRIBUTORS_PER_LEDGER,
    months,
    end_day: END_DAY,
    trade_share: TRADE_SHARES[number % TRADE_SHARES.length]!,
  });
  const rows = rowsOfLedger(ledger);
  const erp_types = new Map(ledger.distributors.map((one) => [`distributor-${one.index}`, one.erp_type]));
  const start_day = END_DAY - Math.round(months * 30.4375);
  for (const as_of_day of as_of_days) {
    if (as_of_day - start_day < MIN_HISTORY_DAYS) continue;
    const terms = usualTermsAt(rows.values(), as_of_day);
    const known_day = as_of_day + WINDOW_DAYS;
    for (const [index, own] of rows) {
      const id = `${number}-${index}`;
      const statement = statementAt(id, own, terms, as_of_day, "csv");
      if (!statement.invoices.some((row) => !row.is_return)) continue;
      for (const source of statement.sources) source.erp_type = erp_types.get(source.distributor_id)!;
      const outcome = outcomeOf(statementAt(id, own, terms, known_day, "csv"), as_of_day, known_day);
      if (!outcome.at_risk) continue;
      const retailer = number * request.retailers + index;
      const { kind } = ledger.retailers[index]!;
      yield { retailer, as_of_day, statement, outcome, kind, erp_type: mainErp(statement) };
    }
  }
}
