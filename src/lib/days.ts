/**
 * Calendar days in IST as integers: days since 1970-01-01. India has one zone without summer time,
 * so a fixed offset of 5 h 30 min is exact.
 */
const DAY_MS = 86_400_000;
const IST_OFFSET_MS = 19_800_000;

/** The IST calendar day of an instant (ms since the epoch). */
export function istDay(instant_ms: number): number {
  return Math.floor((instant_ms + IST_OFFSET_MS) / DAY_MS);
}

/** `YYYY-MM-DD` of a day number. */
export function dayToIso(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

/** The day number of `YYYY-MM-DD`; NaN if the text is not a real calendar date in that form. */
export function isoToDay(text: string): number {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return Number.NaN;
  const ms = Date.parse(`${text}T00:00:00Z`);
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== text) return Number.NaN;
  return ms / DAY_MS;
}
