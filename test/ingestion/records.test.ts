import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dayReader } from "../../src/ingestion/dates.ts";
import {
  checkInvoice,
  checkPayment,
  isRejected,
  type RecordRules,
  toPaise,
} from "../../src/ingestion/records.ts";
import { day } from "../support/ledger.ts";
import { gstinOf, invoice, payment } from "./support.ts";

const rules: RecordRules = { today: day("2026-06-15"), max_amount_paise: 500_000_000, readDay: dayReader() };

function invoiceReason(changes: Record<string, unknown>): string | null {
  const outcome = checkInvoice(invoice(changes), 0, rules);
  return isRejected(outcome) ? outcome.reason : null;
}

function paymentReason(changes: Record<string, unknown>): string | null {
  const outcome = checkPayment(payment(changes), 0, rules);
  return isRejected(outcome) ? outcome.reason : null;
}

function checked(changes: Record<string, unknown>) {
  const outcome = checkInvoice(invoice(changes), 0, rules);
  if (isRejected(outcome)) throw new Error(`quarantined: ${outcome.reason}`);
  return outcome;
}

describe("an invoice", () => {
  it("is normalised to days, paise and a clean identity; the name is dropped", () => {
    const outcome = checkInvoice(
      invoice({
        retailer_gst: ` ${gstinOf(7).toLowerCase()} `,
        retailer_phone: "9876543210",
        retailer_name: "Sri Ganesh Stores",
        amount_inr: 99.99,
        disputed: true,
      }),
      3,
      rules,
    );
    expect(outcome).toEqual({
      index: 3,
      invoice_id: "INV-1",
      gstin: gstinOf(7),
      phone: "9876543210",
      invoice_day: day("2026-05-01"),
      due_day: day("2026-05-31"),
      amount_paise: 9_999,
      is_return: false,
      original_invoice_id: null,
      disputed: true,
      due_date_dropped: false,
    });
  });

  it.each([
    ["no invoice_id", { invoice_id: undefined }],
    ["an empty invoice_id", { invoice_id: "" }],
    ["a blank invoice_id", { invoice_id: "  " }],
    ["a number as invoice_id", { invoice_id: 17 }],
    ["an invoice_id of 129 characters", { invoice_id: "x".repeat(129) }],
    ["a control character in the invoice_id", { invoice_id: "INV\u0000-1" }],
    ["half a surrogate pair in the invoice_id", { invoice_id: "INV\ud800" }],
    ["an amount as text", { amount_inr: "100" }],
    ["no amount", { amount_inr: null }],
    ["an amount with 3 decimals", { amount_inr: 10.001 }],
    ["is_return that is no boolean", { is_return: "yes" }],
    ["disputed that is no boolean", { disputed: 1 }],
    ["an original_invoice_id that is no text", { original_invoice_id: 5 }],
  ])("with %s is INVALID_RECORD", (_, changes) => {
    expect(invoiceReason(changes)).toBe("INVALID_RECORD");
  });

  it.each([[null], [42], ["text"], [[]], [true]])(
    "that is %j instead of an object is INVALID_RECORD",
    (value) => {
      const outcome = checkInvoice(value, 0, rules);
      expect(outcome).toMatchObject({ reason: "INVALID_RECORD", record_id: null });
    },
  );

  it.each([
    ["missing", undefined],
    ["unparsable", "01/05/2026"],
    ["not in the calendar", "2026-02-30"],
    ["with an offset other than Z", "2026-05-01T10:00:00+05:30"],
    ["a number", 1_777_000_000],
    ["tomorrow", "2026-06-16"],
    ["today in UTC but tomorrow in India", "2026-06-15T18:30:00Z"],
    ["before 2018", "2017-12-31"],
  ])("dated %s is INVALID_DATE", (_, invoice_date) => {
    expect(invoiceReason({ invoice_date })).toBe("INVALID_DATE");
  });

  it("may be dated today and on the first day of 2018", () => {
    expect(invoiceReason({ invoice_date: "2026-06-15" })).toBeNull();
    expect(invoiceReason({ invoice_date: "2018-01-01", due_date: null })).toBeNull();
  });

  it("dated with a time belongs to the Indian day of that instant", () => {
    expect(checked({ invoice_date: "2026-05-01T18:29:59.999Z" }).invoice_day).toBe(day("2026-05-01"));
    expect(checked({ invoice_date: "2026-05-01T18:30:00Z" }).invoice_day).toBe(day("2026-05-02"));
  });

  it.each([[0], [-5], [5_000_000.01], [1e300], [Number.POSITIVE_INFINITY]])(
    "of %d rupees is AMOUNT_OUTLIER",
    (amount_inr) => {
      expect(invoiceReason({ amount_inr })).toBe("AMOUNT_OUTLIER");
    },
  );

  it("may reach the registry's limit exactly", () => {
    expect(invoiceReason({ amount_inr: 5_000_000 })).toBeNull();
    expect(
      checkInvoice(invoice({ amount_inr: 1_000.01 }), 0, { ...rules, max_amount_paise: 100_000 }),
    ).toMatchObject({ reason: "AMOUNT_OUTLIER" });
  });

  it.each([["27AAPFU0939F1ZW"], ["nonsense"], [12_345]])(
    "with GSTIN %s is INVALID_GSTIN, even with a phone",
    (gst) => {
      expect(invoiceReason({ retailer_gst: gst, retailer_phone: "9876543210" })).toBe("INVALID_GSTIN");
    },
  );

  it.each([
    [{ retailer_gst: undefined }],
    [{ retailer_gst: "", retailer_phone: "" }],
    [{ retailer_gst: null, retailer_phone: "987654321" }],
    [{ retailer_gst: null, retailer_phone: "+919876543210" }],
    [{ retailer_gst: null, retailer_phone: 9_876_543_210 }],
  ])("with %j is IDENTITY_UNRESOLVABLE", (changes) => {
    expect(invoiceReason(changes)).toBe("IDENTITY_UNRESOLVABLE");
  });

  it("with a good GSTIN and a bad phone goes by the GSTIN", () => {
    expect(checked({ retailer_phone: "123" })).toMatchObject({ gstin: gstinOf(1), phone: null });
  });

  it("with a phone alone goes by the phone", () => {
    expect(checked({ retailer_gst: null, retailer_phone: "9876543210" })).toMatchObject({
      gstin: null,
      phone: "9876543210",
    });
  });

  it.each([
    ["before the invoice", "2026-04-30"],
    ["more than 180 days after it", "2026-10-29"],
    ["unparsable", "soon"],
    ["no text", 5],
  ])("loses a due date that is %s, and is flagged", (_, due_date) => {
    expect(checked({ due_date })).toMatchObject({ due_day: null, due_date_dropped: true });
  });

  it("keeps a due date on its own day and 180 days after, and needs none", () => {
    expect(checked({ due_date: "2026-05-01" })).toMatchObject({ due_day: day("2026-05-01") });
    expect(checked({ due_date: "2026-10-28" })).toMatchObject({ due_day: day("2026-10-28") });
    expect(checked({ due_date: null })).toMatchObject({ due_day: null, due_date_dropped: false });
    expect(checked({ due_date: undefined })).toMatchObject({ due_day: null, due_date_dropped: false });
  });

  it("with several faults gets the first reason of the order", () => {
    const faults = [
      ["INVALID_RECORD", { disputed: "no" }],
      ["INVALID_DATE", { invoice_date: "never" }],
      ["AMOUNT_OUTLIER", { amount_inr: -1 }],
      ["INVALID_GSTIN", { retailer_gst: "X" }],
    ] as const;
    for (let first = 0; first < faults.length; first++) {
      const changes = Object.assign({}, ...faults.slice(first).map(([, change]) => change));
      expect(invoiceReason(changes)).toBe(faults[first]![0]);
    }
  });
});

describe("a payment", () => {
  it("is normalised", () => {
    expect(checkPayment(payment({ bounced: true }), 4, rules)).toEqual({
      index: 4,
      payment_id: "PAY-1",
      invoice_id: "INV-1",
      paid_day: day("2026-05-20"),
      amount_paise: 125_050,
      payment_method: "UPI",
      bounced: true,
    });
  });

  it.each([
    ["no payment_id", { payment_id: null }],
    ["no invoice_id", { invoice_id: undefined }],
    ["an unknown method", { payment_method: "Bitcoin" }],
    ["a method in another letter case", { payment_method: "upi" }],
    ["an amount with 3 decimals", { amount_paid_inr: 0.001 }],
    ["bounced that is no boolean", { bounced: "no" }],
  ])("with %s is INVALID_RECORD", (_, changes) => {
    expect(paymentReason(changes)).toBe("INVALID_RECORD");
  });

  it.each([["NEFT"], ["RTGS"], ["IMPS"], ["UPI"], ["cheque"], ["cash"], [null], [undefined]])(
    "may be made by %s",
    (payment_method) => {
      expect(paymentReason({ payment_method })).toBeNull();
    },
  );

  it.each([[0], [-1], [5_000_001]])("of %d rupees is AMOUNT_OUTLIER", (amount_paid_inr) => {
    expect(paymentReason({ amount_paid_inr })).toBe("AMOUNT_OUTLIER");
  });

  it.each([["soon"], [null], ["2026-06-16"], ["2017-12-31"]])(
    "dated %s is INVALID_PAYMENT_DATE",
    (paid_date) => {
      expect(paymentReason({ paid_date })).toBe("INVALID_PAYMENT_DATE");
    },
  );

  it("with a bad amount and a bad date is AMOUNT_OUTLIER", () => {
    expect(paymentReason({ amount_paid_inr: 0, paid_date: "soon" })).toBe("AMOUNT_OUTLIER");
  });
});

describe("rupees", () => {
  it("become paise exactly for every amount with up to two decimals", () => {
    fc.assert(
      fc.property(fc.integer({ min: -1_000_000_000_00, max: 1_000_000_000_00 }), (paise) => {
        expect(toPaise(Number(`${paise}e-2`))).toBe(paise);
      }),
    );
  });

  it("with a third decimal are no amount", () => {
    fc.assert(
      fc.property(fc.nat(1_000_000_000), fc.integer({ min: 1, max: 9 }), (paise, third) => {
        expect(toPaise(Number(`${paise * 10 + third}e-3`))).toBeNaN();
      }),
    );
  });
});

describe("any JSON value", () => {
  it("gets a verdict and never an exception", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(999), (value, index) => {
        for (const check of [checkInvoice, checkPayment]) {
          expect(check(value, index, rules)).toHaveProperty("index", index);
        }
      }),
    );
  });
});
