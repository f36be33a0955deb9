import { toPaise } from "../../src/ingestion/records.ts";
import { isoToDay } from "../../src/lib/days.ts";
import { shownCell, type TableRow } from "./table.ts";

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
/** Receivables do not go back further, and the engine's calendar needs years after 0. */
const FIRST_YEAR = 1900;
const FIRST_DAY = isoToDay(`${FIRST_YEAR}-01-01`);

/** A text that must not be empty. */
export function idOf(row: TableRow, column: string): string {
  const text = row.text(column);
  if (text.trim() === "") throw row.refusal(column, "is empty");
  return text;
}

/** A float32 number; null where the cell is empty. */
export function featureOf(row: TableRow, column: string): number | null {
  const text = row.text(column);
  if (text === "") return null;
  const value = NUMBER.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value)) throw row.refusal(column, `${shownCell(text)} is not a number`);
  if (!Number.isFinite(Math.fround(value)))
    throw row.refusal(column, `${shownCell(text)} does not fit a 32-bit float`);
  return value;
}

/** Rupees above 0 with at most two decimals, as paise. */
export function paiseOf(row: TableRow, column: string): number {
  const text = row.text(column);
  const amount_inr = NUMBER.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(amount_inr)) throw row.refusal(column, `${shownCell(text)} is not a number`);
  if (amount_inr <= 0) throw row.refusal(column, `${shownCell(text)} is not above 0`);
  const paise = toPaise(amount_inr);
  if (Number.isNaN(paise)) throw row.refusal(column, `${shownCell(text)} has more than two decimals`);
  if (!Number.isSafeInteger(paise)) throw row.refusal(column, `${shownCell(text)} is too large`);
  return paise;
}

/** A reader of days that parses each text once: rows share few dates. */
export function newDayReader(): (row: TableRow, column: string) => number {
  const known = new Map<string, number>();
  return (row, column) => {
    const text = row.text(column);
    let day = known.get(text);
    if (day === undefined) {
      day = dateOf(text);
      if (Number.isNaN(day)) {
        throw row.refusal(column, `${shownCell(text)} is not a date (YYYY-MM-DD, from ${FIRST_YEAR} on)`);
      }
      known.set(text, day);
    }
    return day;
  };
}

/** The day of `YYYY-MM-DD`, or NaN. */
export function dateOf(text: string): number {
  const day = isoToDay(text);
  return day >= FIRST_DAY ? day : Number.NaN;
}

/** true or false in whatever case; empty is false. */
export function flagOf(row: TableRow, column: string): boolean {
  const text = row.text(column);
  const lower = text.toLowerCase();
  if (lower === "true") return true;
  if (lower === "false" || text === "") return false;
  throw row.refusal(column, `${shownCell(text)} is neither true nor false`);
}
