import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { newestSync } from "../../src/ingestion/sync.ts";
import type { BatchAnswer } from "../../src/ingestion/types.ts";
import { newUuid } from "../../src/lib/seams.ts";
import { gstinIndex } from "../../src/retailers/blind-index.ts";
import { profilesOf, retailerByGstin } from "../../src/retailers/store.ts";
import { day, ledgerOf, statementOf } from "../support/ledger.ts";
import { batchOf, getStatus, gstinOf, ingest, invoice, newDistributor, payment, post } from "./support.ts";

const retailerOf = async (gstin: string) => (await retailerByGstin(env, gstinIndex(env, gstin))) as string;

describe("POST /v1/ingest/batch", () => {
  it("answers 202 with the batch id and the counts", async () => {
    const distributor = await newDistributor();
    const response = await post(distributor, batchOf(distributor, [invoice()], [payment()]));
    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({
      batch_id: expect.stringMatching(/^bat_[0-9a-f]{16}$/),
      accepted: 2,
      quarantined: 0,
      duplicates: 0,
      status: "processing",
    });
  });

  it("puts the rows into the distributor's ledger under the retailer of the GSTIN", async () => {
    const distributor = await newDistributor();
    await ingest(distributor, [invoice({ retailer_gst: gstinOf(11) })], [payment()]);
    const retailer_id = await retailerOf(gstinOf(11));
    const statement = await statementOf(
      ledgerOf(distributor.distributor_id),
      [retailer_id],
      day("2026-06-15"),
    );
    expect(statement.invoices).toMatchObject([{ invoice_id: "INV-1", amount_paise: 125_050 }]);
    expect(statement.payments).toMatchObject([{ payment_id: "PAY-1", paid_day: day("2026-05-20") }]);
    expect((await profilesOf(env, [retailer_id]))[0]?.distributor_ids).toEqual([distributor.distributor_id]);
  });

  it("knows one retailer by the same GSTIN from two distributors", async () => {
    const [a, b] = [await newDistributor(), await newDistributor("sap_b1")];
    await ingest(a, [invoice({ retailer_gst: gstinOf(12) })]);
    await ingest(b, [invoice({ retailer_gst: gstinOf(12) })]);
    expect((await profilesOf(env, [await retailerOf(gstinOf(12))]))[0]?.distributor_ids).toEqual(
      [a.distributor_id, b.distributor_id].sort(),
    );
  });

  it("takes exactly 1,000 records, and none at all", async () => {
    const distributor = await newDistributor();
    const invoices = Array.from({ length: 600 }, (_, i) => invoice({ invoice_id: `I${i}` }));
    const payments = Array.from({ length: 400 }, (_, i) =>
      payment({ payment_id: `P${i}`, invoice_id: `I${i}`, amount_paid_inr: 1 + i }),
    );
    expect((await ingest(distributor, invoices, payments)).answer).toMatchObject({
      accepted: 1_000,
      status: "processing",
    });
    expect((await ingest(distributor, [], [])).answer).toMatchObject({ accepted: 0, quarantined: 0 });
  });

  it("takes a body with only one of the arrays, X-Batch-Seq, and parameters after the media type", async () => {
    const distributor = await newDistributor();
    const body = batchOf(distributor, [invoice()]);
    body.payments = undefined;
    const headers = { "X-Batch-Seq": "1/3", "Content-Type": "application/json; charset=utf-8" };
    expect((await post(distributor, body, headers)).status).toBe(202);
  });

  it("quarantines bad records with their reasons and takes the rest", async () => {
    const distributor = await newDistributor();
    const { answer, status } = await ingest(
      distributor,
      [
        invoice({ invoice_id: "GOOD" }),
        invoice({ invoice_id: "GST", retailer_gst: "27AAPFU0939F1ZW" }),
        invoice({ invoice_id: "DATE", invoice_date: "2017-12-31" }),
        invoice({ invoice_id: "AMOUNT", amount_inr: 0 }),
        invoice({ invoice_id: "WHO", retailer_gst: null }),
        "not a record",
      ],
      [
        payment({ payment_id: "EARLY", invoice_id: "GOOD", paid_date: "2026-04-30" }),
        payment({ payment_id: "METHOD", payment_method: "barter" }),
        payment({ payment_id: "ORPHAN", invoice_id: "NOT-YET" }),
      ],
    );
    expect(answer).toMatchObject({ accepted: 2, quarantined: 7, duplicates: 0 });
    expect(status.quarantine).toEqual([
      { kind: "invoice", index: 1, record_id: "GST", reason: "INVALID_GSTIN" },
      { kind: "invoice", index: 2, record_id: "DATE", reason: "INVALID_DATE" },
      { kind: "invoice", index: 3, record_id: "AMOUNT", reason: "AMOUNT_OUTLIER" },
      { kind: "invoice", index: 4, record_id: "WHO", reason: "IDENTITY_UNRESOLVABLE" },
      { kind: "invoice", index: 5, record_id: null, reason: "INVALID_RECORD" },
      { kind: "payment", index: 0, record_id: "EARLY", reason: "INVALID_PAYMENT_DATE" },
      { kind: "payment", index: 1, record_id: "METHOD", reason: "INVALID_RECORD" },
    ]);
  });

  it("goes by the amount limit that the registry has for this distributor", async () => {
    const distributor = await newDistributor("tally_prime", { max_amount_inr: 1_000 });
    const { status } = await ingest(distributor, [invoice({ amount_inr: 1_000.01 })]);
    expect(status.quarantine).toMatchObject([{ reason: "AMOUNT_OUTLIER" }]);
  });

  it("counts duplicates and corrections: accepted + quarantined + duplicates = sent", async () => {
    const distributor = await newDistributor();
    await ingest(distributor, [invoice(), invoice({ invoice_id: "INV-2" })], [payment()]);
    const { answer } = await ingest(
      distributor,
      [invoice(), invoice({ invoice_id: "INV-2", amount_inr: 5 }), invoice({ invoice_id: "INV-3" }), null],
      [payment()],
    );
    expect(answer).toMatchObject({ accepted: 2, quarantined: 1, duplicates: 2 });
  });

  it("flags a dropped due date and a phone that belongs to another GSTIN", async () => {
    const distributor = await newDistributor();
    const { answer, status } = await ingest(distributor, [
      invoice({
        invoice_id: "A",
        retailer_gst: gstinOf(21),
        retailer_phone: "9000000021",
        due_date: "2025-01-01",
      }),
      invoice({ invoice_id: "B", retailer_gst: gstinOf(22), retailer_phone: "9000000021" }),
      invoice({ invoice_id: "C", retailer_gst: null, retailer_phone: "9000000021" }),
    ]);
    expect(answer).toMatchObject({ accepted: 2, quarantined: 1 });
    expect(status.flags).toEqual([
      { index: 0, record_id: "A", flag: "DUE_DATE_DROPPED" },
      { index: 1, record_id: "B", flag: "IDENTITY_CONFLICT" },
    ]);
    expect(status.quarantine).toMatchObject([{ record_id: "C", reason: "IDENTITY_UNRESOLVABLE" }]);
  });

  it("moves the rows of a phone's provisional retailer to the GSTIN's once a record has both", async () => {
    const distributor = await newDistributor();
    const phone = { retailer_phone: "9000000031" };
    await ingest(distributor, [invoice({ invoice_id: "A", retailer_gst: null, ...phone })]);
    await ingest(distributor, [invoice({ invoice_id: "B", retailer_gst: gstinOf(31), ...phone })]);
    const statement = await statementOf(
      ledgerOf(distributor.distributor_id),
      [await retailerOf(gstinOf(31))],
      day("2026-06-15"),
    );
    expect(statement.invoices.map((row) => row.invoice_id)).toEqual(["A", "B"]);
    const again = await ingest(distributor, [invoice({ invoice_id: "A", retailer_gst: null, ...phone })]);
    expect(again.answer).toMatchObject({ duplicates: 1 });
  });

  it("moves freshness to the newest sync_to; a held batch does not", async () => {
    const distributor = await newDistributor();
    const { distributor_id } = distributor;
    await ingest(distributor, [invoice()], [], { sync_to: "2026-05-20T00:00:00Z" });
    await ingest(distributor, [], [], { sync_to: "2026-05-02" });
    expect(await newestSync(env, [distributor_id])).toBe("2026-05-20T00:00:00.000Z");
    const bulk = Array.from({ length: 100 }, (_, i) => payment({ payment_id: `B${i}` }));
    const { answer, status } = await ingest(distributor, [], bulk, { sync_to: "2026-05-31" });
    expect([answer.status, status.status, status.pipeline_triggered]).toEqual(["held", "held", false]);
    expect(await newestSync(env, [distributor_id])).toBe("2026-05-20T00:00:00.000Z");
  });
});

describe("a batch id sent again", () => {
  it("is 409 with the first answer, and tells whether the payload is the same", async () => {
    const distributor = await newDistributor();
    const headers = { "X-Batch-ID": newUuid() };
    const body = batchOf(distributor, [invoice()]);
    const original = await (await post(distributor, body, headers)).json();
    const again = await post(distributor, body, { "X-Batch-ID": headers["X-Batch-ID"].toUpperCase() });
    expect(again.status).toBe(409);
    expect(await again.json()).toMatchObject({
      error_code: "BATCH_ALREADY_PROCESSED",
      original,
      payload_matches: true,
    });
    const other = await post(distributor, batchOf(distributor, []), headers);
    expect(await other.json()).toMatchObject({ original, payload_matches: false });
  });

  it("by 50 posts at once is taken in exactly once", async () => {
    const distributor = await newDistributor();
    const headers = { "X-Batch-ID": newUuid() };
    const body = batchOf(distributor, [invoice({ retailer_gst: gstinOf(41), retailer_phone: "9000000041" })]);
    const responses = await Promise.all(Array.from({ length: 50 }, () => post(distributor, body, headers)));
    const statuses = responses.map((response) => response.status).sort();
    expect(statuses).toEqual([202, ...Array<number>(49).fill(409)]);
    const accepted = responses.find((response) => response.status === 202);
    const original = await accepted?.json<BatchAnswer>();
    const refused = responses.filter((response) => response.status === 409);
    for (const response of refused) expect(await response.json()).toMatchObject({ original });
  });

  it("after its answer was lost and the ledger restarted gets that answer", async () => {
    const distributor = await newDistributor();
    const headers = { "X-Batch-ID": newUuid() };
    const body = batchOf(distributor, [invoice()]);
    const lost = await (await post(distributor, body, headers)).json();
    await evictDurableObject(ledgerOf(distributor.distributor_id));
    expect(await (await post(distributor, body, headers)).json()).toMatchObject({ original: lost });
  });

  it("is another batch if another distributor sends it", async () => {
    const headers = { "X-Batch-ID": newUuid() };
    for (const distributor of [await newDistributor(), await newDistributor()]) {
      expect((await post(distributor, batchOf(distributor, [invoice()]), headers)).status).toBe(202);
    }
  });
});

describe("GET /v1/ingest/batch/{batch_id}/status", () => {
  it("finds a batch by its own id and by the X-Batch-ID in any letter case", async () => {
    const distributor = await newDistributor();
    const external = newUuid();
    const body = batchOf(distributor, [invoice()], [payment()]);
    const { batch_id } = await (
      await post(distributor, body, { "X-Batch-ID": external })
    ).json<BatchAnswer>();
    for (const id of [batch_id, external, external.toUpperCase()]) {
      const response = await getStatus(distributor, id);
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({
        batch_id,
        written: 2,
        quarantined: 0,
        duplicates: 0,
        completeness_score: 100,
        completeness: { invoice: 100, payment: 100, temporal: 100, identity: 100, schema: 100 },
        pipeline_triggered: true,
        quarantine: [],
        flags: [],
      });
    }
  });

  it("becomes complete when the pipeline has scored the batch's retailers", async () => {
    const distributor = await newDistributor();
    const { answer } = await ingest(distributor, [invoice({ retailer_gst: gstinOf(51) })]);
    const ledger = ledgerOf(distributor.distributor_id);
    await ledger.markScored(answer.batch_id, [await retailerOf(gstinOf(51))]);
    expect(await (await getStatus(distributor, answer.batch_id)).json()).toMatchObject({
      status: "complete",
    });
  });
});
