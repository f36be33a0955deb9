import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { DistributorLedger } from "../../durable-objects/distributor-ledger.ts";
import type { PaymentRow } from "../../src/ingestion/types.ts";
import { newId, nowMs } from "../../src/lib/seams.ts";
import {
  acceptInput,
  at,
  DAY_MS,
  day,
  invoiceRow,
  type Ledger,
  newLedger,
  paymentRow,
  R,
  rowsOf,
  S,
  setQueue,
} from "../support/ledger.ts";

afterEach(() => vi.useRealTimers());

describe("a batch", () => {
  it("is taken in with its counts and its rows", async () => {
    const { taken, books } = await newLedger();
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
    const { distributor_id, ledger, books } = await newLedger();
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
    const { distributor_id, ledger } = await newLedger();
    const input = acceptInput(distributor_id, [invoiceRow(0, "I1", R)]);
    const first = await ledger.accept(input);
    if (first.kind !== "accepted") throw new Error(first.kind);
    await ledger.markScored(first.answer.batch_id, [R]);
    expect(await ledger.accept(input)).toMatchObject({ original: { status: "processing" } });
  });

  it("is whole or not there at all when something fails half-way", async () => {
    const { distributor_id, ledger } = await newLedger();
    const input = acceptInput(distributor_id, [invoiceRow(0, "I1", R)], [paymentRow(0, "P1", "I1")]);
    await runInDurableObject<DistributorLedger, void>(ledger, (instance, state) => {
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
    const { distributor_id, ledger, books } = await newLedger();
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
    const { accept } = await newLedger();
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
    const { distributor_id, ledger } = await newLedger();
    const input = acceptInput(distributor_id, [], [], { batches_per_hour: 1 });
    await ledger.accept(input);
    expect((await ledger.accept(input)).kind).toBe("duplicate");
  });
});

describe("a bulk anomaly", () => {
  const bulk = (count: number, id = "B") =>
    Array.from({ length: count }, (_, i) => paymentRow(i, `${id}${i}`, "I1", { paise: 100_000 }));

  it("of 100 payments of one amount on one day holds the batch: nothing of it counts", async () => {
    const { taken, books, ledger } = await newLedger();
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
    const { distributor_id, ledger } = await newLedger();
    const input = acceptInput(distributor_id, [], bulk(100));
    await ledger.accept(input);
    expect(await ledger.accept(input)).toMatchObject({ kind: "duplicate", original: { status: "held" } });
    const [held] = await rowsOf(ledger, "SELECT payments FROM held_rows");
    expect(JSON.parse(held?.payments as string)).toHaveLength(100);
  });

  it("is not 99 of them, nor 100 on two days or of two amounts", async () => {
    const { taken } = await newLedger();
    expect((await taken([], bulk(99))).status).toBe("processing");
    const two_days = bulk(100, "D").map((row, i) => row.with(3, day("2026-05-20") + (i % 2)) as PaymentRow);
    expect((await taken([], two_days)).status).toBe("processing");
    const two_amounts = bulk(100, "A").map((row, i) => row.with(4, 100_000 + (i % 2)) as PaymentRow);
    expect((await taken([], two_amounts)).status).toBe("processing");
  });
});

describe("the event of a batch", () => {
  async function nextSend(ledger: Ledger) {
    const [batch] = await rowsOf(ledger, "SELECT next_send_ms, send_attempts, status FROM batches");
    return batch;
  }

  it("is repeated with growing pauses until every retailer is scored", async () => {
    // Tomorrow by the real clock, so that alarms ring only when the test rings them.
    const start = nowMs() + DAY_MS;
    vi.useFakeTimers({ toFake: ["Date"], now: start });
    const { taken, ledger } = await newLedger();
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
    const { taken, ledger, distributor_id } = await newLedger();
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

  it("that the queue refuses does not fail the batch and is tried again by the alarm", async () => {
    const { taken, ledger } = await newLedger();
    vi.spyOn(console, "error").mockImplementationOnce(() => {});
    await setQueue(ledger, () => Promise.reject(new Error("queue down")));
    const { batch_id } = await taken([invoiceRow(0, "I1", R)]);
    const sent: unknown[] = [];
    await setQueue(ledger, async (messages) => void sent.push(...messages));
    expect(sent).toEqual([]);
    vi.useFakeTimers({ toFake: ["Date"], now: nowMs() + 21_000 });
    await runDurableObjectAlarm(ledger);
    expect(sent).toMatchObject([{ body: { type: "ingestion.batch.complete", data: { batch_id } } }]);
  });

  it("is sent once right after the batch", async () => {
    const { taken, ledger } = await newLedger();
    const sent: unknown[] = [];
    await setQueue(ledger, async (messages) => void sent.push(...messages));
    const { batch_id } = await taken([]);
    expect(sent).toMatchObject([{ body: { data: { batch_id } } }]);
  });

  it("is complete at once when told that nobody is to be scored", async () => {
    const { taken, ledger } = await newLedger();
    const { batch_id } = await taken([]);
    expect(await ledger.pendingWork(batch_id)).toMatchObject({ retailer_ids: [] });
    await ledger.markScored(batch_id, []);
    expect((await ledger.batchStatus(batch_id))?.status).toBe("complete");
  });
});

describe("scored retailers", () => {
  it("leave the batch's list, once and for all", async () => {
    const { taken, ledger } = await newLedger();
    const { batch_id } = await taken([invoiceRow(0, "I1", R), invoiceRow(1, "I2", S)]);
    await ledger.markScored(batch_id, [R, newId("ret")]);
    await ledger.markScored(batch_id, [R]);
    expect((await ledger.pendingWork(batch_id)).retailer_ids).toEqual([S]);
    expect((await ledger.batchStatus(batch_id))?.status).toBe("processing");
  });

  it("of an unknown batch are nobody's", async () => {
    const { ledger } = await newLedger();
    await ledger.markScored("bat_0000000000000000", [R]);
    expect(await ledger.pendingWork("bat_0000000000000000")).toEqual({ retailer_ids: [], sync_to: null });
    expect(await ledger.batchStatus("bat_0000000000000000")).toBeNull();
  });
});

describe("the state of a batch", () => {
  it("is found by its own id and by the distributor's", async () => {
    const { distributor_id, ledger } = await newLedger();
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
    const { taken, ledger } = await newLedger();
    await taken([], [paymentRow(0, "P1", "I1")]);
    const { batch_id } = await taken([invoiceRow(0, "I1", R), invoiceRow(1, "I2", R)]);
    expect((await ledger.batchStatus(batch_id))?.completeness.payment).toBe(50);
  });
});
