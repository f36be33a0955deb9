import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import type { env } from "cloudflare:workers";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { AcceptInput, AcceptResult, InvoiceRow, PaymentRow } from "../../src/ingestion/types.ts";
import { istDay } from "../../src/lib/days.ts";
import { newId, nowMs } from "../../src/lib/seams.ts";
import {
  acceptInput,
  DAY_MS,
  day,
  invoiceRow,
  ledgerOf,
  newDistributorId,
  paymentRow,
} from "../ingestion/support.ts";

const R = "ret_000000000000000a";
const S = "ret_000000000000000b";
const AS_OF = day("2026-06-15");
const at = (iso: string) => Date.parse(iso);

/** A fresh ledger with short forms of its calls. */
function newLedger() {
  const distributor_id = newDistributorId();
  const ledger = ledgerOf(distributor_id);
  const accept = async (
    invoices: InvoiceRow[],
    payments: PaymentRow[] = [],
    changes: Partial<AcceptInput> = {},
  ) => (await ledger.accept(acceptInput(distributor_id, invoices, payments, changes))) as AcceptResult;
  const taken = async (...parameters: Parameters<typeof accept>) => {
    const result = await accept(...parameters);
    if (result.kind !== "accepted") throw new Error(`not accepted: ${result.kind}`);
    return result.answer;
  };
  const books = async (retailer_ids: string[] = [R, S], as_of_day = AS_OF) =>
    ledger.statement({ retailer_ids, as_of_day });
  return { distributor_id, ledger, accept, taken, books };
}

function rowsOf(ledger: ReturnType<typeof newLedger>["ledger"], query: string) {
  return runInDurableObject(ledger, (_, state) => state.storage.sql.exec(query).toArray());
}

afterEach(() => vi.useRealTimers());

describe("a batch", () => {
  it("is taken in with its counts and its rows", async () => {
    const { taken, books } = newLedger();
    const answer = await taken([invoiceRow(0, "I1", R), invoiceRow(1, "I2", S)], [paymentRow(0, "P1", "I1")]);
    expect(answer).toEqual({
      batch_id: expect.stringMatching(/^bat_[0-9a-f]{16}$/),
      accepted: 3,
      quarantined: 0,
      duplicates: 0,
      status: "processing",
    });
    const { invoices, payments } = await books();
    expect(invoices.map((row) => row.invoice_id)).toEqual(["I1", "I2"]);
    expect(payments.map((row) => row.payment_id)).toEqual(["P1"]);
  });

  it("sent again under its id changes nothing and gives the first answer", async () => {
    const { distributor_id, ledger, books } = newLedger();
    const input = acceptInput(distributor_id, [invoiceRow(0, "I1", R)]);
    const first = await ledger.accept(input);
    const before = await books();
    const again = await ledger.accept(input);
    expect(again).toEqual({
      kind: "duplicate",
      original: first.kind === "accepted" && first.answer,
      payload_matches: true,
    });
    const other = await ledger.accept({ ...input, invoices: "[]", payload_sha256: "1".repeat(64) });
    expect(other).toMatchObject({ kind: "duplicate", payload_matches: false });
    expect(await books()).toEqual(before);
  });

  it("has the first answer's status also after it is complete", async () => {
    const { distributor_id, ledger } = newLedger();
    const input = acceptInput(distributor_id, [invoiceRow(0, "I1", R)]);
    const first = await ledger.accept(input);
    if (first.kind !== "accepted") throw new Error(first.kind);
    await ledger.markScored(first.answer.batch_id, [R]);
    expect(await ledger.accept(input)).toMatchObject({ original: { status: "processing" } });
  });

  it("is whole or not there at all when something fails half-way", async () => {
    const { distributor_id, ledger } = newLedger();
    const input = acceptInput(distributor_id, [invoiceRow(0, "I1", R)], [paymentRow(0, "P1", "I1")]);
    await runInDurableObject(ledger, (instance, state) => {
      state.storage.sql.exec("ALTER TABLE pending_retailers RENAME TO gone");
      expect(() => instance.accept(input)).toThrow();
      state.storage.sql.exec("ALTER TABLE gone RENAME TO pending_retailers");
      for (const table of ["batches", "invoices", "payments", "term_counts", "intake_days", "ledger"]) {
        expect(state.storage.sql.exec(`SELECT count(*) AS n FROM ${table}`).one().n, table).toBe(0);
      }
    });
    expect(await ledger.accept(input)).toMatchObject({ kind: "accepted", answer: { accepted: 2 } });
  });

  it("survives the object's eviction, answer and books", async () => {
    const { distributor_id, ledger, books } = newLedger();
    const input = acceptInput(distributor_id, [invoiceRow(0, "I1", R)]);
    const first = await ledger.accept(input);
    const before = await books();
    await evictDurableObject(ledger);
    expect(await ledger.accept(input)).toMatchObject({
      kind: "duplicate",
      original: first.kind === "accepted" && first.answer,
    });
    expect(await books()).toEqual(before);
  });
});

describe("the hourly limit", () => {
  it("holds in every span of 60 minutes, to the millisecond", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const start = at("2026-06-15T08:00:00Z");
    const { accept } = newLedger();
    const send = () => accept([], [], { batches_per_hour: 3 });
    for (const minute of [0, 10, 20]) {
      vi.setSystemTime(start + minute * 60_000);
      expect((await send()).kind).toBe("accepted");
    }
    vi.setSystemTime(start + 3_599_999);
    expect(await send()).toEqual({ kind: "limited", retry_after_s: 1 });
    vi.setSystemTime(start + 1_800_000);
    expect(await send()).toEqual({ kind: "limited", retry_after_s: 1_800 });
    vi.setSystemTime(start + 3_600_000);
    expect((await send()).kind).toBe("accepted");
    expect(await send()).toEqual({ kind: "limited", retry_after_s: 600 });
  });

  it("does not keep a known batch from getting its first answer", async () => {
    const { distributor_id, ledger } = newLedger();
    const input = acceptInput(distributor_id, [], [], { batches_per_hour: 1 });
    await ledger.accept(input);
    expect((await ledger.accept(input)).kind).toBe("duplicate");
  });
});

describe("a record sent again", () => {
  it("unchanged is a duplicate, in another batch and in the same", async () => {
    const { taken } = newLedger();
    await taken([invoiceRow(0, "I1", R)], [paymentRow(0, "P1", "I1")]);
    expect(
      await taken(
        [invoiceRow(5, "I1", R), invoiceRow(6, "I2", R), invoiceRow(7, "I2", R)],
        [paymentRow(3, "P1", "I1")],
      ),
    ).toMatchObject({ accepted: 1, duplicates: 3, quarantined: 0 });
  });

  it("changed is a correction: accepted, it holds, and the old version is kept", async () => {
    const { ledger, taken, books } = newLedger();
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
    const { taken, books } = newLedger();
    const answer = await taken([
      invoiceRow(0, "I1", R, { paise: 100 }),
      invoiceRow(1, "I1", R, { paise: 200 }),
      invoiceRow(2, "I1", R, { paise: 200 }),
    ]);
    expect(answer).toMatchObject({ accepted: 2, duplicates: 1 });
    expect((await books()).invoices.map((row) => row.amount_paise)).toEqual([200]);
  });

  it("by a batch with an older sync_to goes to the lineage only, once", async () => {
    const { taken, books, ledger } = newLedger();
    await taken([invoiceRow(0, "I1", R, { paise: 200 })], [], { sync_to_ms: at("2026-06-02") });
    const late = [invoiceRow(0, "I1", R, { paise: 100 })];
    expect(await taken(late, [], { sync_to_ms: at("2026-06-01") })).toMatchObject({ accepted: 1 });
    expect(await taken(late, [], { sync_to_ms: at("2026-06-01") })).toMatchObject({ duplicates: 1 });
    expect((await books()).invoices.map((row) => row.amount_paise)).toEqual([200]);
    expect(await rowsOf(ledger, "SELECT 1 FROM versions")).toHaveLength(1);
  });

  it("by a batch with the same sync_to wins as the later received", async () => {
    const { taken, books } = newLedger();
    await taken([invoiceRow(0, "I1", R, { paise: 200 })]);
    await taken([invoiceRow(0, "I1", R, { paise: 100 })]);
    expect((await books()).invoices.map((row) => row.amount_paise)).toEqual([100]);
  });

  it("may move to another retailer; both are to be scored again", async () => {
    const { taken, books, ledger } = newLedger();
    await taken([invoiceRow(0, "I1", R)]);
    const { batch_id } = await taken([invoiceRow(0, "I1", S)]);
    expect((await books([R])).invoices).toEqual([]);
    expect((await books([S])).invoices).toHaveLength(1);
    expect((await ledger.pendingWork(batch_id)).retailer_ids).toEqual([R, S]);
  });
});

describe("payments", () => {
  it("may come before their invoice and count once it is there", async () => {
    const { taken, books, ledger } = newLedger();
    const orphan = await taken([], [paymentRow(0, "P1", "I1")]);
    expect(orphan).toMatchObject({ accepted: 1, quarantined: 0 });
    expect((await ledger.pendingWork(orphan.batch_id)).retailer_ids).toEqual([]);
    expect((await books()).payments).toEqual([]);
    const { batch_id } = await taken([invoiceRow(0, "I1", R)]);
    expect((await books()).payments).toHaveLength(1);
    expect((await ledger.pendingWork(batch_id)).retailer_ids).toEqual([R]);
  });

  it("dated before their invoice are quarantined, whether it came in the same batch or earlier", async () => {
    const { taken, ledger } = newLedger();
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
    const { taken, books } = newLedger();
    await taken([], [paymentRow(0, "P1", "I1", { day: day("2026-04-30") })]);
    await taken([invoiceRow(0, "I1", R)]);
    expect((await books()).payments).toEqual([]);
  });

  it("on the day of the invoice are good", async () => {
    const { taken } = newLedger();
    expect(
      await taken([invoiceRow(0, "I1", R)], [paymentRow(0, "P1", "I1", { day: day("2026-05-01") })]),
    ).toMatchObject({ quarantined: 0, accepted: 2 });
  });

  it("of a known invoice make its retailer due for scoring", async () => {
    const { taken, ledger } = newLedger();
    await taken([invoiceRow(0, "I1", R), invoiceRow(1, "I2", S)]);
    const { batch_id } = await taken([], [paymentRow(0, "P1", "I2")]);
    expect((await ledger.pendingWork(batch_id)).retailer_ids).toEqual([S]);
  });
});

describe("a bulk anomaly", () => {
  const bulk = (count: number, id = "B") =>
    Array.from({ length: count }, (_, i) => paymentRow(i, `${id}${i}`, "I1", { paise: 100_000 }));

  it("of 100 payments of one amount on one day holds the batch: nothing of it counts", async () => {
    const { taken, books, ledger } = newLedger();
    await taken([invoiceRow(0, "I1", R)], [], { sync_to_ms: at("2026-06-01") });
    const before = await books();
    const answer = await taken([invoiceRow(0, "I9", S)], bulk(100), { sync_to_ms: at("2026-06-09") });
    expect(answer).toMatchObject({ status: "held", accepted: 101 });
    expect(await ledger.batchStatus(answer.batch_id)).toMatchObject({
      status: "held",
      written: 101,
      pipeline_triggered: false,
    });
    expect(await books()).toEqual(before);
    expect(await ledger.pendingWork(answer.batch_id)).toEqual({
      retailer_ids: [],
      sync_to: "2026-06-01T00:00:00.000Z",
    });
    await ledger.markScored(answer.batch_id, []);
    expect((await ledger.batchStatus(answer.batch_id))?.status).toBe("held");
  });

  it("keeps the rows for the review and repeats `held` under its id", async () => {
    const { distributor_id, ledger } = newLedger();
    const input = acceptInput(distributor_id, [], bulk(100));
    await ledger.accept(input);
    expect(await ledger.accept(input)).toMatchObject({ kind: "duplicate", original: { status: "held" } });
    const [held] = await rowsOf(ledger, "SELECT payments FROM held_rows");
    expect(JSON.parse(held?.payments as string)).toHaveLength(100);
  });

  it("is not 99 of them, nor 100 on two days or of two amounts", async () => {
    const { taken } = newLedger();
    expect((await taken([], bulk(99))).status).toBe("processing");
    const two_days = bulk(100, "D").map((row, i) => row.with(3, day("2026-05-20") + (i % 2)) as PaymentRow);
    expect((await taken([], two_days)).status).toBe("processing");
    const two_amounts = bulk(100, "A").map((row, i) => row.with(4, 100_000 + (i % 2)) as PaymentRow);
    expect((await taken([], two_amounts)).status).toBe("processing");
  });
});

describe("the event of a batch", () => {
  async function nextSend(ledger: ReturnType<typeof newLedger>["ledger"]) {
    const [batch] = await rowsOf(ledger, "SELECT next_send_ms, send_attempts, status FROM batches");
    return batch;
  }

  it("is repeated with growing pauses until every retailer is scored", async () => {
    // Tomorrow by the real clock, so that alarms ring only when the test rings them.
    const start = nowMs() + DAY_MS;
    vi.useFakeTimers({ toFake: ["Date"], now: start });
    const { taken, ledger } = newLedger();
    const { batch_id } = await taken([invoiceRow(0, "I1", R), invoiceRow(1, "I2", S)]);
    let now = start;
    for (const [attempt, pause_s] of [20, 40, 80, 160, 320, 600, 600].entries()) {
      expect(await nextSend(ledger)).toEqual({
        next_send_ms: now + pause_s * 1000,
        send_attempts: attempt + 1,
        status: "processing",
      });
      now += pause_s * 1000;
      vi.setSystemTime(now);
      expect(await runDurableObjectAlarm(ledger)).toBe(true);
    }
    await ledger.markScored(batch_id, [R]);
    expect((await nextSend(ledger))?.status).toBe("processing");
    await ledger.markScored(batch_id, [S]);
    expect(await nextSend(ledger)).toMatchObject({ next_send_ms: null, status: "complete" });
    vi.setSystemTime(now + 700_000);
    await runDurableObjectAlarm(ledger);
    expect(await runDurableObjectAlarm(ledger)).toBe(false);
  });

  it("has an alarm behind it that outlives an eviction, and stays the same event", async () => {
    const { taken, ledger, distributor_id } = newLedger();
    const { batch_id } = await taken([invoiceRow(0, "I1", R)]);
    const [before] = await rowsOf(ledger, "SELECT event FROM batches");
    expect(JSON.parse(before?.event as string)).toMatchObject({
      specversion: "1.0",
      type: "ingestion.batch.complete",
      data: { distributor_id, batch_id },
    });
    await evictDurableObject(ledger);
    expect(await runDurableObjectAlarm(ledger)).toBe(true);
    expect(await rowsOf(ledger, "SELECT event FROM batches")).toEqual([before]);
  });

  it("that the queue refuses is tried again by the alarm", async () => {
    const { distributor_id, ledger } = newLedger();
    const sent: unknown[] = [];
    await runInDurableObject(ledger, async (instance) => {
      const holder = instance as unknown as { env: typeof env };
      const real = holder.env;
      const EVENTS = { ...real.EVENTS, sendBatch: () => Promise.reject(new Error("queue down")) };
      vi.spyOn(console, "error").mockImplementationOnce(() => {});
      holder.env = { ...real, EVENTS } as typeof env;
      expect(instance.accept(acceptInput(distributor_id, [invoiceRow(0, "I1", R)]))).toMatchObject({
        kind: "accepted",
      });
      await Promise.resolve();
      vi.useFakeTimers({ toFake: ["Date"], now: nowMs() + 21_000 });
      const working = {
        ...EVENTS,
        sendBatch: async (messages: Iterable<unknown>) => {
          sent.push(...messages);
        },
      };
      holder.env = { ...real, EVENTS: working } as unknown as typeof env;
      await instance.alarm();
      holder.env = real;
    });
    expect(sent).toHaveLength(1);
  });

  it("is complete at once when told that nobody is to be scored", async () => {
    const { taken, ledger } = newLedger();
    const { batch_id } = await taken([]);
    expect(await ledger.pendingWork(batch_id)).toMatchObject({ retailer_ids: [] });
    await ledger.markScored(batch_id, []);
    expect((await ledger.batchStatus(batch_id))?.status).toBe("complete");
  });
});

describe("scored retailers", () => {
  it("leave the batch's list, once and for all", async () => {
    const { taken, ledger } = newLedger();
    const { batch_id } = await taken([invoiceRow(0, "I1", R), invoiceRow(1, "I2", S)]);
    await ledger.markScored(batch_id, [R, newId("ret")]);
    await ledger.markScored(batch_id, [R]);
    expect((await ledger.pendingWork(batch_id)).retailer_ids).toEqual([S]);
    expect((await ledger.batchStatus(batch_id))?.status).toBe("processing");
  });

  it("of an unknown batch are nobody's", async () => {
    const { ledger } = newLedger();
    await ledger.markScored("bat_0000000000000000", [R]);
    expect(await ledger.pendingWork("bat_0000000000000000")).toEqual({ retailer_ids: [], sync_to: null });
    expect(await ledger.batchStatus("bat_0000000000000000")).toBeNull();
  });
});

describe("a merge of retailers", () => {
  it("carries the absorbed one's rows and lineage over, and unchanged records stay duplicates", async () => {
    const { taken, books } = newLedger();
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

describe("a statement", () => {
  it("holds only what is dated up to its day", async () => {
    const { taken, books } = newLedger();
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
    const { taken, books } = newLedger();
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
    const { taken, books } = newLedger();
    await taken([
      invoiceRow(0, "N", R, { day: day("2026-04-01"), is_return: 1 }),
      invoiceRow(1, "I", R, { day: day("2026-05-01") }),
    ]);
    expect((await books([R])).source.first_invoice_day).toBe(day("2026-05-01"));
    expect((await books([S])).source.first_invoice_day).toBeNull();
  });

  it("gives every field of its rows", async () => {
    const { distributor_id, taken, books } = newLedger();
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
    const { taken, books } = newLedger();
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
    const { taken, books } = newLedger();
    expect((await books()).revision).toBe(0);
    await taken([invoiceRow(0, "I1", R)]);
    expect((await books()).revision).toBe(1);
    await taken([]);
    expect((await books()).revision).toBe(2);
  });

  it("comes from a csv source if the registry says so or every batch was csv", async () => {
    const mixed = newLedger();
    await mixed.taken([], [], { erp_type: "csv", registered_erp_type: "sap_b1" });
    expect((await mixed.books()).source.erp_type).toBe("csv");
    await mixed.taken([], [], { erp_type: "sap_b1", registered_erp_type: "sap_b1" });
    expect((await mixed.books()).source.erp_type).toBe("sap_b1");
    const registered = newLedger();
    await registered.taken([], [], { erp_type: "tally_prime", registered_erp_type: "csv" });
    expect((await registered.books()).source.erp_type).toBe("csv");
  });
});

describe("the usual term", () => {
  const term = async (books: ReturnType<typeof newLedger>["books"], iso = "2026-06-15") =>
    (await books([R], day(iso))).source.usual_term_days;

  it("is 30 where no invoice states one", async () => {
    const { taken, books } = newLedger();
    await taken([invoiceRow(0, "I1", R, { due: null })]);
    expect(await term(books)).toBe(30);
  });

  it("is the most frequent one, the shorter of two equally frequent; credit notes do not count", async () => {
    const { taken, books } = newLedger();
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
    const { taken, books } = newLedger();
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
    const { taken, books } = newLedger();
    const d = day("2026-05-01");
    await taken([invoiceRow(0, "A", R, { due: d + 10 }), invoiceRow(1, "A", R, { due: d + 20 })]);
    expect(await term(books)).toBe(20);
    await taken([invoiceRow(0, "A", R, { due: d + 45 })]);
    expect(await term(books)).toBe(45);
    await taken([invoiceRow(0, "A", R, { due: null })]);
    expect(await term(books)).toBe(30);
  });
});

describe("the state of a batch", () => {
  it("is found by its own id and by the distributor's", async () => {
    const { distributor_id, ledger } = newLedger();
    const input = acceptInput(distributor_id, [invoiceRow(0, "I1", R)], [], {
      quarantine: JSON.stringify([
        ["payment", 2, "P", "AMOUNT_OUTLIER", "00"],
        ["invoice", 1, null, "INVALID_RECORD", "00"],
      ]),
      flags: JSON.stringify([[0, "I1", "DUE_DATE_DROPPED"]]),
      records_sent: 3,
    });
    const result = await ledger.accept(input);
    if (result.kind !== "accepted") throw new Error(result.kind);
    const status = await ledger.batchStatus(result.answer.batch_id);
    expect(status).toEqual({
      batch_id: result.answer.batch_id,
      status: "processing",
      written: 1,
      quarantined: 2,
      duplicates: 0,
      completeness_score: expect.any(Number),
      completeness: { invoice: 100, payment: 0, temporal: 100, identity: 100, schema: 33.3 },
      pipeline_triggered: true,
      quarantine: [
        { kind: "invoice", index: 1, record_id: null, reason: "INVALID_RECORD" },
        { kind: "payment", index: 2, record_id: "P", reason: "AMOUNT_OUTLIER" },
      ],
      flags: [{ index: 0, record_id: "I1", flag: "DUE_DATE_DROPPED" }],
    });
    expect(await ledger.batchStatus(input.external_batch_id)).toEqual(status);
  });

  it("counts payments that were in the books before as payments of its due invoices", async () => {
    const { taken, ledger } = newLedger();
    await taken([], [paymentRow(0, "P1", "I1")]);
    const { batch_id } = await taken([invoiceRow(0, "I1", R), invoiceRow(1, "I2", R)]);
    expect((await ledger.batchStatus(batch_id))?.completeness.payment).toBe(50);
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
        const { taken } = newLedger();
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
        const { taken, books } = newLedger();
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
        const forward = newLedger();
        const shuffled = newLedger();
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

it("the day of a received batch is India's", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(at("2026-06-14T20:00:00Z"));
  const { taken, ledger } = newLedger();
  await taken([invoiceRow(0, "I1", R)]);
  expect(await rowsOf(ledger, "SELECT received_day FROM intake_days")).toEqual([
    { received_day: istDay(at("2026-06-15T01:30:00+05:30")) },
  ]);
});
