import { existsSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_BATCH_RECORDS, prepareBatches } from "../../scripts/demo/records.ts";
import { movedTo, readBook, shareLate } from "../../scripts/receivables/books.ts";
import { parseCsv } from "../../scripts/receivables/csv.ts";
import { madeUpIdentities } from "../../scripts/receivables/identities.ts";
import { openBook } from "../../scripts/receivables/receivables.ts";
import { PROJECT_ROOT } from "../../scripts/runtime/layout.ts";
import { lastOccurrenceMs } from "../../scripts/runtime/schedule.ts";
import { isValidGstin } from "../../src/ingestion/gstin.ts";
import { isoToDay } from "../../src/lib/days.ts";
import { IBM_HEADER, smallBook } from "./support/small-book.ts";

const DATA = join(PROJECT_ROOT, "..", "shared", "data");
describe("CSV", () => {
  it("reads back every table that is written by the rules, however its fields look", () => {
    const field = fc.string({ unit: fc.constantFrom("a", "7", ",", '"', "\n", "\r\n", " ", "ह") });
    const quote = (text: string): string => `"${text.replaceAll('"', '""')}"`;
    fc.assert(
      fc.property(fc.array(fc.tuple(field, field), { maxLength: 6 }), (rows) => {
        const text = [["x", "y"], ...rows].map((row) => row.map(quote).join(",")).join("\r\n");
        expect(parseCsv(text).rows).toEqual(rows.map(([x, y]) => ({ x, y })));
      }),
    );
  });

  it("names the row that is not like the header, and an open quote", () => {
    expect(() => parseCsv("a,b\n1,2\n3\n")).toThrow("row 3 has 1 fields, the header 2");
    expect(() => parseCsv('a,b\n1,"2\n')).toThrow("a quote is left open in row 2");
    expect(() => parseCsv("")).toThrow("the file is empty");
  });
});

describe("receivables books", () => {
  it("are recognised by their header, and anything else is refused with the known headers", () => {
    expect(readBook(smallBook({ A: 0 })).invoices).toHaveLength(50);
    const row = "7,C1,x,U001,USD,,2020-01-10,30,x,2020-02-09,2020-01-05,-35,12.50,0";
    const header =
      "row,customer_id,customer_name,business_code,currency,invoice_id,invoice_date,term_days,term_src,due_date,clear_date,days_late,amount,is_open";
    // The derived invoice date gives way to an earlier payment.
    expect(readBook(`${header}\n${row}\n`).invoices).toEqual([
      {
        customer: "C1",
        invoice_id: "HR-7",
        invoice_day: isoToDay("2020-01-05"),
        due_day: isoToDay("2020-02-09"),
        settled_day: isoToDay("2020-01-05"),
        amount_inr: 12.5,
        disputed: false,
      },
    ]);
    expect(() => readBook("a,b\n1,2\n")).toThrow(/IBM Watson[\s\S]*HighRadius/);
    expect(() => readBook(`${IBM_HEADER}\n1,A,,5,13-01-2012,2012-02-02,5,No,\n`)).toThrow("Row 2");
  });

  it("move as a whole: the newest event falls on the asked day, every distance stays", () => {
    const book = readBook(smallBook({ A: 3, B: 40 }));
    const moved = movedTo(book, 21_000);
    expect(Math.max(...moved.invoices.map((invoice) => invoice.settled_day!))).toBe(21_000);
    const shift = moved.invoices[0]!.invoice_day - book.invoices[0]!.invoice_day;
    for (const [i, invoice] of moved.invoices.entries()) {
      expect(invoice.due_day).toBe(book.invoices[i]!.due_day! + shift);
      expect(invoice.settled_day).toBe(book.invoices[i]!.settled_day! + shift);
    }
  });

  it("tell the share that was paid after the due date", () => {
    expect(shareLate(readBook(smallBook({ A: 0, B: 1 })))).toEqual(
      new Map([
        ["A", 0],
        ["B", 1],
      ]),
    );
  });

  it("give each customer a valid GSTIN and a phone of its own, the same ones every time", () => {
    const customers = Array.from({ length: 600 }, (_, i) => `C${i}`);
    const identities = madeUpIdentities("book", customers);
    expect(madeUpIdentities("book", customers)).toEqual(identities);
    const all = [...identities.values()];
    expect(new Set(all.map((identity) => identity.gstin)).size).toBe(600);
    expect(new Set(all.map((identity) => identity.phone)).size).toBe(600);
    for (const { gstin, phone } of all) {
      expect(isValidGstin(gstin)).toBe(true);
      expect(phone).toMatch(/^6\d{9}$/);
    }
  });

  it.runIf(existsSync(DATA))("read both public books whole", () => {
    const ibm = openBook(join(DATA, "ibm_watson_accounts_receivable_2466.csv"));
    expect(ibm.name).toBe("ibm_watson_accounts_receivable_2466");
    expect([ibm.book.invoices.length, ibm.book.customers.length]).toEqual([2466, 100]);
    const highradius = openBook(join(DATA, "highradius_closed.csv.gz"));
    expect(highradius.book.invoices).toHaveLength(14_316);
  });
});

describe("batches of a book", () => {
  it("hold at most 1,000 records each, every record once, and are the same bytes under the same ids every time", () => {
    const records = {
      invoices: Array.from({ length: 1300 }, (_, i) => ({
        day: 20_000 + (i % 300),
        record: {
          invoice_id: `I${i}`,
          retailer_gst: "x",
          retailer_phone: "y",
          invoice_date: "z",
          due_date: null,
          amount_inr: 1,
        },
      })),
      payments: Array.from({ length: 1300 }, (_, i) => ({
        day: 20_000 + (i % 300),
        record: {
          payment_id: `P${i}`,
          invoice_id: `I${i}`,
          paid_date: "z",
          amount_paid_inr: 1,
          payment_method: null,
        },
      })),
    };
    const batches = prepareBatches("dist_1", records, "2026-01-01T00:00:00Z");
    expect(batches).toEqual(prepareBatches("dist_1", records, "2026-01-01T00:00:00Z"));
    expect(batches.map((batch) => batch.records)).toEqual([MAX_BATCH_RECORDS, MAX_BATCH_RECORDS, 600]);
    const bodies = batches.map((batch) => JSON.parse(batch.body) as { sync_to: string; invoices: unknown[] });
    expect(bodies.reduce((sum, body) => sum + body.invoices.length, 0)).toBe(1300);
    expect(bodies.at(-1)!.sync_to).toBe("2026-01-01T00:00:00Z");
    expect(prepareBatches("dist_2", records, "2026-01-01T00:00:00Z")[0]!.batch_uuid).not.toBe(
      batches[0]!.batch_uuid,
    );
  });
});

describe("daily and monthly crons", () => {
  it("last came due at their minute of today, or of yesterday before it", () => {
    const at = (time: string): number => Date.parse(`2026-03-05T${time}Z`);
    expect(lastOccurrenceMs("35 18 * * *", at("18:35:00"))).toBe(at("18:35:00"));
    expect(lastOccurrenceMs("35 18 * * *", at("18:34:59"))).toBe(at("18:35:00") - 86_400_000);
  });

  it("last came due on their day of this month, or of the month before", () => {
    expect(lastOccurrenceMs("30 3 1 * *", Date.parse("2026-03-01T03:30:00Z"))).toBe(
      Date.parse("2026-03-01T03:30:00Z"),
    );
    expect(lastOccurrenceMs("30 3 1 * *", Date.parse("2026-03-01T03:29:59Z"))).toBe(
      Date.parse("2026-02-01T03:30:00Z"),
    );
  });
});
