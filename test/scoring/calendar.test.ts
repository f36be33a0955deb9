import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dayToIso } from "../../src/lib/days.ts";
import { firstDayOfMonth, lastCompleteMonth, minusMonths, monthOfDay } from "../../src/scoring/calendar.ts";
import { day } from "./builders.ts";

describe("the calendar of months", () => {
  it("agrees with the ISO date of every day", () => {
    fc.assert(
      fc.property(fc.integer({ min: -20_000, max: 60_000 }), (d) => {
        const iso = dayToIso(d);
        expect(monthOfDay(d)).toBe(12 * Number(iso.slice(0, 4)) + Number(iso.slice(5, 7)) - 1);
        expect(dayToIso(firstDayOfMonth(monthOfDay(d)))).toBe(`${iso.slice(0, 7)}-01`);
      }),
      { numRuns: 2000 },
    );
  });

  it("clips a month's subtraction to the end of the month", () => {
    expect(minusMonths(day("2026-03-31"), 1)).toBe(day("2026-02-28"));
    expect(minusMonths(day("2024-03-31"), 1)).toBe(day("2024-02-29"));
    expect(minusMonths(day("2024-02-29"), 12)).toBe(day("2023-02-28"));
    expect(minusMonths(day("2026-01-15"), 36)).toBe(day("2023-01-15"));
  });

  it("completes a month on its last day", () => {
    expect(lastCompleteMonth(day("2026-02-28"))).toBe(monthOfDay(day("2026-02-01")));
    expect(lastCompleteMonth(day("2024-02-28"))).toBe(monthOfDay(day("2024-01-01")));
  });
});
