import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { newId, newUuid, randomHex } from "../../src/lib/seams.ts";
import { setLenderLimits } from "../../src/parties/provisioning.ts";
import { scoreRetailers } from "../../src/pipeline/score-retailer.ts";
import type { ScoreAnswer } from "../../src/score/schemas.ts";
import { madeUpGstin } from "../../src/synthetic/gstin.ts";
import { bearerHeaders, seedDistributor, seedLender } from "../support/auth.ts";
import {
  askAs,
  askScore,
  codeOf,
  grant,
  ingest,
  ledgerBody,
  REGULAR,
  retailerOf,
  type Scene,
  seedScene,
} from "../support/scene.ts";
import { worker } from "../support/worker.ts";

let scene: Scene;
let request: { retailer_id: string; purpose: string };

beforeAll(async () => {
  scene = await seedScene();
  request = { retailer_id: scene.retailer_id, purpose: "working_capital_loan" };
});

describe("POST /v1/score refuses", () => {
  it.each([
    [{}, "INVALID_RETAILER_ID"],
    [{ retailer_id: "ret_XYZ", purpose: "term_loan" }, "INVALID_RETAILER_ID"],
    [{ retailer_id: 7, purpose: "term_loan" }, "INVALID_RETAILER_ID"],
    [{ retailer_id: "ret_0123456789abcdef" }, "INVALID_REQUEST"],
    [{ retailer_id: "ret_0123456789abcdef", purpose: "holiday" }, "INVALID_REQUEST"],
    [
      { retailer_id: "ret_0123456789abcdef", purpose: "term_loan", requested_limit_inr: 0 },
      "INVALID_REQUEST",
    ],
    [
      { retailer_id: "ret_0123456789abcdef", purpose: "term_loan", requested_limit_inr: 1.5 },
      "INVALID_REQUEST",
    ],
    [{ retailer_id: "ret_0123456789abcdef", purpose: "term_loan", extra: 1 }, "INVALID_REQUEST"],
    ["{not json", "INVALID_REQUEST"],
  ])("the body %j with 400 %s, and counts it", async (body, code) => {
    const before = Number((await askScore(scene.lender, request)).headers.get("x-ratelimit-remaining"));
    const response = await askScore(scene.lender, body);
    expect(response.status).toBe(400);
    expect(response.headers.get("x-ratelimit-remaining")).toBe(String(before - 1));
    expect(await codeOf(response)).toBe(code);
  });

  it("a body that is not JSON with 415 and one above 2 MiB with 413", async () => {
    expect(await codeOf(await askScore(scene.lender, "x", { "Content-Type": "text/plain" }))).toBe(
      "UNSUPPORTED_MEDIA_TYPE",
    );
    expect(await codeOf(await askScore(scene.lender, `"${"x".repeat(2 ** 21)}"`))).toBe("PAYLOAD_TOO_LARGE");
  });

  it("a malformed X-Request-ID and a missing X-Client-ID with 400", async () => {
    expect(await codeOf(await askScore(scene.lender, request, { "X-Request-ID": "7" }))).toBe(
      "INVALID_REQUEST",
    );
    const { "X-Client-ID": _client, ...headers } = await bearerHeaders(scene.lender);
    const init = { method: "POST", headers, body: JSON.stringify(request) };
    expect(await codeOf(await worker.fetch("https://api.altscore.in/v1/score", init))).toBe(
      "INVALID_REQUEST",
    );
  });

  it("a purpose the consent does not name with SCOPE_MISMATCH", async () => {
    const response = await askScore(scene.lender, { ...request, purpose: "credit_line" });
    expect(response.status).toBe(403);
    expect(await codeOf(response)).toBe("SCOPE_MISMATCH");
  });

  it("a consented retailer without data with 404", async () => {
    const { distributor_id } = scene.distributor;
    const lender_scope = [scene.lender.lender_id];
    const retailer_phone_hash = randomHex(32);
    const { retailer_id } = await grant(scene.service, { retailer_phone_hash, distributor_id, lender_scope });
    const response = await askScore(scene.lender, { retailer_id, purpose: "term_loan" });
    expect(response.status).toBe(404);
    expect(await codeOf(response)).toBe("RETAILER_NOT_SCORED");
  });

  it("a consented retailer whose records are far from complete with 422 and the breakdown", async () => {
    const gstin = madeUpGstin(newUuid());
    const csv = await seedDistributor("csv");
    const body = ledgerBody(csv.distributor_id, gstin, { ...REGULAR, invoices_per_month: 1 });
    const unpaid = {
      ...body,
      payments: [],
      invoices: body.invoices.map((row) => ({ ...row, due_date: null })),
    };
    await ingest(csv, unpaid);
    const retailer_id = await retailerOf(gstin);
    const lender_scope = [scene.lender.lender_id];
    await grant(scene.service, { retailer_id, distributor_id: csv.distributor_id, lender_scope });
    await scoreRetailers(env, [retailer_id]);
    const response = await askScore(scene.lender, { retailer_id, purpose: "term_loan" });
    expect(response.status).toBe(422);
    const problem = (await response.json()) as {
      error_code: string;
      details: { completeness: { score: number } };
    };
    expect(problem.error_code).toBe("DATA_INSUFFICIENT");
    expect(problem.details.completeness).toMatchObject({ payment: 0, identity: 100 });
    expect(problem.details.completeness.score).toBeLessThan(50);
  });

  it("data older than 30 days with 422, having warned from 8 days and halved the limit from 15", async () => {
    const { lender, retailer_id } = await seedScene();
    const ask = () => askScore(lender, { retailer_id, purpose: "term_loan" });
    const today: ScoreAnswer = await (await ask()).json();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    try {
      const askAfter = async (days: number) => {
        vi.setSystemTime(Date.parse(today.scored_at) + days * 86_400_000);
        return ask();
      };
      const week: ScoreAnswer = await (await askAfter(7)).json();
      expect(week.warnings).not.toContain("data_stale");
      const eight: ScoreAnswer = await (await askAfter(8)).json();
      expect(eight).toMatchObject({ data_freshness_days: 8, low_confidence: false });
      expect(eight.warnings).toContain("data_stale");
      const fifteen: ScoreAnswer = await (await askAfter(15)).json();
      expect(fifteen).toMatchObject({ low_confidence: true, limit_source: "low_confidence_cap" });
      expect(fifteen.recommended_limit_inr).toBeLessThanOrEqual(today.recommended_limit_inr / 2);
      expect((await askAfter(30)).status).toBe(200);
      expect(await codeOf(await askAfter(31))).toBe("DATA_INSUFFICIENT");
    } finally {
      vi.useRealTimers();
    }
  });

  it("a request id that was used for another body with 409", async () => {
    const headers = { "X-Request-ID": newUuid() };
    await askScore(scene.lender, request, headers);
    const response = await askScore(scene.lender, { ...request, purpose: "term_loan" }, headers);
    expect(response.status).toBe(409);
    expect(await codeOf(response)).toBe("REQUEST_ID_REUSED");
  });

  it("takes the same body with its members in another order as the same request", async () => {
    const headers = { "X-Request-ID": newUuid() };
    await askScore(scene.lender, request, headers);
    const reordered = JSON.stringify({ purpose: request.purpose, retailer_id: request.retailer_id });
    expect((await askScore(scene.lender, reordered, headers)).headers.get("idempotent-replayed")).toBe(
      "true",
    );
  });
});

describe("the Score limits", () => {
  it("admit 100 of 150 concurrent calls, and say when to come back", async () => {
    const { lender, service, retailer_id, distributor } = scene;
    const other = await seedLender();
    await grant(service, {
      retailer_id,
      distributor_id: distributor.distributor_id,
      lender_scope: [other.lender_id],
    });
    expect(lender.lender_id).not.toBe(other.lender_id);
    const init = { method: "POST", headers: await bearerHeaders(other), body: JSON.stringify(request) };
    const ask = () => worker.fetch("https://api.altscore.in/v1/score", init);
    const answers = await Promise.all(Array.from({ length: 150 }, ask));
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(100);
    const limited = answers.filter((answer) => answer.status === 429);
    expect(limited).toHaveLength(50);
    for (const answer of limited) {
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
      expect(answer.headers.get("x-ratelimit-remaining")).toBe("0");
      expect(Number(answer.headers.get("x-ratelimit-reset"))).toBeGreaterThan(Date.now() / 1000);
    }
  });

  it("do not hide a bad body behind a 429", async () => {
    const lender = await seedLender({ score_per_minute: 1 });
    await askScore(lender, request);
    expect((await askScore(lender, request)).status).toBe(429);
    expect((await askScore(lender, {})).status).toBe(400);
  });

  it("give the daily quota, and are lifted by the registry within seconds", async () => {
    const lender = await seedLender({ score_per_day: 1 });
    await askScore(lender, request);
    const limited = await askScore(lender, request);
    expect(await limited.json()).toMatchObject({ details: { quota: { limit: 1, used: 1 } } });
    await setLenderLimits(env, { lender_id: lender.lender_id, score_per_day: 100 });
    // A request id is always taken to the gate, also while this isolate remembers the refusal.
    const after = await askScore(lender, request, { "X-Request-ID": newUuid() });
    expect(after.status).toBe(403);
  });
});

describe("GET /v1/score/{retailer_id}/history refuses", () => {
  it.each(["0", "13", "-1", "1.5", "six", "06", ""])("months=%s with 400", async (months) => {
    const response = await askAs(scene.lender, `/v1/score/${scene.retailer_id}/history?months=${months}`);
    expect(response.status).toBe(400);
    expect(await codeOf(response)).toBe("INVALID_REQUEST");
  });

  it("a malformed retailer_id with 400 and an unnamed purpose with 403", async () => {
    expect(await codeOf(await askAs(scene.lender, "/v1/score/ret_7/history"))).toBe("INVALID_RETAILER_ID");
    const path = `/v1/score/${scene.retailer_id}/history?purpose=credit_line`;
    expect(await codeOf(await askAs(scene.lender, path))).toBe("SCOPE_MISMATCH");
  });
});

describe("look-up refuses", () => {
  it.each(["", "27AAPFU0939F1Z", "27AAPFU0939F1ZO", "not-a-gstin"])(
    "the GSTIN '%s' with 400",
    async (gst) => {
      const response = await askAs(scene.lender, `/v1/retailers/lookup?gst=${gst}`);
      expect(response.status).toBe(400);
      expect(await codeOf(response)).toBe("INVALID_REQUEST");
    },
  );

  it("more than 20 a minute with 429", async () => {
    const lender = await seedLender();
    const path = `/v1/retailers/lookup?gst=${scene.gstin}`;
    const answers = await Promise.all(Array.from({ length: 25 }, () => askAs(lender, path)));
    expect(answers.filter((answer) => answer.status === 429)).toHaveLength(5);
    expect(answers.filter((answer) => answer.status === 403)).toHaveLength(20);
  });

  it("an unknown retailer's history with the uniform 403", async () => {
    const response = await askAs(scene.lender, `/v1/score/${newId("ret")}/history`);
    expect(await codeOf(response)).toBe("CONSENT_NOT_GRANTED");
  });
});
