import fc from "fast-check";
import { describe, expect, it } from "vitest";
import championMeta from "../../models/champion.meta.json" with { type: "json" };
import championText from "../../models/champion.xgb?raw";
import { compileChampion, replayCard, scoreStatement } from "../../src/scoring/engine.ts";
import { modelRow, predictMargin, sigmoid } from "../../src/scoring/model.ts";
import { bandOf } from "../../src/scoring/score-map.ts";
import { featureSnapshotHash } from "../../src/scoring/snapshot.ts";
import type { ScoredCard, Statement } from "../../src/scoring/types.ts";
import { anyStatement, day, invoice, payment, source, statement } from "./builders.ts";

const T = day("2026-03-20");
const champion = compileChampion(championText, championMeta);

/** Orders every `gap_days` over `days`, each paid `late_days` after its due day (null: never), in turn. */
function shop(
  days: number,
  gap_days: number,
  lateness: (number | null)[],
  overrides: Partial<Statement> = {},
): Statement {
  const invoices = Array.from({ length: Math.ceil(days / gap_days) }, (_, k) =>
    invoice(T - days + 1 + k * gap_days + (k % 3), {
      distributor_id: k % 4 === 0 ? "d2" : "d1",
      amount_paise: 1_500_000 + (k % 5) * 200_000,
    }),
  );
  const payments = invoices.flatMap((bill, k) => {
    const late_days = lateness[k % lateness.length]!;
    return late_days === null ? [] : [payment(bill, bill.due_day! + late_days)];
  });
  return statement(invoices, payments, {
    sources: [source(), source({ distributor_id: "d2" })],
    ...overrides,
  });
}

function scored(given: Statement): ScoredCard {
  const { card } = scoreStatement(given, T, champion);
  if (card.status !== "scored") throw new Error(`not scored: ${card.status}`);
  return card;
}

describe("the champion", () => {
  it("is refused when artefact and registration differ", () => {
    expect(() => compileChampion(`${championText} `, championMeta)).toThrow(/SHA-256/);
    expect(() => compileChampion(championText, { ...championMeta, feature_list_version: "0" })).toThrow(
      /feature list/,
    );
    expect(() => compileChampion(championText, { ...championMeta, calibration: { a: -1, b: 0 } })).toThrow(
      /calibration/,
    );
    expect(() => compileChampion(championText, { ...championMeta, sparse_margin_halfwidth: -1 })).toThrow(
      /halfwidth/,
    );
  });
});

describe("a score", () => {
  const good = shop(700, 4, [0, 0, 2, 0, 0]);
  const bad = shop(700, 4, [25, null, 40, 5, 60]);

  it("is better for a shop that pays on time than for one that does not", () => {
    const [a, b] = [scored(good), scored(bad)];
    expect(a.altscore).toBeGreaterThan(b.altscore + 150);
    expect(a.recommended_limit_inr).toBeGreaterThan(b.recommended_limit_inr);
    expect(a.reasons.map((reason) => reason.code)).toContain("LOW_PAYMENT_DELAY");
    expect(b.reasons.map((reason) => reason.code)).toContain("OVERDUE_UNPAID_INVOICES");
  });

  it("carries the model's margin, its PD, the band of its score and contributions that add up", () => {
    // What the payment history before the last 60 days changes is payment-weighing.test.ts's subject.
    const { replay_inputs } = scoreStatement(good, T, champion);
    const card = replayCard({ ...replay_inputs, payment_features_60d_ago: null }, champion) as ScoredCard;
    expect(card.route).toBe("primary");
    expect(card.margin).toBe(predictMargin(champion.model, modelRow(card.features)));
    const pd = sigmoid(champion.calibration.a * card.margin + champion.calibration.b);
    expect(card.probability_of_default).toBe(Math.round(pd * 10_000) / 10_000);
    expect(card.risk_band).toBe(bandOf(card.altscore));
    expect(card.shap.reduce((sum, term) => sum + term, card.shap_bias)).toBeCloseTo(card.margin, 9);
    expect(card.feature_snapshot_hash).toBe(featureSnapshotHash(card.features));
  });

  it("is replayed identically from its stored inputs", () => {
    fc.assert(
      fc.property(anyStatement(T), (given) => {
        const { card, replay_inputs } = scoreStatement(given, T, champion);
        const stored = JSON.parse(JSON.stringify(replay_inputs));
        expect(replayCard(stored, champion)).toEqual(card);
        expect(JSON.parse(JSON.stringify(card))).toEqual(card);
      }),
      { numRuns: 1000 },
    );
  });

  it("is an answer or a refusal that keeps every promise, whatever the statement", () => {
    fc.assert(
      fc.property(anyStatement(T), (given) => {
        const { card } = scoreStatement(given, T, champion);
        if (card.status !== "scored") {
          expect(card.status).toBe(card.completeness.score < 50 ? "insufficient" : "unexplainable");
          return;
        }
        expect(card.altscore).toBeGreaterThanOrEqual(300);
        expect(card.altscore).toBeLessThanOrEqual(900);
        expect(card.risk_band).toBe(bandOf(card.altscore));
        expect(card.reasons.filter((r) => r.direction === "positive").length).toBeGreaterThanOrEqual(3);
        expect(card.reasons.filter((r) => r.direction === "negative").length).toBeGreaterThanOrEqual(2);
        if (card.cold_start) expect(card.low_confidence && card.risk_band !== "A").toBe(true);
        if (card.gmv_6m_trailing_inr > 0)
          expect(card.recommended_limit_inr).toBeLessThanOrEqual(0.3 * card.gmv_6m_trailing_inr);
      }),
      { numRuns: 1000 },
    );
  });

  it("is refused under 50 % completeness, with the dimensions", () => {
    const unknown = shop(700, 40, [null], { identity_verified: false });
    const { card } = scoreStatement(unknown, T, champion);
    expect(card.status).toBe("insufficient");
    expect(card.completeness.score).toBeLessThan(50);
    expect(scoreStatement(statement([]), T, champion).card.status).toBe("insufficient");
  });

  it("under 70 % completeness has low confidence and half the limit", () => {
    // Fewer than five orders a month, an identity that nobody verified, and no due days.
    const thin = shop(700, 8, [0, 0, 6, 0, 10]);
    const poor = {
      ...thin,
      invoices: thin.invoices.map((row) => ({ ...row, due_day: null })),
      identity_verified: false,
    };
    const [full, half] = [scored(thin), scored(poor)];
    expect([full.completeness.score, half.completeness.score]).toEqual([80, 62.5]);
    expect([full.low_confidence, half.low_confidence]).toEqual([false, true]);
    expect(half.altscore).toBe(full.altscore);
    expect(half.limit_source).toBe("low_confidence_cap");
    expect(half.recommended_limit_inr).toBe(Math.floor(full.recommended_limit_inr / 2000) * 1000);
  });

  it("of a young shop comes from rules: never band A, at most 25,000, low confidence", () => {
    const card = scored(shop(130, 3, [0, -2, 0]));
    expect(card).toMatchObject({
      route: "cold_start",
      cold_start: true,
      low_confidence: true,
      limit_source: "cold_start",
    });
    expect(card.risk_band).not.toBe("A");
    expect(card.recommended_limit_inr).toBeLessThanOrEqual(25_000);
    expect(card.reasons.map((reason) => reason.code)).toContain("DATA_INSUFFICIENT");
    expect(card.shap.reduce((sum, term) => sum + term, card.shap_bias)).toBeCloseTo(card.margin, 9);
  });

  it("of a single distributor's customer is flagged and its limit halved", () => {
    const invoices = good.invoices.map((row) => ({ ...row, distributor_id: "d1" }));
    const payments = good.payments.map((row) => ({ ...row, distributor_id: "d1" }));
    const single = scored({ ...good, invoices, payments });
    expect(single.single_distributor).toBe(true);
    expect(single.guardrails.map((entry) => entry.guardrail)).toContain("single_distributor_halved");
    expect(scored(good).single_distributor).toBe(false);
  });

  it("of a sparse buyer takes the upper end of the PD's interval and says so", () => {
    const months = [0, 1, 5, 6, 12, 13, 17, 18, 23].map((k) => T - 20 - 30 * k);
    const invoices = months.flatMap((first, m) =>
      Array.from({ length: 8 }, (_, k) => invoice(first + k, { distributor_id: m % 2 === 0 ? "d1" : "d2" })),
    );
    const { card, replay_inputs } = scoreStatement(
      statement(
        invoices,
        invoices.map((bill) => payment(bill, bill.due_day! - 3)),
        { sources: [source(), source({ distributor_id: "d2" })] },
      ),
      T,
      champion,
    );
    expect(replay_inputs.route).toBe("sparse");
    if (card.status !== "scored") throw new Error(card.status);
    const { a, b } = champion.calibration;
    const widened = sigmoid(a * (card.margin + champion.sparse_margin_halfwidth) + b);
    expect(card.probability_of_default).toBe(Math.round(widened * 10_000) / 10_000);
    expect(card.guardrails.map((entry) => entry.guardrail)).toContain("sparse_pd_widened");
  });

  it("flags orders of five times the usual, and orders that mostly come back", () => {
    expect(scored(good).anomaly_flag).toBe(false);
    const spike = good.invoices.flatMap((row) =>
      row.invoice_day > T - 60
        ? Array.from({ length: 5 }, (_, k) => ({ ...row, invoice_id: `${row.invoice_id}/${k}` }))
        : [row],
    );
    const flagged = scored({ ...good, invoices: spike });
    expect(flagged).toMatchObject({ anomaly_flag: true, warnings: ["anomaly_velocity"] });
    const recent = good.invoices.filter((row) => row.invoice_day > T - 60);
    const notes = recent.map((row) => ({
      ...row,
      invoice_id: `${row.invoice_id}/r`,
      invoice_day: Math.min(T, row.invoice_day + 3),
      is_return: true,
      amount_paise: row.amount_paise * 0.8,
    }));
    expect(scored({ ...good, invoices: [...good.invoices, ...notes] }).warnings).toContain(
      "anomaly_order_then_return",
    );
  });
});

describe("the feature snapshot's hash", () => {
  it("is that of 42 little-endian doubles with one NaN for null", () => {
    expect(featureSnapshotHash(new Array(42).fill(0))).toBe(
      "52a3e0804d93dc525ec3c67ef8ac5b01756ecf0513e36f3c19435e4c82cb5d29",
    );
    expect(featureSnapshotHash(new Array(42).fill(null))).toBe(
      "e7c3f3c49e83947b6b042893ea04608d7834ecaa8ca4a44df2aa7a0caa315a1b",
    );
    expect(() => featureSnapshotHash([1])).toThrow(RangeError);
  });
});
