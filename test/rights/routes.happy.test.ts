import { runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import { beforeAll, describe, expect, it } from "vitest";
import type { EventEnvelope } from "../../src/events/types.ts";
import {
  accessesAnswer,
  type CorrectionAnswer,
  correctionAnswer,
  type NomineeAnswer,
  type RequestAnswer,
  type RightsSummary,
  requestAnswer,
  summaryAnswer,
} from "../../src/rights/schemas.ts";
import { nominees } from "../../src/rights/tables.ts";
import { absorb, granted, newPhoneHash, type Parties, seedParties } from "../consent/support.ts";
import {
  answered,
  auditsOf,
  call,
  DAY_MS,
  eventsOf,
  filed,
  filers,
  keepEvents,
  newRetailer,
  noticesTo,
  scoredAfter,
  textsTo,
  workers,
} from "../grievance/support.ts";
import { seedLender, seedService, type TestService } from "../support/auth.ts";
import { askScore, ledgerBody, REGULAR, type Scene, seedScene } from "../support/scene.ts";

beforeAll(keepEvents);

let service: TestService;
let worker: TestService;
let parties: Parties;

beforeAll(async () => {
  service = await seedService("rights:read rights:write");
  worker = await workers();
  parties = await seedParties();
});

const path = (retailer_id: string, rest: string) => `/v1/rights/${retailer_id}/${rest}`;
const CORRECTION = { field: "payment", right_value: "Bill 17 was paid on 3 May" };
const NOMINEE = { name: "Sunita Devi", relation: "spouse", phone_hash: newPhoneHash() };

/** Asks for a correction and gives its first state. */
async function asked(retailer_id: string, over: object = {}): Promise<CorrectionAnswer> {
  const [status, body] = await answered<CorrectionAnswer>(
    call(service, "POST", path(retailer_id, "corrections"), { ...CORRECTION, ...over }),
  );
  if (status !== 201) throw new Error(`not recorded: ${status}`);
  return body;
}

describe("GET /v1/rights/{retailer_id}/summary", () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await seedScene();
  });

  it("counts what every store holds, and names distributors, lenders and days", async () => {
    const { retailer_id, lender, distributor } = scene;
    const { grievance_id } = await filed(await filers(), retailer_id);
    await asked(retailer_id);
    await call(service, "PUT", path(retailer_id, "nominee"), NOMINEE);
    const [status, body] = await answered<RightsSummary>(call(service, "GET", path(retailer_id, "summary")));
    expect([status, summaryAnswer.parse(body)]).toEqual([200, body]);
    const sent = ledgerBody(distributor.distributor_id, scene.gstin, REGULAR);
    expect(Object.fromEntries(body.categories.map(({ category, count }) => [category, count]))).toEqual({
      invoices: sent.invoices.length,
      credit_notes: 0,
      payments: sent.payments.length,
      earlier_versions: 0,
      consent_records: 1,
      scores: 1,
      grievances: 1,
      requests: 1,
      nominee: 1,
    });
    expect(body.distributors).toEqual([
      { distributor_id: distributor.distributor_id, name: "Test distributor" },
    ]);
    expect(body.lenders).toMatchObject([{ lender_id: lender.lender_id, name: "Test lender" }]);
    expect(body.scores).toMatchObject([{ scored_at: expect.any(String) }]);
    expect(body.grievances).toMatchObject([{ grievance_id }]);
    expect(body.data_fiduciary.dpo_contact).toMatch(/@/);
  });

  it("says nothing of amounts, score values or identifiers", async () => {
    const response = await call(service, "GET", path(scene.retailer_id, "summary"));
    const text = await response.text();
    expect(text).not.toMatch(/altscore"|amount|band|probability|limit_inr|phone_hash/);
    expect(text).not.toContain(scene.gstin);
  });

  it("counts what was named before a merge, and nobody's rows but the retailer's own", async () => {
    const alias = (await granted(parties)).retailer_id;
    await asked(alias);
    const retailer_id = await absorb(alias);
    await newRetailer();
    const [, body] = await answered<RightsSummary>(call(service, "GET", path(alias, "summary")));
    expect(body.retailer_id).toBe(retailer_id);
    const held = body.categories.filter(({ count }) => count > 0).map(({ category }) => category);
    expect(held).toEqual(["consent_records", "requests"]);
    expect(body.lenders).toHaveLength(1);
  });
});

describe("GET /v1/rights/{retailer_id}/accesses", () => {
  it("lists who saw what and when, refusals too, newest first", async () => {
    const { retailer_id, lender } = await seedScene();
    const stranger = await seedLender();
    const purpose = "term_loan";
    expect((await askScore(lender, { retailer_id, purpose })).status).toBe(200);
    expect((await askScore(stranger, { retailer_id, purpose })).status).toBe(403);
    for (const { lender_id } of [lender, stranger]) {
      await runDurableObjectAlarm(env.LENDER_GATE.get(env.LENDER_GATE.idFromName(lender_id)));
    }
    const [status, body] = await answered(call(service, "GET", path(retailer_id, "accesses")));
    const { data, next_cursor } = accessesAnswer.parse(body);
    expect([status, next_cursor]).toEqual([200, null]);
    expect(data.map(({ lender_id, outcome }) => [lender_id, outcome])).toEqual([
      [stranger.lender_id, "CONSENT_NOT_GRANTED"],
      [lender.lender_id, "OK"],
    ]);
    expect(data[1]).toMatchObject({ route: "score", purpose, lender_name: "Test lender" });
  });
});

describe("corrections", () => {
  it("are recorded as open for 30 days and listed, words opened again", async () => {
    const retailer_id = await newRetailer();
    const first = await asked(retailer_id);
    expect(correctionAnswer.parse(first)).toEqual(first);
    expect(first).toMatchObject({ ...CORRECTION, status: "open", overdue: false, decided_at: null });
    expect(Date.parse(first.due_by) - Date.parse(first.opened_at)).toBe(30 * DAY_MS);
    const second = await asked(retailer_id, { field: "other" });
    const [, { data }] = await answered<{ data: CorrectionAnswer[] }>(
      call(service, "GET", path(retailer_id, "corrections")),
    );
    expect(data.map(({ correction_id }) => correction_id).sort()).toEqual(
      [first.correction_id, second.correction_id].sort(),
    );
    expect(await auditsOf(first.correction_id)).toEqual(["rights.correction_requested recorded"]);
  });

  it("that are done have the retailer scored again, and tell the retailer and its lenders", async () => {
    const { retailer_id } = await granted(parties);
    const { correction_id } = await asked(retailer_id);
    const [status, body] = await answered<CorrectionAnswer>(
      call(worker, "POST", path(retailer_id, `corrections/${correction_id}/decide`), {
        decision: "done",
        note: "The distributor has recorded it",
      }),
    );
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: "done", seconds_left: 0, note: "The distributor has recorded it" });
    const [event] = await eventsOf("correction.made", correction_id);
    expect(await scoredAfter(event as EventEnvelope)).toEqual([retailer_id]);
    expect(event?.data).toEqual({ retailer_id, about: correction_id });
    expect(await noticesTo(parties.lenders[0].lender_id)).toEqual([{ outcome: "corrected" }]);
    expect((await textsTo(retailer_id)).map(({ kind }) => kind)).toEqual(["data.corrected"]);
    expect(await auditsOf(correction_id)).toContain("rights.correction_decided done");
  });

  it("that are refused tell the retailer alone, where to go on", async () => {
    const { retailer_id } = await granted(parties, { lender_scope: [parties.lenders[1].lender_id] });
    const { correction_id } = await asked(retailer_id);
    const body = { decision: "refused", note: "It stands as it is" };
    await call(worker, "POST", path(retailer_id, `corrections/${correction_id}/decide`), body);
    const [text] = await textsTo(retailer_id);
    expect(text).toMatchObject({ kind: "correction.refused", text: expect.stringContaining("HELP") });
    // The note is for the record: it may name amounts.
    expect(text?.text).not.toContain(body.note);
    expect(await eventsOf("correction.made", correction_id)).toEqual([]);
    expect(await noticesTo(parties.lenders[1].lender_id)).toEqual([]);
  });
});

describe("requests for erasure and export", () => {
  it.each(["erasure", "export"])("%s is recorded as open, with its clock", async (kind) => {
    const retailer_id = await newRetailer();
    const [status, body] = await answered<RequestAnswer>(
      call(service, "POST", path(retailer_id, "requests"), { kind }),
    );
    expect([status, requestAnswer.parse(body)]).toEqual([201, body]);
    expect(body).toMatchObject({ kind, status: "open", overdue: false });
    const [, { data }] = await answered<{ data: unknown[] }>(
      call(service, "GET", path(retailer_id, "requests")),
    );
    expect(data).toMatchObject([{ request_id: body.request_id }]);
    expect(await auditsOf(body.request_id)).toEqual([`rights.${kind}_requested recorded`]);
  });
});

describe("the nominee", () => {
  it("is set, shown masked, and replaced without a trace of the one before", async () => {
    const alias = await newRetailer();
    const [status, set] = await answered<NomineeAnswer>(
      call(service, "PUT", path(alias, "nominee"), NOMINEE),
    );
    expect([status, set]).toMatchObject([200, { name: "S••• D•••", relation: "spouse" }]);
    const retailer_id = await absorb(alias);
    expect((await answered(call(service, "GET", path(retailer_id, "nominee"))))[1]).toEqual(set);

    const other = { name: "राम", relation: "child", phone_hash: newPhoneHash() };
    await call(service, "PUT", path(retailer_id, "nominee"), other);
    const [, shown] = await answered<NomineeAnswer>(call(service, "GET", path(alias, "nominee")));
    expect(shown).toMatchObject({ name: "रा•••", relation: "child" });
    const rows = await drizzle(env.DB).select().from(nominees);
    expect(rows.filter((row) => [alias, retailer_id].includes(row.retailer_id))).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toMatch(/Sunita|राम/);
    expect(await auditsOf(retailer_id)).toEqual(["rights.nominee_set recorded"]);
  });
});
