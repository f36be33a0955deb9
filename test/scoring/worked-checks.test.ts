import { describe, expect, it } from "vitest";
import { creditNote, day, feature, invoice, payment, source, statement } from "./builders.ts";

describe("the worked checks of the feature list", () => {
  const t = day("2026-03-20");

  it("gives delays [0,2,5,7,3,0,4,1,6,2] a mean of 3.0 and a 90th percentile of 6.1", () => {
    const invoices = [0, 2, 5, 7, 3, 0, 4, 1, 6, 2].map((_, k) => invoice(day("2026-01-10") + k));
    const payments = [0, 2, 5, 7, 3, 0, 4, 1, 6, 2].map((late, k) =>
      payment(invoices[k]!, invoices[k]!.due_day! + late),
    );
    const of = statement(invoices, payments);
    expect(feature(of, t, "avg_payment_delay_days")).toBe(3);
    expect(feature(of, t, "p90_payment_delay_days")).toBeCloseTo(6.1, 12);
  });

  it("counts orders on Jan 5, Jan 20, Feb 3, Feb 28 and Mar 15 as 1.67 a month", () => {
    const days = ["2026-01-05", "2026-01-20", "2026-02-03", "2026-02-28", "2026-03-15"];
    const of = statement(days.map((iso) => invoice(day(iso))));
    expect(feature(of, t, "monthly_order_frequency")).toBeCloseTo(5 / 3, 12);
  });

  it("gives GMV rising from 50k to 80k over 12 months a slope of 2,727 a month, 0.0420 of its mean", () => {
    const invoices = Array.from({ length: 12 }, (_, k) =>
      invoice(day(`2025-${String(k + 1).padStart(2, "0")}-10`), {
        amount_paise: Math.round((50_000 + (30_000 * k) / 11) * 100),
      }),
    );
    const slope = feature(statement(invoices), day("2026-01-05"), "gmv_trend_slope")!;
    expect(slope).toBeCloseTo(0.042, 4);
    expect(slope * 65_000).toBeCloseTo(2727.27, 1);
  });

  it("counts 8 credit notes on 200 invoices as a return frequency of 4 %", () => {
    const invoices = Array.from({ length: 200 }, (_, k) => invoice(t - k));
    const notes = Array.from({ length: 8 }, (_, k) => creditNote(t - k));
    expect(feature(statement([...invoices, ...notes]), t, "return_freq_pct")).toBe(4);
  });

  it("counts 88 months from a first invoice in January 2019 to May 2026", () => {
    const of = statement([invoice(day("2026-05-01"))], [], {
      sources: [source({ first_invoice_day: day("2019-01-17") })],
    });
    expect(feature(of, day("2026-05-20"), "distributor_tenure_months")).toBe(88);
  });
});
