import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { newId } from "../../src/lib/seams.ts";
import type { CorrectionAnswer, RightsSummary } from "../../src/rights/schemas.ts";
import { newPhoneHash, withoutD1 } from "../consent/support.ts";
import {
  answered,
  auditsOf,
  call,
  DAY_MS,
  eventsOf,
  keepEvents,
  newRetailer,
  quiet,
  refused,
  textsTo,
  withFailingBatch,
  workers,
} from "../grievance/support.ts";
import { seedService, type TestService } from "../support/auth.ts";

beforeAll(keepEvents);

let service: TestService;
let worker: TestService;
beforeAll(async () => {
  service = await seedService("rights:read rights:write");
  worker = await workers();
});
afterEach(() => {
  vi.useRealTimers();
});

const CORRECTION = { field: "payment", right_value: "Bill 17 was paid" };
const NOMINEE = { name: "Sunita", relation: "spouse", phone_hash: newPhoneHash() };
const DECISION = { decision: "done", note: "done" };
const ROUTES = [
  ["GET", "summary", undefined],
  ["GET", "accesses", undefined],
  ["GET", "corrections", undefined],
  ["POST", "corrections", CORRECTION],
  ["POST", "corrections/cor_0123456789abcdef/decide", DECISION],
  ["GET", "requests", undefined],
  ["POST", "requests", { kind: "export" }],
  ["GET", "nominee", undefined],
  ["PUT", "nominee", NOMINEE],
] as const;

const callerOf = (rest: string) => (rest.endsWith("decide") ? worker : service);
const ask = (method: string, retailer_id: string, rest: string, body?: unknown, bindings = quiet) =>
  call(callerOf(rest), method, `/v1/rights/${retailer_id}/${rest}`, body, { bindings });

async function corrected(retailer_id: string): Promise<string> {
  const [, body] = await answered<CorrectionAnswer>(ask("POST", retailer_id, "corrections", CORRECTION));
  return body.correction_id;
}

describe.each(ROUTES)("%s %s", (method, rest, body) => {
  it("refuses a malformed retailer, one that nobody knows, and to answer without D1", async () => {
    expect(await refused(ask(method, "ret_1", rest, body))).toEqual([400, "INVALID_RETAILER_ID"]);
    expect(await refused(ask(method, newId("ret"), rest, body))).toEqual([404, "RETAILER_NOT_FOUND"]);
    const retailer_id = await newRetailer();
    expect(await refused(ask(method, retailer_id, rest, body, withoutD1()))).toEqual([
      503,
      "SERVICE_UNAVAILABLE",
    ]);
  });
});

describe("a body that is not valid", () => {
  it.each([
    ["POST", "corrections", { ...CORRECTION, field: "mood" }],
    ["POST", "corrections", { field: "payment" }],
    ["POST", "corrections", { ...CORRECTION, right_value: "" }],
    ["POST", "corrections", { ...CORRECTION, status: "done" }],
    ["POST", "corrections/cor_0123456789abcdef/decide", { decision: "done" }],
    ["POST", "corrections/cor_0123456789abcdef/decide", { decision: "maybe", note: "?" }],
    ["POST", "requests", { kind: "correction" }],
    ["PUT", "nominee", { ...NOMINEE, name: " " }],
    ["PUT", "nominee", { ...NOMINEE, relation: "friend" }],
    ["PUT", "nominee", { ...NOMINEE, phone_hash: "9810000000" }],
  ])("%s %s %o is refused", async (method, rest, body) => {
    expect(await refused(ask(method, await newRetailer(), rest, body))).toEqual([400, "INVALID_REQUEST"]);
  });
});

describe("the access list", () => {
  it("refuses a cursor that no page gave", async () => {
    const response = ask("GET", await newRetailer(), "accesses?cursor=x");
    expect(await refused(response)).toEqual([400, "INVALID_REQUEST"]);
  });
});

describe("a nominee", () => {
  it("that nobody named is not found", async () => {
    expect(await refused(ask("GET", await newRetailer(), "nominee"))).toEqual([404, "NOT_FOUND"]);
  });
});

describe("a decision", () => {
  it("on an unknown request, or on another retailer's, is not found", async () => {
    const correction_id = await corrected(await newRetailer());
    for (const id of [newId("cor"), "cor_1", correction_id]) {
      const response = ask("POST", await newRetailer(), `corrections/${id}/decide`, DECISION);
      expect(await refused(response)).toEqual([404, "NOT_FOUND"]);
    }
  });

  it("on a request for erasure is not found: its job decides it", async () => {
    const retailer_id = await newRetailer();
    const [, { request_id }] = await answered(ask("POST", retailer_id, "requests", { kind: "erasure" }));
    const response = ask("POST", retailer_id, `corrections/${request_id}/decide`, DECISION);
    expect(await refused(response)).toEqual([404, "NOT_FOUND"]);
  });

  it("is taken once: a second is refused with the first, ten at once leave one", async () => {
    const retailer_id = await newRetailer();
    const correction_id = await corrected(retailer_id);
    const rest = `corrections/${correction_id}/decide`;
    const all = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        ask("POST", retailer_id, rest, { ...DECISION, decision: i % 2 ? "done" : "refused" }),
      ),
    );
    expect(all.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(409)]);
    const [, { data }] = await answered<{ data: CorrectionAnswer[] }>(ask("GET", retailer_id, "corrections"));
    const again = await ask("POST", retailer_id, rest, DECISION);
    expect(await again.json()).toMatchObject({
      error_code: "STEP_NOT_ALLOWED",
      details: { status: data[0]?.status },
    });
    expect(await auditsOf(correction_id)).toHaveLength(2);
    expect(await textsTo(retailer_id)).toHaveLength(1);
  });

  it("that could not be written is not taken; repeated, with all that follows", async () => {
    const retailer_id = await newRetailer();
    const correction_id = await corrected(retailer_id);
    const rest = `corrections/${correction_id}/decide`;
    expect((await ask("POST", retailer_id, rest, DECISION, withFailingBatch())).status).toBe(503);
    expect(await eventsOf("correction.made", correction_id)).toEqual([]);
    expect(await textsTo(retailer_id)).toEqual([]);
    expect((await ask("POST", retailer_id, rest, DECISION)).status).toBe(200);
    expect(await eventsOf("correction.made", correction_id)).toHaveLength(1);
    expect(await textsTo(retailer_id)).toHaveLength(1);
  });

  it("after 30 days is late, and stays so", async () => {
    const retailer_id = await newRetailer();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const correction_id = await corrected(retailer_id);
    const seen = async () => {
      const [, { data }] = await answered<{ data: CorrectionAnswer[] }>(
        ask("GET", retailer_id, "corrections"),
      );
      return data[0];
    };
    vi.setSystemTime(Date.parse((await seen())?.due_by ?? "") - 1);
    expect(await seen()).toMatchObject({ overdue: false, seconds_left: 1 });
    vi.setSystemTime(Date.now() + 1);
    expect(await seen()).toMatchObject({ status: "open", overdue: true, seconds_left: 0 });
    await ask("POST", retailer_id, `corrections/${correction_id}/decide`, DECISION);
    vi.setSystemTime(Date.now() + DAY_MS);
    expect(await seen()).toMatchObject({ status: "done", overdue: true });
  });
});

describe("a request that cannot be stored", () => {
  it("is 503 and nothing is held", async () => {
    const retailer_id = await newRetailer();
    for (const [method, rest, body] of [
      ["POST", "corrections", CORRECTION],
      ["POST", "requests", { kind: "export" }],
      ["PUT", "nominee", NOMINEE],
    ] as const) {
      expect((await ask(method, retailer_id, rest, body, withFailingBatch())).status).toBe(503);
    }
    const [, { categories }] = await answered<RightsSummary>(ask("GET", retailer_id, "summary"));
    expect(categories.filter(({ count }) => count > 0)).toEqual([]);
  });
});
