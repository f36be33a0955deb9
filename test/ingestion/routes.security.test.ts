import { listDurableObjectIds, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { newUuid } from "../../src/lib/seams.ts";
import { keyedHash } from "../../src/retailers/blind-index.ts";
import { mtls, payloadSignature, signedIngest } from "../support/auth.ts";
import { ledgerOf } from "../support/ledger.ts";
import {
  batchOf,
  call,
  getStatus,
  gstinOf,
  ingest,
  invoice,
  newDistributor,
  payment,
  post,
} from "./support.ts";

const PATH = "/v1/ingest/batch";

async function codeOf(response: Response) {
  return [response.status, (await response.json<{ error_code: string }>()).error_code];
}

describe("the three factors", () => {
  it("come first, in the order certificate, key, signature, and before anything about the body", async () => {
    const distributor = await newDistributor();
    const init = await signedIngest(distributor, "not even JSON", { "Content-Type": "text/plain" });
    const headers = { ...(init.headers as Record<string, string>) };
    const unsigned = { ...headers, "X-Payload-Signature": "0".repeat(64) };
    const keyless = { ...unsigned, "X-API-Key": "0".repeat(64) };
    const { cf, ...plain } = init;
    expect(await codeOf(await call(PATH, { ...plain, headers: keyless }))).toEqual([
      401,
      "CERTIFICATE_INVALID",
    ]);
    expect(await codeOf(await call(PATH, { ...init, headers: keyless }))).toEqual([401, "API_KEY_INVALID"]);
    expect(await codeOf(await call(PATH, { ...init, headers: unsigned }))).toEqual([
      401,
      "SIGNATURE_INVALID",
    ]);
    expect(await codeOf(await call(PATH, init))).toEqual([415, "UNSUPPORTED_MEDIA_TYPE"]);
  });

  it("must belong to one distributor", async () => {
    const [mine, theirs] = [await newDistributor(), await newDistributor()];
    const body = batchOf(mine, [invoice()]);
    const foreign_key = await post(mine, body, { "X-API-Key": theirs.api_key });
    expect(await codeOf(foreign_key)).toEqual([401, "API_KEY_INVALID"]);
    const foreign_signature = await post(mine, body, {
      "X-Payload-Signature": await payloadSignature(theirs.signing_secret, JSON.stringify(body)),
    });
    expect(await codeOf(foreign_signature)).toEqual([401, "SIGNATURE_INVALID"]);
  });

  it("cover the exact bytes of the body", async () => {
    const distributor = await newDistributor();
    const init = await signedIngest(distributor, batchOf(distributor, [invoice()]));
    const response = await call(PATH, { ...init, body: `${init.body} ` });
    expect(await codeOf(response)).toEqual([401, "SIGNATURE_INVALID"]);
  });

  it("let X-Client-ID name nobody else", async () => {
    const [mine, theirs] = [await newDistributor(), await newDistributor()];
    const response = await post(mine, "not JSON", { "X-Client-ID": theirs.distributor_id });
    expect(await codeOf(response)).toEqual([403, "DISTRIBUTOR_MISMATCH"]);
  });

  it("guard the state of a batch as well, without a signature", async () => {
    const distributor = await newDistributor();
    const { answer } = await ingest(distributor, [invoice()]);
    const path = `${PATH}/${answer.batch_id}/status`;
    const { headers, cf } = mtls(distributor);
    expect(await codeOf(await call(path, { headers }))).toEqual([401, "CERTIFICATE_INVALID"]);
    expect(await codeOf(await call(path, { cf }))).toEqual([401, "API_KEY_INVALID"]);
    expect((await call(path, { headers, cf })).status).toBe(200);
  });
});

describe("a distributor", () => {
  it("cannot see another's batch, by either id: it looks like none", async () => {
    const [mine, theirs] = [await newDistributor(), await newDistributor()];
    const external = newUuid();
    const body = batchOf(theirs, [invoice()]);
    const { batch_id } = await (await post(theirs, body, { "X-Batch-ID": external })).json<{
      batch_id: string;
    }>();
    const unknown = await (await getStatus(mine, "bat_0000000000000000")).json<{ request_id: string }>();
    for (const id of [batch_id, external]) {
      const answer = await (await getStatus(mine, id)).json<{ request_id: string }>();
      expect({ ...answer, request_id: "" }).toEqual({ ...unknown, request_id: "" });
    }
  });

  it("cannot correct another's records by using the same ids", async () => {
    const [mine, theirs] = [await newDistributor(), await newDistributor()];
    await ingest(theirs, [invoice({ amount_inr: 100 })]);
    const { answer } = await ingest(mine, [invoice({ amount_inr: 999 })]);
    expect(answer).toMatchObject({ accepted: 1, duplicates: 0 });
    const amounts = await runInDurableObject(ledgerOf(theirs.distributor_id), (_, state) =>
      state.storage.sql.exec("SELECT amount_paise FROM invoices").toArray(),
    );
    expect(amounts).toEqual([{ amount_paise: 10_000 }]);
  });
});

describe("identifiers and names", () => {
  const GSTIN = gstinOf(77);
  const PHONE = "9876501234";
  const NAME = "Lakshmi General Stores";
  const BAD_GSTIN = "27AAPFU0939F1ZW";
  const BAD_PHONE = "98765012";

  it("are neither stored nor logged anywhere, good or bad", async () => {
    const written: string[] = [];
    for (const level of ["log", "warn", "error"] as const) {
      vi.spyOn(console, level).mockImplementation((...parts) => void written.push(parts.join(" ")));
    }
    const distributor = await newDistributor();
    await ingest(
      distributor,
      [
        invoice({ retailer_gst: GSTIN, retailer_phone: PHONE, retailer_name: NAME }),
        invoice({ invoice_id: "INV-2", retailer_gst: BAD_GSTIN, retailer_name: NAME }),
        invoice({ invoice_id: "INV-3", retailer_gst: null, retailer_phone: BAD_PHONE }),
        invoice({ invoice_id: "INV-4", invoice_date: PHONE }),
        invoice({ invoice_id: "INV-5", due_date: PHONE }),
        { retailer_gst: GSTIN, retailer_name: NAME },
      ],
      [payment({ paid_date: GSTIN })],
    );
    vi.restoreAllMocks();

    const d1 = await env.DB.prepare(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'",
    ).all<{ name: string }>();
    for (const { name } of d1.results) {
      written.push(JSON.stringify((await env.DB.prepare(`SELECT * FROM "${name}"`).all()).results));
    }
    const dumps = await runInDurableObject(ledgerOf(distributor.distributor_id), (_, state) => {
      const { sql } = state.storage;
      const tables = sql
        .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")
        .toArray();
      return tables
        .filter(({ name }) => !name.startsWith("_cf"))
        .map(({ name }) => JSON.stringify(sql.exec(`SELECT * FROM ${name}`).toArray()));
    });
    written.push(...dumps, JSON.stringify(await env.KV.list()));
    for (const id of await listDurableObjectIds(env.DISTRIBUTOR_LEDGER)) written.push(String(id.name));

    const everything = written.join("\n");
    expect(everything).toContain("INV-3");
    for (const secret of [GSTIN, PHONE, NAME, BAD_GSTIN, BAD_PHONE]) expect(everything).not.toContain(secret);
  });

  it("that are bad are kept as a hash under a key of their own", async () => {
    const distributor = await newDistributor();
    await ingest(distributor, [invoice({ retailer_gst: BAD_GSTIN })]);
    const [row] = await runInDurableObject(ledgerOf(distributor.distributor_id), (_, state) =>
      state.storage.sql.exec("SELECT value_hash FROM quarantine").toArray(),
    );
    expect(row).toEqual({ value_hash: keyedHash(env.QUARANTINE_KEY, BAD_GSTIN) });
  });
});
