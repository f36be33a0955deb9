import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { InvoiceRow, PaymentRow } from "../../src/ingestion/types.ts";
import { at, DAY_MS, day, invoiceRow, newLedger, paymentRow, R, rowsOf, S } from "../support/ledger.ts";

describe("a record sent again", () => {
  it("unchanged is a duplicate, in another batch and in the same", async () => {
    const { taken } = await newLedger();
    await taken([invoiceRow(0, "I1", R)], [paymentRow(0, "P1", "I1")]);
    expect(
      await taken(
        [invoiceRow(5, "I1", R), invoiceRow(6, "I2", R), invoiceRow(7, "I2", R)],
        [paymentRow(3, "P1", "I1")],
      ),
    ).toMatchObject({ accepted: 1, duplicates: 3, quarantined: 0 });
  });

  it("changed is a correction: accepted, it holds, and the old version is kept", async () => {
    const { ledger, taken, books } = await newLedger();
    await taken([invoiceRow(0, "I1", R, { paise: 100 })], [paymentRow(0, "P1", "I1", { paise: 40 })]);
    expect(
      await taken([invoiceRow(0, "I1", R, { paise: 200 })], [paymentRow(0, "P1", "I1", { paise: 50 })]),
    ).toMatchObject({ accepted: 2, duplicates: 0 });
    const { invoices, payments } = await books();
    expect(invoices.map((row) => row.amount_paise)).toEqual([200]);
    expect(payments.map((row) => row.amount_paise)).toEqual([50]);
    const lineage = await rowsOf(ledger, "SELECT kind, record_id, content FROM versions ORDER BY kind");
    expect(lineage).toEqual([
      { kind: "invoice", record_id: "I1", content: expect.stringContaining(",100,") },
      { kind: "payment", record_id: "P1", content: expect.stringContaining(",40,") },
    ]);
  });

  it("changed twice within one batch ends with the later one", async () => {
    const { taken, books } = await newLedger();
    const answer = await taken([
      invoiceRow(0, "I1", R, { paise: 100 }),
      invoiceRow(1, "I1", R, { paise: 200 }),
      invoiceRow(2, "I1", R, { paise: 200 }),
    ]);
    expect(answer).toMatchObject({ accepted: 2, duplicates: 1 });
    expect((await books()).invoices.map((row) => row.amount_paise)).toEqual([200]);
  });

  it("by a batch with an older sync_to goes to the lineage only, once", async () => {
    const { taken, books, ledger } = await newLedger();
    await taken([invoiceRow(0, "I1", R, { paise: 200 })], [], { sync_to_ms: at("2026-06-02") });
    const late = [invoiceRow(0, "I1", R, { paise: 100 })];
    expect(await taken(late, [], { sync_to_ms: at("2026-06-01") })).toMatchObject({ accepted: 1 });
    expect(await taken(late, [], { sync_to_ms: at("2026-06-01") })).toMatchObject({ duplicates: 1 });
    expect((await books()).invoices.map((row) => row.amount_paise)).toEqual([200]);
    expect(await rowsOf(ledger, "SELECT 1 FROM versions")).toHaveLength(1);
  });

  it("unchanged by a newer batch confirms it: a correction from between comes too late", async () => {
    const { taken, books } = await newLedger();
    const send = (iso: string, paise: number) =>
      taken([invoiceRow(0, "I1", R, { paise })], [paymentRow(0, "P1", "I1", { paise })], {
        sync_to_ms: at(iso),
      });
    await send("2026-06-01", 100);
    expect(await send("2026-06-03", 100)).toMatchObject({ accepted: 0, duplicates: 2 });
    expect(await send("2026-06-02", 200)).toMatchObject({ accepted: 2, duplicates: 0 });
    const { invoices, payments } = await books();
    expect([...invoices, ...payments].map((row) => row.amount_paise)).toEqual([100, 100]);
  });

  it("by a batch with the same sync_to wins as the later received", async () => {
    const { taken, books } = await newLedger();
    await taken([invoiceRow(0, "I1", R, { paise: 200 })]);
    await taken([invoiceRow(0, "I1", R, { paise: 100 })]);
    expect((await books()).invoices.map((row) => row.amount_paise)).toEqual([100]);
  });

  it("may move to another retailer; both are to be scored again", async () => {
    const { taken, books, ledger } = await newLedger();
    await taken([invoiceRow(0, "I1", R)]);
    const { batch_id } = await taken([invoiceRow(0, "I1", S)]);
    expect((await books([R])).invoices).toEqual([]);
    expect((await books([S])).invoices).toHaveLength(1);
    expect((await ledger.pendingWork(batch_id)).retailer_ids).toEqual([R, S]);
  });
});

describe("payments", () => {
  it("may come before their invoice and count once it is there", async () => {
    const { taken, books, ledger } = await newLedger();
    const orphan = await taken([], [paymentRow(0, "P1", "I1")]);
    expect(orphan).toMatchObject({ accepted: 1, quarantined: 0 });
    expect((await ledger.pendingWork(orphan.batch_id)).retailer_ids).toEqual([]);
    expect((await books()).payments).toEqual([]);
    const { batch_id } = await taken([invoiceRow(0, "I1", R)]);
    expect((await books()).payments).toHaveLength(1);
    expect((await ledger.pendingWork(batch_id)).retailer_ids).toEqual([R]);
  });

  it("dated before their invoice are quarantined, whether it came in the same batch or earlier", async () => {
    const { taken, ledger } = await newLedger();
    const before = day("2026-04-30");
    const first = await taken([invoiceRow(0, "I1", R)], [paymentRow(4, "P1", "I1", { day: before })]);
    expect(first).toMatchObject({ accepted: 1, quarantined: 1 });
    const second = await taken([], [paymentRow(2, "P2", "I1", { day: before }), paymentRow(3, "P3", "I1")]);
    expect(second).toMatchObject({ accepted: 1, quarantined: 1 });
    expect((await ledger.batchStatus(second.batch_id))?.quarantine).toEqual([
      { kind: "payment", index: 2, record_id: "P2", reason: "INVALID_PAYMENT_DATE" },
    ]);
  });

  it("that came before an invoice dated after them stay out of the statement, as in the other order", async () => {
    const { taken, books } = await newLedger();
    await taken([], [paymentRow(0, "P1", "I1", { day: day("2026-04-30") })]);
    await taken([invoiceRow(0, "I1", R)]);
    expect((await books()).payments).toEqual([]);
  });

  it("on the day of the invoice are good", async () => {
    const { taken } = await newLedger();
    expect(
      await taken([invoiceRow(0, "I1", R)], [paymentRow(0, "P1", "I1", { day: day("2026-05-01") })]),
    ).toMatchObject({ quarantined: 0, accepted: 2 });
  });

  it("of a known invoice make its retailer due for scoring", async () => {
    const { taken, ledger } = await newLedger();
    await taken([invoiceRow(0, "I1", R), invoiceRow(1, "I2", S)]);
    const { batch_id } = await taken([], [paymentRow(0, "P1", "I2")]);
    expect((await ledger.pendingWork(batch_id)).retailer_ids).toEqual([S]);
  });
});

describe("a merge of retailers", () => {
  it("carries the absorbed one's rows and lineage over, and unchanged records stay duplicates", async () => {
    const { taken, books } = await newLedger();
    const rows = (retailer_id: string) => [
      invoiceRow(0, "I1", retailer_id, { paise: 100 }),
      invoiceRow(1, "I1", retailer_id, { paise: 200 }),
    ];
    await taken(rows(R));
    const answer = await taken([invoiceRow(0, "I1", S, { paise: 200 })], [], {
      aliases: JSON.stringify([[R, S]]),
    });
    expect(answer).toMatchObject({ accepted: 0, duplicates: 1 });
    expect((await books([S])).invoices).toHaveLength(1);
    const older = [invoiceRow(0, "I1", S, { paise: 100 })];
    expect(await taken(older, [], { sync_to_ms: at("2026-05-02") })).toMatchObject({ duplicates: 1 });
  });
});

describe("any sequence of batches", () => {
  const ids = ["A", "B", "C"];
  const arbitraryInvoice = fc
    .record({ id: fc.constantFrom(...ids), paise: fc.integer({ min: 1, max: 3 }) })
    .map(({ id, paise }) => invoiceRow(0, `I${id}`, R, { paise }));
  const arbitraryPayment = fc
    .record({
      id: fc.constantFrom(...ids),
      invoice: fc.constantFrom(...ids),
      paise: fc.integer({ min: 1, max: 2 }),
      early: fc.boolean(),
    })
    .map(({ id, invoice, paise, early }) =>
      paymentRow(0, `P${id}`, `I${invoice}`, { paise, day: early ? day("2026-04-01") : day("2026-05-20") }),
    );
  const arbitraryBatch = fc.record({
    invoices: fc.array(arbitraryInvoice, { maxLength: 6 }),
    payments: fc.array(arbitraryPayment, { maxLength: 6 }),
    sync_day: fc.integer({ min: 1, max: 28 }),
  });

  it("accounts for every record: accepted + quarantined + duplicates = sent", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(arbitraryBatch, { maxLength: 4 }), async (batches) => {
        const { taken } = await newLedger();
        for (const { invoices, payments, sync_day } of batches) {
          const sync_to_ms = at("2026-05-01") + sync_day * DAY_MS;
          const answer = await taken(reindexed(invoices), reindexed(payments), { sync_to_ms });
          expect(answer.accepted + answer.quarantined + answer.duplicates).toBe(
            invoices.length + payments.length,
          );
        }
      }),
      { numRuns: 15 },
    );
  });

  it("sent a second time under new ids leaves the books as they are", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(arbitraryBatch, { minLength: 1, maxLength: 3 }), async (batches) => {
        const { taken, books } = await newLedger();
        const dated = batches.map((batch, i) => ({ ...batch, sync_to_ms: at("2026-05-01") + i * DAY_MS }));
        const send = async () => {
          for (const { invoices, payments, sync_to_ms } of dated) {
            await taken(distinctIds(invoices), distinctIds(payments), { sync_to_ms });
          }
        };
        await send();
        const before = await books();
        await send();
        const after = await books();
        expect({ ...after, revision: 0, source: 0 }).toEqual({ ...before, revision: 0, source: 0 });
        expect(after.source.usual_term_days).toBe(before.source.usual_term_days);
      }),
      { numRuns: 15 },
    );
  });

  it("comes to the same invoices in whatever order it arrives", async () => {
    const sequence = fc
      .array(fc.array(arbitraryInvoice, { maxLength: 4 }), { minLength: 2, maxLength: 4 })
      .chain((batches) =>
        fc.tuple(
          fc.constant(batches),
          fc.shuffledSubarray([...batches.keys()], { minLength: batches.length }),
        ),
      );
    await fc.assert(
      fc.asyncProperty(sequence, async ([batches, order]) => {
        const forward = await newLedger();
        const shuffled = await newLedger();
        const sync_to_ms = (i: number) => at("2026-05-01") + i * DAY_MS;
        for (const [i, invoices] of batches.entries()) {
          await forward.taken(distinctIds(invoices), [], { sync_to_ms: sync_to_ms(i) });
        }
        for (const i of order) {
          await shuffled.taken(distinctIds(batches[i]!), [], { sync_to_ms: sync_to_ms(i) });
        }
        const amounts = async ({ books }: typeof forward) =>
          (await books()).invoices.map((row) => [row.invoice_id, row.amount_paise]);
        expect(await amounts(shuffled)).toEqual(await amounts(forward));
      }),
      { numRuns: 15 },
    );
  });
});

function reindexed<Row extends InvoiceRow | PaymentRow>(rows: Row[]): Row[] {
  return rows.map((row, index) => row.with(0, index) as Row);
}

/** The rows with one per id, as a connector that looks at its own ledger would send them. */
function distinctIds<Row extends InvoiceRow | PaymentRow>(rows: Row[]): Row[] {
  return reindexed([...new Map(rows.map((row) => [row[1], row])).values()]);
}
