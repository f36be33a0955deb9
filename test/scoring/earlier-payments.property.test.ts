import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FEATURE_NAMES } from "../../src/scoring/feature-table.ts";
import { computeFeatures } from "../../src/scoring/features.ts";
import { longPaymentFeatures } from "../../src/scoring/payment-weighing.ts";
import type { Statement } from "../../src/scoring/types.ts";
import { anyStatement, day, regularStatement } from "./builders.ts";
import { naiveFeatures } from "./naive-features.ts";

const T = day("2026-03-20");

describe("the payment features of 60 days ago", () => {
  const check = (given: Statement) => {
    const computed = computeFeatures(given, T);
    if (computed === null) return;
    // The statement of T reaches 36 months back from T, not from 60 days before.
    const { window_first_day } = computed.view;
    const invoices = given.invoices.filter((row) => row.is_return || row.invoice_day >= window_first_day);
    const slow = naiveFeatures({ ...given, invoices }, T - 60);
    const got = longPaymentFeatures(computed.view);
    if (got === null) {
      expect(slow?.avg_payment_delay_days ?? null).toBeNull();
      return;
    }
    got.forEach((value, i) => {
      const expected = slow![FEATURE_NAMES[i]!];
      if (value === null || expected === null) expect(value).toBe(expected);
      else expect(Math.abs(value - expected)).toBeLessThanOrEqual(1e-12 * Math.max(1, expected));
    });
  };

  it("are those of the ledger as it stood then, for any statement", () => {
    fc.assert(fc.property(anyStatement(T), check), { numRuns: 1_000 });
  });

  it("and for any retailer that orders every few days over years", () => {
    fc.assert(fc.property(regularStatement(T), check), { numRuns: 1_000 });
  });
});
