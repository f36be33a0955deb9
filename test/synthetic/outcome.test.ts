import { describe, expect, it } from "vitest";
import type { Statement } from "../../src/scoring/types.ts";
import { outcomeOf } from "../../training/outcome.ts";

const T = 20_000;
const KNOWN = T + 90;

interface Row {
  due_day: number;
  paid_day: number | null;
  amount_paise?: number;
}

/** A statement of invoices on 30-day terms, plus a year of punctual billing of 100,000 paise a month before T. */
function statementOf(rows: Row[]): Statement {
  const past: Row[] = Array.from({ length: 12 }, (_, i) => ({
    due_day: T - 30 * i - 10,
    paid_day: T - 30 * i - 10,
    amount_paise: 100_000,
  }));
  const all = [...past, ...rows].map((row, i) => ({ ...row, id: `i${String(i).padStart(3, "0")}` }));
  return {
    retailer_id: "r",
    sources: [],
    invoices: all.map((row) => ({
      distributor_id: "d",
      invoice_id: row.id,
      invoice_day: row.due_day - 30,
      due_day: row.due_day,
      amount_paise: row.amount_paise ?? 50_000,
      is_return: false,
      original_invoice_id: null,
      disputed: false,
    })),
    payments: all.flatMap((row) =>
      row.paid_day === null
        ? []
        : [
            {
              distributor_id: "d",
              payment_id: row.id,
              invoice_id: row.id,
              paid_day: row.paid_day,
              amount_paise: row.amount_paise ?? 50_000,
              bounced: false,
            },
          ],
    ),
    identity_verified: true,
  };
}

const since = (...rows: Row[]) => outcomeOf(statementOf(rows), T, KNOWN);

describe("what became of a retailer in the 90 days after a day", () => {
  it("is good when everything is paid within 29 days of its due day", () => {
    expect(since({ due_day: T + 5, paid_day: T + 34 })).toEqual({
      at_risk: true,
      already_bad: false,
      any_bad: false,
      newly_bad: false,
      due_in_window_bad: false,
      defaulted: false,
    });
  });

  it("is bad from the 30th day past due on, the day of payment included", () => {
    expect(since({ due_day: T + 5, paid_day: T + 35 })).toMatchObject({ any_bad: true, defaulted: true });
    expect(since({ due_day: T + 5, paid_day: null })).toMatchObject({ any_bad: true, defaulted: true });
  });

  it("does not see what turns bad after the window, or was settled by its start", () => {
    expect(since({ due_day: T + 61, paid_day: null })).toMatchObject({ at_risk: false, any_bad: false });
    expect(since({ due_day: T + 60, paid_day: null })).toMatchObject({ at_risk: true, any_bad: true });
    expect(since({ due_day: T - 60, paid_day: T })).toMatchObject({ at_risk: false, any_bad: false });
  });

  it("tells what turns bad in the window from what was bad before it", () => {
    expect(since({ due_day: T - 40, paid_day: T + 1 })).toMatchObject({
      any_bad: true,
      newly_bad: false,
      already_bad: true,
    });
    expect(since({ due_day: T - 29, paid_day: T + 1 })).toMatchObject({ any_bad: true, newly_bad: true });
  });

  it("is a default only from 5 % of average monthly billing on, standing bad on one day", () => {
    const small = { due_day: T + 5, paid_day: T + 40, amount_paise: 3_000 };
    expect(since(small)).toMatchObject({ any_bad: true, defaulted: false });
    expect(since(small, { ...small })).toMatchObject({ defaulted: true });
    expect(since(small, { ...small, due_day: T + 45, paid_day: T + 80 })).toMatchObject({ defaulted: false });
  });

  it("follows an invoice due in the window beyond the window's end", () => {
    const rows = statementOf([{ due_day: T + 85, paid_day: T + 120 }]);
    expect(outcomeOf(rows, T, T + 200)).toMatchObject({ any_bad: false, due_in_window_bad: true });
  });

  it("asks a milder question when told so", () => {
    expect(outcomeOf(statementOf([{ due_day: T + 5, paid_day: T + 20 }]), T, KNOWN, 15).any_bad).toBe(true);
  });
});
