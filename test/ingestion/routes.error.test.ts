import { env } from "cloudflare:workers";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { Env } from "../../src/env.ts";
import { newUuid } from "../../src/lib/seams.ts";
import { day, ledgerOf, statementOf } from "../support/ledger.ts";
import { batchOf, getStatus, gstinOf, ingest, invoice, newDistributor, payment, post } from "./support.ts";

async function refusal(response: Response) {
  const problem = await response.json<{ error_code: string; errors?: { path: string }[] }>();
  expect(response.headers.get("content-type")).toContain("application/problem+json");
  return {
    status: response.status,
    code: problem.error_code,
    paths: problem.errors?.map(({ path }) => path),
  };
}

describe("a request that is not a batch", () => {
  it("without JSON as its media type is 415", async () => {
    const distributor = await newDistributor();
    const response = await post(distributor, batchOf(distributor, []), { "Content-Type": "text/plain" });
    expect(await refusal(response)).toMatchObject({ status: 415, code: "UNSUPPORTED_MEDIA_TYPE" });
  });

  it("over 2 MiB is 413", async () => {
    const distributor = await newDistributor();
    const response = await post(distributor, " ".repeat(2 * 1024 * 1024 + 1));
    expect(await refusal(response)).toMatchObject({ status: 413, code: "PAYLOAD_TOO_LARGE" });
  });

  it("over 2 MiB without JSON as its media type is 415, unsigned it is 401", async () => {
    const distributor = await newDistributor();
    const big = " ".repeat(2 * 1024 * 1024 + 1);
    const text = await post(distributor, big, { "Content-Type": "text/plain" });
    expect(await refusal(text)).toMatchObject({ status: 415, code: "UNSUPPORTED_MEDIA_TYPE" });
    const unsigned = await post(distributor, big, { "X-Payload-Signature": "" });
    expect(await refusal(unsigned)).toMatchObject({ status: 401, code: "SIGNATURE_INVALID" });
  });

  it.each(["", "{", "[]", "null", "42", '"text"', "[".repeat(100_000)])("%.20s is 400", async (body) => {
    const response = await post(await newDistributor(), body);
    expect(await refusal(response)).toMatchObject({ status: 400, code: "INVALID_REQUEST" });
  });

  it.each([
    ["X-Batch-ID", "not-a-uuid"],
    ["X-Batch-ID", ""],
    ["X-ERP-Type", "excel"],
    ["X-ERP-Type", ""],
    ["X-Batch-Seq", "3/1"],
    ["X-Batch-Seq", "0/3"],
    ["X-Batch-Seq", "one of three"],
  ])("with %s: %s is 400 and names the header", async (header, value) => {
    const distributor = await newDistributor();
    const response = await post(distributor, batchOf(distributor, []), { [header]: value });
    expect(await refusal(response)).toEqual({ status: 400, code: "INVALID_REQUEST", paths: [header] });
  });

  it.each([
    ["distributor_id", { distributor_id: undefined }],
    ["distributor_id", { distributor_id: 7 }],
    ["sync_from", { sync_from: "yesterday" }],
    ["sync_from", { sync_from: "2026-06-01" }],
    ["sync_to", { sync_to: undefined }],
    ["sync_to", { sync_to: "2026-05-31T18:30:00+05:30" }],
    ["sync_to", { sync_to: "2099-01-01" }],
    ["invoices", { invoices: {} }],
    ["payments", { payments: "none" }],
    ["invoices", { invoices: undefined, payments: undefined }],
  ])("with a bad %s (%j) is 400 and names the field", async (path, changes) => {
    const distributor = await newDistributor();
    const response = await post(distributor, batchOf(distributor, [], [], changes));
    expect(await refusal(response)).toEqual({ status: 400, code: "INVALID_REQUEST", paths: [path] });
  });

  it("of another distributor is 403, even if it is too large as well", async () => {
    const [distributor, other] = [await newDistributor(), await newDistributor()];
    const invoices = Array<unknown>(1_001).fill(null);
    const response = await post(distributor, batchOf(other, invoices));
    expect(await refusal(response)).toMatchObject({ status: 403, code: "DISTRIBUTOR_MISMATCH" });
  });

  it("with 1,001 records, invoices and payments together, is 400 BATCH_TOO_LARGE", async () => {
    const distributor = await newDistributor();
    const body = batchOf(distributor, Array<unknown>(501).fill(null), Array<unknown>(500).fill(null));
    expect(await refusal(await post(distributor, body))).toMatchObject({
      status: 400,
      code: "BATCH_TOO_LARGE",
    });
  });
});

describe("the hourly limit", () => {
  it("is 10 accepted batches, then 429 with Retry-After; what is refused does not count", async () => {
    const distributor = await newDistributor();
    for (let i = 0; i < 10; i++) {
      expect((await post(distributor, batchOf(distributor, []))).status).toBe(202);
      expect((await post(distributor, "{}")).status).toBe(400);
    }
    const response = await post(distributor, batchOf(distributor, []));
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(3_500);
    expect(await refusal(response)).toMatchObject({ status: 429, code: "RATE_LIMIT_EXCEEDED" });
  });

  it("is the registry's for a distributor that may send more", async () => {
    const distributor = await newDistributor("tally_prime", { batches_per_hour: 12 });
    const statuses = [];
    for (let i = 0; i < 13; i++) statuses.push((await post(distributor, batchOf(distributor, []))).status);
    expect(statuses).toEqual([...Array<number>(12).fill(202), 429]);
  });

  it("admits exactly 10 of 30 batches sent at once", async () => {
    const distributor = await newDistributor();
    const responses = await Promise.all(
      Array.from({ length: 30 }, () => post(distributor, batchOf(distributor, []))),
    );
    expect(responses.filter((response) => response.status === 202)).toHaveLength(10);
    expect(responses.filter((response) => response.status === 429)).toHaveLength(20);
  });
});

describe("a batch that is refused", () => {
  const named = (number: number, phone: string) => [
    invoice({ invoice_id: newUuid(), retailer_gst: gstinOf(number), retailer_phone: phone }),
  ];
  const counts = () =>
    env.DB.prepare(
      `SELECT (SELECT count(*) FROM retailers) AS retailers, (SELECT count(*) FROM retailer_identifiers) AS names,
         (SELECT count(*) FROM retailers WHERE merged_into IS NOT NULL) AS merged`,
    ).first();

  it("makes and merges no retailers: neither with 409 nor with 429", async () => {
    const distributor = await newDistributor("tally_prime", { batches_per_hour: 1 });
    const headers = { "X-Batch-ID": newUuid() };
    const phone_alone = invoice({ retailer_gst: null, retailer_phone: "9000000071" });
    expect((await post(distributor, batchOf(distributor, [phone_alone]), headers)).status).toBe(202);
    const before = await counts();
    const other = batchOf(distributor, named(71, "9000000071"));
    const again = await post(distributor, other, headers);
    expect(await again.json()).toMatchObject({
      status: 409,
      original: { accepted: 1 },
      payload_matches: false,
    });
    expect(await refusal(await post(distributor, other))).toMatchObject({ status: 429 });
    expect(await counts()).toEqual(before);
  });
});

describe("an unknown batch", () => {
  it.each(["bat_0000000000000000", newUuid(), "nonsense", "%27"])("%s is 404", async (id) => {
    const response = await getStatus(await newDistributor(), id);
    expect(await refusal(response)).toMatchObject({ status: 404, code: "NOT_FOUND" });
  });
});

describe("a store that fails", () => {
  const down = (name: string) =>
    new Proxy({} as object, {
      get() {
        throw new Error(`${name} is down`);
      },
    });

  async function booksOf(distributor_id: string) {
    const { results } = await env.DB.prepare(
      "SELECT retailer_id FROM retailer_distributors WHERE distributor_id = ?",
    )
      .bind(distributor_id)
      .all<{ retailer_id: string }>();
    return statementOf(
      ledgerOf(distributor_id),
      results.map((row) => row.retailer_id),
      day("2026-06-15"),
    );
  }

  it("D1 down is 503 with Retry-After; nothing is written, and the same batch goes through later", async () => {
    const distributor = await newDistributor();
    // One good call, so that the credentials are in the isolate's memory and the failure is the door's own.
    await ingest(distributor, []);
    const headers = { "X-Batch-ID": newUuid() };
    const body = batchOf(distributor, [invoice({ retailer_gst: gstinOf(61) })], [payment()]);
    const response = await post(distributor, body, headers, { ...env, DB: down("D1") } as Env);
    expect(response.headers.get("retry-after")).toBe("30");
    expect(await refusal(response)).toMatchObject({ status: 503, code: "SERVICE_UNAVAILABLE" });
    expect((await getStatus(distributor, headers["X-Batch-ID"])).status).toBe(404);
    expect((await post(distributor, body, headers)).status).toBe(202);
    expect((await booksOf(distributor.distributor_id)).invoices).toHaveLength(1);
  });

  it("D1 failing in the middle of creating retailers leaves no half of one", async () => {
    const distributor = await newDistributor();
    await ingest(distributor, []);
    const gstin = gstinOf(62);
    const DB = new Proxy(env.DB, {
      get(target, name) {
        if (name === "batch") {
          return (statements: D1PreparedStatement[]) =>
            // Reads pass; a batch that writes has a statement too many that fails it.
            statements.length === 3
              ? target.batch(statements)
              : target.batch([
                  ...statements,
                  target.prepare("INSERT INTO retailers (retailer_id) VALUES (NULL)"),
                ]);
        }
        const value = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const count = () => env.DB.prepare("SELECT count(*) AS n FROM retailer_identifiers").first("n");
    const before = await count();
    const body = batchOf(distributor, [invoice({ retailer_gst: gstin, retailer_phone: "9000000062" })]);
    const headers = { "X-Batch-ID": newUuid() };
    expect((await post(distributor, body, headers, { ...env, DB } as Env)).status).toBe(503);
    expect(await count()).toBe(before);
    expect((await post(distributor, body, headers)).status).toBe(202);
  });

  it("the ledger unreachable is 503, for a batch and for its state", async () => {
    const distributor = await newDistributor();
    const bindings = { ...env, DISTRIBUTOR_LEDGER: down("ledger") } as Env;
    for (const response of [
      await post(distributor, batchOf(distributor, [invoice()]), {}, bindings),
      await getStatus(distributor, newUuid(), bindings),
    ]) {
      expect(await refusal(response)).toMatchObject({ status: 503, code: "SERVICE_UNAVAILABLE" });
    }
  });

  it("KV down does not matter to a batch", async () => {
    const distributor = await newDistributor();
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const bindings = { ...env, KV: down("KV") } as Env;
    expect((await post(distributor, batchOf(distributor, [invoice()]), {}, bindings)).status).toBe(202);
    vi.restoreAllMocks();
  });
});

describe("anything malformed", () => {
  const limits = { batches_per_hour: 100_000 };

  it("as records is counted into quarantine, never lost, and never an error", async () => {
    const distributor = await newDistributor("tally_prime", limits);
    const mangled = (record: Record<string, unknown>) =>
      fc
        .tuple(fc.constantFrom(...Object.keys(record)), fc.jsonValue())
        .map(([field, value]) => ({ ...record, [field]: value }));
    const records = (record: Record<string, unknown>) =>
      fc.array(fc.oneof(mangled(record), fc.jsonValue()), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(records(invoice()), records(payment()), async (invoices, payments) => {
        const { answer } = await ingest(distributor, invoices, payments);
        expect(answer.accepted + answer.quarantined + answer.duplicates).toBe(
          invoices.length + payments.length,
        );
      }),
      { numRuns: 40 },
    );
  });

  it("as an envelope is 4xx, never 5xx", async () => {
    const distributor = await newDistributor("tally_prime", limits);
    const field = fc.constantFrom("distributor_id", "sync_from", "sync_to", "invoices", "payments", "extra");
    const body = fc.oneof(
      fc.json(),
      fc.string({ unit: "binary" }),
      fc
        .tuple(field, fc.jsonValue())
        .map(([name, value]) => JSON.stringify(batchOf(distributor, [invoice()], [], { [name]: value }))),
    );
    const header = fc.constantFrom("X-Batch-ID", "X-ERP-Type", "X-Batch-Seq", "Content-Type", "X-Request-ID");
    const headers = fc.option(fc.tuple(header, fc.stringMatching(/^[ -~]{0,40}$/)), { nil: null });
    await fc.assert(
      fc.asyncProperty(body, headers, async (text, extra) => {
        const response = await post(distributor, text, extra ? { [extra[0]]: extra[1] } : {});
        expect(response.status).toBeLessThan(500);
      }),
      { numRuns: 80 },
    );
  });

  it("as a structure too deep to be written is quarantined too", async () => {
    const distributor = await newDistributor();
    const deep = `${"[".repeat(50_000)}${"]".repeat(50_000)}`;
    const text = JSON.stringify(batchOf(distributor, ["DEEP"])).replace('"DEEP"', deep);
    const response = await post(distributor, text);
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({ quarantined: 1 });
  });
});
