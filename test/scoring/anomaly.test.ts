import { describe, expect, it } from "vitest";
import { anomalies, anomalyFacts, ruleAnomalies } from "../../src/scoring/anomaly.ts";
import { BEHAVIOUR_MEASURES } from "../../src/scoring/behaviour.ts";
import { ledgerView } from "../../src/scoring/settlement.ts";
import type { AnomalyFacts } from "../../src/scoring/types.ts";
import { ATTACKS, attacked, type RetailerLedger } from "../../src/synthetic/attacks.ts";
import { generateLedger } from "../../src/synthetic/kirana.ts";
import { rowsOfLedger } from "../../training/statements.ts";
import { day, invoice, statement } from "./builders.ts";

const T = day("2026-03-20");

const NOTHING: AnomalyFacts = {
  order_count_sigmas: null,
  order_value_sigmas: null,
  returned_share_60d: null,
  returned_share_before: null,
  behaviour: null,
};

function names(facts: Partial<AnomalyFacts>): string[] {
  return anomalies({ ...NOTHING, ...facts }).map((entry) => entry.guardrail);
}

describe("the anomaly rules", () => {
  it("flag orders of more than three standard deviations above the baseline", () => {
    expect(names({ order_count_sigmas: 3, order_value_sigmas: 3 })).toEqual([]);
    expect(names({ order_count_sigmas: 3.01 })).toEqual(["anomaly_velocity"]);
    expect(names({ order_value_sigmas: 3.01 })).toEqual(["anomaly_velocity"]);
  });

  it("flag 40 % returned where it is more than three times the usual", () => {
    expect(names({ returned_share_60d: 0.4, returned_share_before: 0.13 })).toEqual([
      "anomaly_order_then_return",
    ]);
    expect(names({ returned_share_60d: 0.39, returned_share_before: 0 })).toEqual([]);
    expect(names({ returned_share_60d: 0.4, returned_share_before: 0.14 })).toEqual([]);
  });

  it("measure against a baseline's spread, which counts at least as much as chance makes it", () => {
    // One order a block of 30 days, twelve blocks: the spread of a count is at least 1. Then five in the last block.
    const baseline = Array.from({ length: 14 }, (_, k) => invoice(T - 30 * k - 10, { amount_paise: 1_000 }));
    const more = Array.from({ length: 4 }, () => invoice(T, { amount_paise: 1_000 }));
    const facts = anomalyFacts(ledgerView(statement([...baseline, ...more, invoice(T - 1200)]), T)!);
    expect(facts.order_count_sigmas).toBe(4);
    expect(facts.order_value_sigmas).toBe(4);
  });

  it("say nothing about a retailer without a baseline", () => {
    const young = [invoice(T - 230), ...Array.from({ length: 50 }, () => invoice(T))];
    const facts = anomalyFacts(ledgerView(statement(young), T)!);
    expect(facts).toMatchObject({ order_count_sigmas: null, order_value_sigmas: null, behaviour: null });
    expect(anomalies(facts)).toEqual([]);
  });
});

describe("the isolation forest's guardrail", () => {
  it("passes what is as usual and flags what is not, with the score that decided", () => {
    const usual = BEHAVIOUR_MEASURES.map(() => 0);
    expect(anomalies({ ...NOTHING, behaviour: usual })).toEqual([]);
    const strange = BEHAVIOUR_MEASURES.map(() => 2);
    const [entry] = anomalies({ ...NOTHING, behaviour: strange });
    expect(entry).toMatchObject({ guardrail: "anomaly_isolation_forest" });
    expect(entry!.effect).toMatch(/^isolation score 0\.\d{3} above 0\.\d{3}: flagged$/);
  });

  it("flags behaviour that cannot be compared although there is a baseline", () => {
    const returned_after_years = statement([invoice(T - 1000), invoice(T - 3), invoice(T - 2)]);
    const facts = anomalyFacts(ledgerView(returned_after_years, T)!);
    expect(anomalies(facts)).toEqual([
      { guardrail: "anomaly_isolation_forest", effect: "nothing to compare recent orders with: flagged" },
    ]);
    const broken = BEHAVIOUR_MEASURES.map((_, i) => (i === 4 ? null : 0));
    expect(names({ behaviour: broken })).toEqual(["anomaly_isolation_forest"]);
  });
});

describe("rules and forest together, on made-up shops that nothing was fitted on", () => {
  const ledger = generateLedger({
    seed: "anomaly test",
    retailers: 400,
    distributors: 20,
    months: 30,
    end_day: T,
    trade_share: 0.3,
  });
  const shops = [...rowsOfLedger(ledger)];

  /** Facts as of T; null without a baseline. */
  function factsOf(rows: RetailerLedger): AnomalyFacts | null {
    const view = ledgerView(statement(rows.invoices, rows.payments, { sources: [] }), T);
    const facts = view === null ? null : anomalyFacts(view);
    return facts?.behaviour == null ? null : facts;
  }

  function share(all: (AnomalyFacts | null)[], isFlagged: (facts: AnomalyFacts) => boolean): number {
    const known = all.filter((facts) => facts !== null);
    expect(known.length).toBeGreaterThan(300);
    return known.filter(isFlagged).length / known.length;
  }
  const byAny = (facts: AnomalyFacts) => anomalies(facts).length > 0;

  it("flag at most 5 % of the honest ones", () => {
    const honest = shops.map(([, rows]) => factsOf(rows));
    expect(share(honest, byAny)).toBeLessThanOrEqual(0.05);
  });

  it("find at least 85 % of the attacks, and of each kind four fifths", () => {
    const recalls = ATTACKS.map((attack) => {
      const done = shops.map(([index, rows]) => attacked(rows, attack, T, `test ${index}`));
      return share(
        done.map((rows) => (rows === null ? null : factsOf(rows))),
        byAny,
      );
    });
    for (const recall of recalls) expect(recall).toBeGreaterThanOrEqual(0.8);
    expect(recalls.reduce((sum, recall) => sum + recall, 0) / recalls.length).toBeGreaterThanOrEqual(0.85);
  });

  it("need the forest: the rules alone miss prompt payers by design, circles and inflated credit notes", () => {
    for (const attack of ["prompt_after_bad_years", "circular_payments", "credit_note_inflation"] as const) {
      const done = shops.map(([index, rows]) => attacked(rows, attack, T, `test ${index}`));
      const facts = done.map((rows) => (rows === null ? null : factsOf(rows)));
      expect(share(facts, (own) => ruleAnomalies(own).length > 0)).toBeLessThan(0.1);
    }
  });
});
