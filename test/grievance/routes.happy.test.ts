import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import type { EventEnvelope } from "../../src/events/types.ts";
import {
  explanationAnswer,
  type FiledAnswer,
  filedAnswer,
  grievanceAnswer,
} from "../../src/grievance/schemas.ts";
import { scoreDates } from "../../src/score/store.ts";
import { reasonTexts } from "../../src/scoring/reason-table.ts";
import { granted, type Parties, seedParties } from "../consent/support.ts";
import type { TestService } from "../support/auth.ts";
import { type Scene, seedScene } from "../support/scene.ts";
import {
  answered,
  auditsOf,
  call,
  complaint,
  DAY_MS,
  eventsOf,
  filed,
  filers,
  keepEvents,
  newRetailer,
  noticesTo,
  scoredAfter,
  seen,
  take,
  textsTo,
  workers,
} from "./support.ts";

beforeAll(keepEvents);

let parties: Parties;
let filer: TestService;
let worker: TestService;

beforeAll(async () => {
  parties = await seedParties();
  [filer, worker] = [await filers(), await workers()];
});

describe("POST /v1/grievances", () => {
  it("files for a service, with its clocks, its event and its audit entry", async () => {
    const retailer_id = await newRetailer();
    const contact_phone_hash = "AB".repeat(32);
    const [status, body] = await answered<FiledAnswer>(
      call(filer, "POST", "/v1/grievances", complaint(retailer_id, { contact_phone_hash })),
    );
    expect(status).toBe(201);
    expect(filedAnswer.parse(body)).toEqual(body);
    expect(Date.parse(body.ack_by) - Date.parse(body.filed_at)).toBe(DAY_MS);
    expect(Date.parse(body.resolution_sla) - Date.parse(body.filed_at)).toBe(7 * DAY_MS);
    const { grievance_id } = body;
    const [event] = await eventsOf("grievance.filed", grievance_id);
    expect(event).toMatchObject({ subject: grievance_id, data: { grievance_id, retailer_id } });
    expect(await auditsOf(grievance_id)).toEqual(["grievance.filed recorded"]);
    const { work } = await seen(worker, grievance_id);
    expect(work).toMatchObject({ retailer_id, contact_phone_hash: contact_phone_hash.toLowerCase() });
  });

  it("files for a lender with an active consent, about a score or not", async () => {
    const { retailer_id } = await granted(parties);
    const lender = parties.lenders[0];
    const { grievance_id } = await filed(lender, retailer_id);
    const grievance = await seen(lender, grievance_id);
    expect(grievance).toMatchObject({ status: "open", score_id: null, resolution: null, outcome: null });
    expect(grievance).not.toHaveProperty("work");
  });

  it("takes descriptions of up to 2,000 characters of any script", async () => {
    const description = "😀".repeat(1_000) + "क".repeat(1_000);
    const { grievance_id } = await filed(filer, await newRetailer(), { description });
    expect((await seen(worker, grievance_id)).work?.steps[0]?.text).toBe(description);
  });
});

describe("the steps", () => {
  it("lead from open to resolved, each told in the audit, the filer's view and the chat", async () => {
    const retailer_id = await newRetailer();
    const { grievance_id } = await filed(filer, retailer_id);
    const stages = [];
    for (const step of ["acknowledge", "review", "resolve"]) {
      const [status, body] = await answered(take(worker, grievance_id, step));
      expect([status, grievanceAnswer.parse(body)]).toEqual([200, body]);
      stages.push(body.status);
    }
    expect(stages).toEqual(["acknowledged", "in_review", "resolved"]);
    expect(await seen(filer, grievance_id)).toMatchObject({
      status: "resolved",
      outcome: "explained",
      resolution: "note of resolve",
      resolved_at: expect.any(String),
      escalated_at: null,
      sla: { ack_breached: false, resolution_breached: false, seconds_left: 0 },
    });
    expect(await auditsOf(grievance_id)).toEqual([
      "grievance.filed recorded",
      "grievance.acknowledged recorded",
      "grievance.in_review recorded",
      "grievance.resolved explained",
    ]);
    expect((await textsTo(retailer_id)).map(({ kind }) => kind)).toEqual([
      "grievance.acknowledged",
      "grievance.resolved",
    ]);
    const { work } = await seen(worker, grievance_id);
    expect(work?.steps.map(({ step, text }) => [step, text])).toEqual([
      ["filed", "मेरा भुगतान दर्ज नहीं है"],
      ["acknowledged", "note of acknowledge"],
      ["in_review", "note of review"],
      ["resolved", "note of resolve"],
    ]);
  });

  it("may end in a rejection", async () => {
    const retailer_id = await newRetailer();
    const { grievance_id } = await filed(filer, retailer_id, {});
    await take(worker, grievance_id, "acknowledge");
    const [status, body] = await answered(take(worker, grievance_id, "reject"));
    expect([status, body.status, body.resolution]).toEqual([200, "rejected", "note of reject"]);
    expect((await textsTo(retailer_id)).map(({ kind }) => kind)).toContain("grievance.rejected");
  });

  it("tell the lender that filed of each, and the retailer of none", async () => {
    const { retailer_id } = await granted(parties);
    const [lender, other] = parties.lenders;
    const { grievance_id } = await filed(lender, retailer_id);
    for (const step of ["acknowledge", "review", "reject"]) await take(worker, grievance_id, step);
    const told = (await noticesTo(lender.lender_id)).filter((data) => data.grievance_id === grievance_id);
    expect(told.map(({ status }) => status)).toEqual(["acknowledged", "in_review", "rejected"]);
    expect(await noticesTo(other.lender_id)).toEqual([]);
    expect(await textsTo(retailer_id)).toEqual([]);
  });

  it("speak the language of the filing", async () => {
    const retailer_id = await newRetailer();
    const headers = { "Accept-Language": "hi" };
    const [, { grievance_id }] = await answered<FiledAnswer>(
      call(filer, "POST", "/v1/grievances", complaint(retailer_id), { headers }),
    );
    await take(worker, grievance_id, "acknowledge");
    const [message] = await textsTo(retailer_id);
    expect(message).toMatchObject({ language: "hi", text: expect.stringContaining("शिकायत") });
    expect(message?.text).toContain(grievance_id);
  });
});

describe("a correction", () => {
  it("has the retailer scored again and tells the retailer and every lender with a consent", async () => {
    const [a, b, c] = parties.lenders;
    const { retailer_id } = await granted(parties, { lender_scope: [a.lender_id, b.lender_id] });
    const { grievance_id } = await filed(a, retailer_id);
    await take(worker, grievance_id, "acknowledge");
    await take(worker, grievance_id, "resolve", { outcome: "corrected" });

    const [event, ...more] = await eventsOf("correction.made", grievance_id);
    expect([event?.data, more]).toEqual([{ retailer_id, about: grievance_id }, []]);
    expect(await scoredAfter(event as EventEnvelope)).toEqual([retailer_id]);

    expect((await noticesTo(a.lender_id)).at(-1)).toMatchObject({ grievance_id, outcome: "corrected" });
    // Another lender learns that the data changed, not that somebody complained.
    expect((await noticesTo(b.lender_id)).at(-1)).toEqual({ outcome: "corrected" });
    expect(await noticesTo(c.lender_id)).toEqual([]);
    expect((await textsTo(retailer_id)).map(({ kind }) => kind)).toEqual(["data.corrected"]);
  });
});

describe("a correction that the retailer's side asked for", () => {
  it("is told to the retailer in one text, beside the acknowledgement", async () => {
    const retailer_id = await newRetailer();
    const { grievance_id } = await filed(filer, retailer_id);
    await take(worker, grievance_id, "acknowledge");
    await take(worker, grievance_id, "resolve", { outcome: "corrected" });
    expect((await textsTo(retailer_id)).map(({ kind }) => kind)).toEqual([
      "grievance.acknowledged",
      "data.corrected",
    ]);
    expect((await seen(filer, grievance_id)).outcome).toBe("corrected");
  });
});

describe("GET /v1/grievances/{id}/explanation", () => {
  let scene: Scene;
  let score_id: string;

  beforeAll(async () => {
    scene = await seedScene();
    score_id = (await scoreDates(env, [scene.retailer_id], 1)).newest[0]?.score_id as string;
  });

  it("gives a lender the reasons of the score in sentences of both languages, counted by its gate", async () => {
    const { grievance_id } = await filed(scene.lender, scene.retailer_id, { score_id });
    const response = await call(scene.lender, "GET", `/v1/grievances/${grievance_id}/explanation`);
    expect(response.status).toBe(200);
    expect(response.headers.get("X-RateLimit-Limit")).toBe("100");
    const body = explanationAnswer.parse(await response.json());
    expect(body).toMatchObject({ grievance_id, score_id });
    expect(body.reasons.filter(({ direction }) => direction === "positive").length).toBeGreaterThanOrEqual(3);
    for (const { code, ...told } of body.reasons) {
      const texts = reasonTexts(code);
      expect(told).toMatchObject({ sentence_en: texts.explain_en, sentence_hi: texts.explain_hi });
    }
    const gate = env.LENDER_GATE.get(env.LENDER_GATE.idFromName(scene.lender.lender_id));
    const rows = (await gate.accessLog(1)).map((link) => JSON.parse(link.canonical));
    expect(rows.at(-1)).toMatchObject({ route: "explanation", outcome: "OK", score_id });
  });

  it("gives the retailer's side at most 4 principal negatives, of the latest score if none is named", async () => {
    const { grievance_id } = await filed(filer, scene.retailer_id);
    const [status, body] = await answered(call(filer, "GET", `/v1/grievances/${grievance_id}/explanation`));
    const { reasons, ...about } = explanationAnswer.parse(body);
    expect([status, about]).toEqual([200, { grievance_id, score_id }]);
    const negatives = reasons.filter(({ direction }) => direction === "negative");
    expect(negatives.length).toBeGreaterThanOrEqual(2);
    expect(negatives.length).toBeLessThanOrEqual(4);
    expect(JSON.stringify(body)).not.toMatch(/shap|altscore"|probability|contribution/i);
  });
});
