import fc from "fast-check";
import { describe, expect, it } from "vitest";
import championMeta from "../../models/champion.meta.json" with { type: "json" };
import championText from "../../models/champion.xgb?raw";
import { compileChampion, replayCard } from "../../src/scoring/engine.ts";
import { paymentFeatures } from "../../src/scoring/families/payment.ts";
import { FEATURE_COUNT, FEATURES } from "../../src/scoring/feature-table.ts";
import { replayInputsOf } from "../../src/scoring/inputs.ts";
import { longPaymentFeatures, weighPayments } from "../../src/scoring/payment-weighing.ts";
import { earlierPayments, ledgerView } from "../../src/scoring/settlement.ts";
import type { ReplayInputs, RiskBand, ScoredCard } from "../../src/scoring/types.ts";
import { anyStatement, day, invoice, payment, statement } from "./builders.ts";

const T = day("2026-03-20");
const champion = compileChampion(championText, championMeta);

describe("the long payment history", () => {
  it("is the payment family, which stands first in the feature table", () => {
    expect(FEATURES.map(({ family }) => family === "payment")).toEqual(FEATURES.map((_, at) => at < 18));
    const bill = invoice(T - 150);
    const view = ledgerView(statement([bill], [payment(bill, T - 10)]), T)!;
    expect(longPaymentFeatures(view)).toHaveLength(18);
  });

  it("sees an invoice paid since as open, as it was 60 days ago", () => {
    const bill = invoice(T - 150, { due_day: T - 120 });
    const view = ledgerView(statement([bill], [payment(bill, T - 10)]), T)!;
    const [mean_delay_days] = longPaymentFeatures(view)!;
    expect(mean_delay_days).toBe(60);
  });

  it("is null where nothing fell due in the 180 days before those 60", () => {
    const due = (due_day: number) => ledgerView(statement([invoice(T - 400, { due_day })]), T)!;
    expect(longPaymentFeatures(due(T - 59))).toBeNull();
    expect(longPaymentFeatures(due(T - 60))).not.toBeNull();
    expect(longPaymentFeatures(due(T - 239))).not.toBeNull();
    expect(longPaymentFeatures(due(T - 240))).toBeNull();
  });

  it("is what the ledger said on that day, of the rows that today's statement still has", () => {
    fc.assert(
      fc.property(anyStatement(T), fc.nat(200), (given, age_days) => {
        const view = ledgerView(given, T);
        if (view === null) return;
        const features = (of: Parameters<typeof paymentFeatures>[0]) => {
          const out = new Float64Array(FEATURE_COUNT).fill(Number.NaN);
          paymentFeatures(of, out);
          return out;
        };
        const known = {
          ...given,
          invoices: given.invoices.filter((row) => row.is_return || row.invoice_day >= view.window_first_day),
        };
        const then = ledgerView(known, T - age_days);
        const earlier = earlierPayments(view, T - age_days);
        if (then === null) expect(earlier.count).toBe(0);
        else expect(features(earlier)).toEqual(features(then));
      }),
      { numRuns: 1000 },
    );
  });
});

describe("the weighing", () => {
  /** An evaluator that adds the values up; 1.5 is its bias. */
  const sums = {
    margin: (values: readonly (number | null)[]) =>
      values.reduce<number>((sum, value) => sum + (value ?? 0), 1.5),
    explain: (values: readonly (number | null)[]) => ({
      margin: sums.margin(values),
      bias: 1.5,
      features: Float64Array.from(values, (value) => value ?? 0),
    }),
  };

  it("takes 70 % of a worse past and 30 % of today", () => {
    const { explained, now_margin, long } = weighPayments([0, 4, 5], [10, null], sums);
    expect([now_margin, long]).toEqual([10.5, { features: [10, null, 5], margin: 16.5 }]);
    expect(explained.margin).toBeCloseTo(0.7 * 16.5 + 0.3 * 10.5, 12);
    expect([...explained.features]).toEqual([7, expect.closeTo(1.2, 12), 5]);
  });

  it("lets bad news and an unknown past stand as they are", () => {
    const worse = weighPayments([10, 4, 5], [0, 4], sums);
    expect(worse).toMatchObject({ now_margin: 20.5, long: null, explained: { margin: 20.5 } });
    expect(weighPayments([10, 4, 5], null, sums).long).toBeNull();
  });

  it("lies between today and the past, and its terms add up to it", () => {
    const value = fc.double({ min: -20, max: 20, noNaN: true });
    const vector = fc.array(value, { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(vector, fc.array(value, { minLength: 3, maxLength: 3 }), (features, past) => {
        const { explained, now_margin, long } = weighPayments(features, past, sums);
        expect(explained.margin).toBeGreaterThanOrEqual(now_margin);
        expect(explained.margin).toBeLessThanOrEqual((long?.margin ?? now_margin) + 1e-12);
        const total = explained.features.reduce((sum, term) => sum + term, explained.bias);
        expect(Math.abs(total - explained.margin)).toBeLessThanOrEqual(1e-9);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("a score with a payment history of 60 days ago", () => {
  const BANDS: readonly RiskBand[] = ["D", "C", "B", "A"];
  /** The champion, so sure of itself that a change of features jumps over bands. */
  const sure = { ...champion, calibration: { a: 4 * champion.calibration.a, b: champion.calibration.b } };
  const rank = (card: ScoredCard) => BANDS.indexOf(card.risk_band);

  /** The card of inputs; null where there is none. */
  function scored(inputs: ReplayInputs): ScoredCard | null {
    const card = replayCard(inputs, sure);
    return card.status === "scored" ? card : null;
  }

  /** Any statement's inputs with the payment history of any other. */
  const anyPair = fc.tuple(anyStatement(T), anyStatement(T)).map(([one, other]): ReplayInputs => {
    const past = replayInputsOf(other, T).features.slice(0, 18);
    return { ...replayInputsOf(one, T), payment_features_60d_ago: past };
  });

  /** Two orders a week for three years, each paid `late_days` after its due day. */
  function regularShop(late_days: number): ReplayInputs {
    const invoices = Array.from({ length: 300 }, (_, k) =>
      invoice(T - 1050 + Math.floor(3.5 * k), { distributor_id: k % 3 === 0 ? "d2" : "d1" }),
    );
    const payments = invoices.map((row) => payment(row, row.due_day! + late_days));
    return replayInputsOf(statement(invoices, payments), T);
  }

  /** A prompt shop of today whose past was late in some of its payment features. */
  const prompt = regularShop(-5);
  const tardy = regularShop(25);
  const anyTurn = fc.array(fc.boolean(), { minLength: 18, maxLength: 18 }).map((late): ReplayInputs => {
    const past = late.map((is_late, i) => (is_late ? tardy : prompt).features[i]!);
    return { ...prompt, payment_features_60d_ago: past };
  });

  it("is never better than without it, nor by more than one band better than the past alone", () => {
    let weighed = 0;
    let capped = 0;
    fc.assert(
      fc.property(fc.oneof(anyPair, anyTurn), (inputs) => {
        const past = inputs.payment_features_60d_ago!;
        const card = scored(inputs);
        const now = scored({ ...inputs, payment_features_60d_ago: null });
        const features = [...past, ...inputs.features.slice(18)];
        const long = scored({ ...inputs, features, payment_features_60d_ago: null });
        if (card !== null && now !== null) {
          expect(card.altscore).toBeLessThanOrEqual(now.altscore);
          expect(card.margin).toBeGreaterThanOrEqual(now.margin);
        }
        if (card !== null && long !== null) expect(rank(card)).toBeLessThanOrEqual(rank(long) + 1);
        const trail = card?.guardrails.map((entry) => entry.guardrail) ?? [];
        if (trail.includes("payment_history_weighed")) weighed++;
        if (trail.includes("payment_history_band_cap")) capped++;
      }),
      { numRuns: 3000 },
    );
    // Both guardrails were at work, not only looked at.
    expect(weighed).toBeGreaterThan(100);
    expect(capped).toBeGreaterThan(100);
  });

  it("adds up, and is replayed identically from stored JSON", () => {
    fc.assert(
      fc.property(fc.oneof(anyPair, anyTurn), (inputs) => {
        const card = replayCard(inputs, champion);
        expect(replayCard(JSON.parse(JSON.stringify(inputs)), champion)).toEqual(card);
        if (card.status !== "scored") return;
        const total = card.shap.reduce((sum, term) => sum + term, card.shap_bias);
        expect(Math.abs(total - card.margin)).toBeLessThanOrEqual(1e-6);
      }),
      { numRuns: 1000 },
    );
  });
});
