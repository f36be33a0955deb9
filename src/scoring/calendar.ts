/**
 * Calendar months over day numbers (days since 1970-01-01). A month is one integer, 12 * year + (month - 1),
 * so that months subtract. Proleptic Gregorian; the civil-date arithmetic is Howard Hinnant's `civil_from_days`.
 */

const DAYS_PER_ERA = 146_097;
const EPOCH_SHIFT_DAYS = 719_468;

/** Month number of a day (from the year 0 on; `| 0` is integer division then, and this runs for every row). */
export function monthOfDay(day: number): number {
  const shifted = day + EPOCH_SHIFT_DAYS;
  const era = (shifted / DAYS_PER_ERA) | 0;
  const day_of_era = shifted - era * DAYS_PER_ERA;
  const leap_shift = ((day_of_era / 1460) | 0) - ((day_of_era / 36_524) | 0) + ((day_of_era / 146_096) | 0);
  const year_of_era = ((day_of_era - leap_shift) / 365) | 0;
  const day_of_year = day_of_era - (365 * year_of_era + (year_of_era >> 2) - ((year_of_era / 100) | 0));
  // Months counted from March, so that the leap day ends the year: 0 = March, 11 = February.
  const march_month = ((5 * day_of_year + 2) / 153) | 0;
  return 12 * (era * 400 + year_of_era) + march_month + 2;
}

/** First day of a month number. */
export function firstDayOfMonth(month: number): number {
  const march_based = month - 2;
  const year = Math.floor(march_based / 12);
  const march_month = march_based - 12 * year;
  const era = Math.floor(year / 400);
  const year_of_era = year - era * 400;
  const day_of_year = Math.floor((153 * march_month + 2) / 5);
  const day_of_era =
    year_of_era * 365 + Math.floor(year_of_era / 4) - Math.floor(year_of_era / 100) + day_of_year;
  return era * DAYS_PER_ERA + day_of_era - EPOCH_SHIFT_DAYS;
}

/** The day `months` calendar months before `day`, clipped to the end of the month it falls in (31 March - 1 = 28 or 29 February). */
export function minusMonths(day: number, months: number): number {
  const month = monthOfDay(day);
  const day_of_month = day - firstDayOfMonth(month);
  const target = month - months;
  const last_day = firstDayOfMonth(target + 1) - 1;
  return Math.min(firstDayOfMonth(target) + day_of_month, last_day);
}

/** The last month that is over at the end of `day`: its own month if `day` is that month's last day. */
export function lastCompleteMonth(day: number): number {
  return monthOfDay(day + 1) - 1;
}
