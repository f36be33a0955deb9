import { isoToDay, istDay } from "../lib/days.ts";

/** `YYYY-MM-DD`, or that with a time in UTC. */
const INSTANT = /^(\d{4}-\d{2}-\d{2})(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?Z)?$/;

/**
 * Unix ms of an ISO 8601 time with `Z`; a date means its start in UTC (api.md §5). NaN for anything else, other
 * offsets and impossible calendar days included.
 */
export function parseInstant(text: unknown): number {
  if (typeof text !== "string") return Number.NaN;
  const match = INSTANT.exec(text);
  if (!match || Number.isNaN(isoToDay(match[1] as string))) return Number.NaN;
  return Date.parse(text);
}

/** The IST calendar day of such a text, or NaN. */
export type DayReader = (text: unknown) => number;

/** A day reader for one batch: its records share few dates, so each is parsed once. */
export function dayReader(): DayReader {
  const known = new Map<unknown, number>();
  return (text) => {
    let day = known.get(text);
    if (day === undefined) {
      const instant_ms = parseInstant(text);
      day = Number.isNaN(instant_ms) ? Number.NaN : istDay(instant_ms);
      known.set(text, day);
    }
    return day;
  };
}
