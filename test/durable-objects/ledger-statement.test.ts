import { afterEach, describe, expect, it, vi } from "vitest";
import { istDay } from "../../src/lib/days.ts";
import { at, day, invoiceRow, newLedger, paymentRow, R, rowsOf, S } from "../support/ledger.ts";

afterEach(() => vi.useRealTimers());

describe("a statement", () => {
  it("holds only what is dated up to its day", async () => {
    const { taken, books } = await newLedger();
    await taken(
      [invoiceRow(0, "I1", R), invoiceRow(1, "I2", R, { day: day("2026-05-10") })],
      [paymentRow(0, "P1", "I1"), paymentRow(1, "P2", "I2", { day: day("2026-05-21") })],
    );
    const early = await books([R], day("2026-05-09"));
    expect(early.invoices.map((row) => row.invoice_id)).toEqual(["I1"]);
    expect(early.payments).toEqual([]);
    const later = await books([R], day("2026-05-20"));
    expect(later.invoices).toHaveLength(2);
    expect(later.payments.map((row) => row.payment_id)).toEqual(["P1"]);
  });

  it("reaches back 36 calendar months, but knows the first invoice day ever", async () => {
    const { taken, books } = await newLedger();
    await taken(
      [
        invoiceRow(0, "OLD", R, { day: day("2023-06-15") }),
        invoiceRow(1, "EDGE", R, { day: day("2023-06-16") }),
        invoiceRow(2, "NOTE", R, { day: day("2023-06-10"), is_return: 1, original: "EDGE" }),
        invoiceRow(3, "OLDNOTE", R, { day: day("2023-06-11"), is_return: 1, original: "OLD" }),
      ],
      [
        paymentRow(0, "P1", "OLD", { day: day("2026-01-01") }),
        paymentRow(1, "P2", "EDGE", { day: day("2026-01-01") }),
      ],
    );
    const { invoices, payments, source } = await books([R], day("2026-06-15"));
    expect(invoices.map((row) => row.invoice_id)).toEqual(["EDGE", "NOTE"]);
    expect(payments.map((row) => row.payment_id)).toEqual(["P2"]);
    expect(source.first_invoice_day).toBe(day("2023-06-15"));
  });

  it("does not take a credit note for the first invoice", async () => {
    const { taken, books } = await newLedger();
    await taken([
      invoiceRow(0, "N", R, { day: day("2026-04-01"), is_return: 1 }),
      invoiceRow(1, "I", R, { day: day("2026-05-01") }),
    ]);
    expect((await books([R])).source.first_invoice_day).toBe(day("2026-05-01"));
    expect((await books([S])).source.first_invoice_day).toBeNull();
  });

  it("gives every field of its rows", async () => {
    const { distributor_id, taken, books } = await newLedger();
    await taken(
      [invoiceRow(0, "C1", R, { is_return: 1, original: "I0", disputed: 1, due: null, paise: 5 })],
      [],
    );
    await taken([invoiceRow(0, "I0", R)], [paymentRow(0, "P1", "I0", { bounced: 1, paise: 7 })]);
    const { invoices, payments } = await books([R]);
    expect(invoices[0]).toEqual({
      distributor_id,
      invoice_id: "C1",
      invoice_day: day("2026-05-01"),
      due_day: null,
      amount_paise: 5,
      is_return: true,
      original_invoice_id: "I0",
      disputed: true,
    });
    expect(payments).toEqual([
      {
        distributor_id,
        payment_id: "P1",
        invoice_id: "I0",
        paid_day: day("2026-05-20"),
        amount_paise: 7,
        bounced: true,
      },
    ]);
  });

  it("counts records received and quarantined up to its day, held batches apart", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    vi.setSystemTime(at("2026-06-14T08:00:00Z"));
    const { taken, books } = await newLedger();
    const bad = JSON.stringify([["invoice", 1, null, "INVALID_RECORD", "00"]]);
    await taken([invoiceRow(0, "I1", R)], [], { quarantine: bad, records_sent: 2 });
    vi.setSystemTime(at("2026-06-15T08:00:00Z"));
    await taken([invoiceRow(0, "I2", R)]);
    const bulk = Array.from({ length: 100 }, (_, i) => paymentRow(i, `B${i}`, "I1"));
    await taken([], bulk);
    const figures = async (iso: string) => (await books([R], day(iso))).source;
    expect(await figures("2026-06-13")).toMatchObject({ records_received: 0, records_quarantined: 0 });
    expect(await figures("2026-06-14")).toMatchObject({ records_received: 2, records_quarantined: 1 });
    expect(await figures("2026-06-15")).toMatchObject({ records_received: 3, records_quarantined: 1 });
  });

  it("has a revision that moves with every batch that enters the books", async () => {
    const { taken, books } = await newLedger();
    expect((await books()).revision).toBe(0);
    await taken([invoiceRow(0, "I1", R)]);
    expect((await books()).revision).toBe(1);
    await taken([]);
    expect((await books()).revision).toBe(2);
  });

  it("comes from a csv source if the registry says so or every batch was csv", async () => {
    const mixed = await newLedger();
    await mixed.taken([], [], { erp_type: "csv", registered_erp_type: "sap_b1" });
    expect((await mixed.books()).source.erp_type).toBe("csv");
    await mixed.taken([], [], { erp_type: "sap_b1", registered_erp_type: "sap_b1" });
    expect((await mixed.books()).source.erp_type).toBe("sap_b1");
    const registered = await newLedger();
    await registered.taken([], [], { erp_type: "tally_prime", registered_erp_type: "csv" });
    expect((await registered.books()).source.erp_type).toBe("csv");
  });
});

describe("the usual term", () => {
  const term = async (books: Awaited<ReturnType<typeof newLedger>>["books"], iso = "2026-06-15") =>
    (await books([R], day(iso))).source.usual_term_days;

  it("is 30 where no invoice states one", async () => {
    const { taken, books } = await newLedger();
    await taken([invoiceRow(0, "I1", R, { due: null })]);
    expect(await term(books)).toBe(30);
  });

  it("is the most frequent one, the shorter of two equally frequent; credit notes do not count", async () => {
    const { taken, books } = await newLedger();
    const d = day("2026-05-01");
    await taken([
      invoiceRow(0, "A", R, { due: d + 45 }),
      invoiceRow(1, "B", S, { due: d + 45 }),
      invoiceRow(2, "C", R, { due: d + 7 }),
      invoiceRow(3, "D", R, { due: d + 7 }),
      invoiceRow(4, "E", R, { due: d + 90 }),
      invoiceRow(5, "N", R, { due: d + 45, is_return: 1 }),
    ]);
    expect(await term(books)).toBe(7);
  });

  it("is that of the invoices up to the statement's day", async () => {
    const { taken, books } = await newLedger();
    const early = day("2026-04-01");
    const late = day("2026-05-01");
    await taken([
      invoiceRow(0, "A", R, { day: early, due: early + 10 }),
      invoiceRow(1, "B", R, { day: late, due: late + 60 }),
      invoiceRow(2, "C", R, { day: late, due: late + 60 }),
    ]);
    expect(await term(books, "2026-04-30")).toBe(10);
    expect(await term(books, "2026-05-01")).toBe(60);
    expect(await term(books, "2026-03-31")).toBe(30);
  });

  it("follows corrections", async () => {
    const { taken, books } = await newLedger();
    const d = day("2026-05-01");
    await taken([invoiceRow(0, "A", R, { due: d + 10 }), invoiceRow(1, "A", R, { due: d + 20 })]);
    expect(await term(books)).toBe(20);
    await taken([invoiceRow(0, "A", R, { due: d + 45 })]);
    expect(await term(books)).toBe(45);
    await taken([invoiceRow(0, "A", R, { due: null })]);
    expect(await term(books)).toBe(30);
  });
});

it("the day of a received batch is India's", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(at("2026-06-14T20:00:00Z"));
  const { taken, ledger } = await newLedger();
  await taken([invoiceRow(0, "I1", R)]);
  expect(await rowsOf(ledger, "SELECT received_day FROM intake_days")).toEqual([
    { received_day: istDay(at("2026-06-15T01:30:00+05:30")) },
  ]);
});
