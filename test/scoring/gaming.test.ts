import { describe, expect, it } from "vitest";
import championMeta from "../../models/champion.meta.json" with { type: "json" };
import championText from "../../models/champion.xgb?raw";
import { compileChampion, scoreStatement } from "../../src/scoring/engine.ts";
import type { RiskBand, ScoredCard, Statement } from "../../src/scoring/types.ts";
import { creditNote, day, invoice, payment, source, statement } from "./builders.ts";

/** The scenarios of guardrail 2: what they would gain without it, they do not. */

const T = day("2026-03-20");
const champion = compileChampion(championText, championMeta);
const BANDS: readonly RiskBand[] = ["D", "C", "B", "A"];

/** Two orders a week for three years; `lateDays` says how late a bill due on a day is paid (null: not at all). */
function shop(lateDays: (due_day: number) => number | null): Statement {
  const invoices = Array.from({ length: 310 }, (_, k) =>
    invoice(T - 1085 + Math.floor(3.5 * k), {
      distributor_id: k % 3 === 0 ? "d2" : "d1",
      amount_paise: 1_500_000 + ((k * 7919) % 400_000),
    }),
  );
  const payments = invoices.flatMap((bill) => {
    const late_days = lateDays(bill.due_day!);
    return late_days === null ? [] : [payment(bill, bill.due_day! + late_days)];
  });
  return statement(invoices, payments, { sources: [source(), source({ distributor_id: "d2" })] });
}

function scored(given: Statement, as_of_day = T): ScoredCard {
  const { card } = scoreStatement(given, as_of_day, champion);
  if (card.status !== "scored") throw new Error(`not scored: ${card.status}`);
  return card;
}

/** Bands gained since a day (negative: lost). */
function bandsGained(given: Statement, since_day = T - 60): number {
  return BANDS.indexOf(scored(given).risk_band) - BANDS.indexOf(scored(given, since_day).risk_band);
}

const trailOf = (card: ScoredCard): string[] => card.guardrails.map((entry) => entry.guardrail);
const ordinary = shop((due_day) => (due_day % 5 === 0 ? 5 : 1));
const isRecent = (row: { invoice_day: number }): boolean => row.invoice_day > T - 60;

describe("an ordinary shop", () => {
  it("is not flagged, and its score is not held back", () => {
    const card = scored(ordinary);
    expect(card.anomaly_flag).toBe(false);
    expect(trailOf(card)).not.toContain("payment_history_band_cap");
    expect(Math.abs(bandsGained(ordinary))).toBeLessThanOrEqual(1);
  });
});

describe("a spike to five times the usual orders", () => {
  const copies = <T extends { invoice_id: string }>(row: T) =>
    Array.from({ length: 5 }, (_, k) => ({ ...row, invoice_id: `${row.invoice_id}/${k}` }));
  const recent = new Set(ordinary.invoices.filter(isRecent).map((row) => row.invoice_id));
  const given = {
    ...ordinary,
    invoices: ordinary.invoices.flatMap((row) => (recent.has(row.invoice_id) ? copies(row) : [row])),
    payments: ordinary.payments.flatMap((row) =>
      recent.has(row.invoice_id)
        ? copies(row).map((copy, k) => ({ ...copy, payment_id: `${row.payment_id}/${k}` }))
        : [row],
    ),
  };

  it("is flagged by velocity and by the forest, and changes the band by one at most", () => {
    const card = scored(given);
    expect(card.anomaly_flag).toBe(true);
    expect(card.warnings).toEqual(expect.arrayContaining(["anomaly_velocity", "anomaly_isolation_forest"]));
    expect(trailOf(card)).toEqual(expect.arrayContaining(card.warnings));
    expect(Math.abs(bandsGained(given))).toBeLessThanOrEqual(1);
  });
});

describe("orders of which 80 % go back", () => {
  const notes = ordinary.invoices.filter(isRecent).map((row) =>
    creditNote(Math.min(T, row.invoice_day + 3), {
      distributor_id: row.distributor_id,
      original_invoice_id: row.invoice_id,
      amount_paise: Math.round(0.8 * row.amount_paise),
    }),
  );
  const given = { ...ordinary, invoices: [...ordinary.invoices, ...notes] };

  it("are flagged by the rule and by the forest, and change the band by one at most", () => {
    const card = scored(given);
    expect(card.anomaly_flag).toBe(true);
    expect(card.warnings).toEqual(["anomaly_order_then_return", "anomaly_isolation_forest"]);
    expect(Math.abs(bandsGained(given))).toBeLessThanOrEqual(1);
  });
});

describe("two good months after three bad years", () => {
  const turned = (late_days: number) => shop((due_day) => (due_day > T - 60 ? 0 : late_days));

  it.each([10, 20, 40])("of %i days late are flagged, and lift the band by one at most", (late_days) => {
    const card = scored(turned(late_days));
    expect(card.anomaly_flag).toBe(true);
    expect(card.warnings).toContain("anomaly_isolation_forest");
    const gained = bandsGained(turned(late_days));
    expect(gained).toBeGreaterThanOrEqual(0);
    expect(gained).toBeLessThanOrEqual(1);
  });

  it("say in the trail what the weighing took", () => {
    const { guardrails, altscore } = scored(turned(20));
    const entry = guardrails.find(({ guardrail }) => guardrail === "payment_history_weighed");
    const [, from, to] = /^score (\d+) -> (\d+)$/.exec(entry!.effect)!;
    expect(Number(from)).toBeGreaterThan(Number(to));
    expect(Number(to)).toBe(altscore);
  });

  it("count in full where they are bad ones after good years", () => {
    const worse = shop((due_day) => (due_day > T - 60 ? null : 0));
    expect(trailOf(scored(worse))).not.toContain("payment_history_weighed");
    expect(bandsGained(worse)).toBeLessThan(-1);
  });

  it("become a good history in time", () => {
    const reformed = shop((due_day) => (due_day <= T - 480 ? 40 : due_day % 5 === 0 ? 5 : 1));
    expect(bandsGained(reformed, T - 480)).toBeGreaterThan(1);
    expect(scored(reformed).anomaly_flag).toBe(false);
  });
});
