import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { newUuid } from "../../src/lib/seams.ts";
import type { ScoreAnswer } from "../../src/score/schemas.ts";
import { bearerHeaders } from "../support/auth.ts";
import { askAs, askScore, type Scene, seedScene } from "../support/scene.ts";
import { worker } from "../support/worker.ts";

let scene: Scene;
let request: { retailer_id: string; purpose: string };

beforeAll(async () => {
  scene = await seedScene();
  request = { retailer_id: scene.retailer_id, purpose: "working_capital_loan" };
});

describe("POST /v1/score", () => {
  it("gives the consented lender the whole answer", async () => {
    const response = await askScore(scene.lender, request);
    expect(response.status).toBe(200);
    const answer: ScoreAnswer = await response.json();
    expect(answer).toMatchObject({
      retailer_id: scene.retailer_id,
      pd_horizon_days: 90,
      data_freshness_days: 0,
      cold_start: false,
      single_distributor: true,
      consent: { consent_id: scene.consent_id, purpose: "working_capital_loan" },
      request_id: response.headers.get("x-request-id"),
    });
    expect(answer.altscore).toBeGreaterThanOrEqual(300);
    expect(answer.altscore).toBeLessThanOrEqual(900);
    expect(answer.recommended_limit_inr % 1000).toBe(0);
    expect(answer.recommended_limit_inr).toBeLessThanOrEqual(0.3 * answer.gmv_6m_trailing_inr);
    expect(answer.feature_snapshot_hash).toMatch(/^[0-9a-f]{64}$/);
    expect(answer).not.toHaveProperty("shap");
    expect(answer).not.toHaveProperty("features");
  });

  it("gives at least three positive and two negative reasons, ranked, in both languages", async () => {
    const answer: ScoreAnswer = await (await askScore(scene.lender, request)).json();
    for (const [direction, least] of [
      ["positive", 3],
      ["negative", 2],
    ] as const) {
      const reasons = answer.reason_codes.filter((reason) => reason.direction === direction);
      expect(reasons.length).toBeGreaterThanOrEqual(least);
      expect(reasons.map((reason) => reason.rank)).toEqual(reasons.map((_, index) => index + 1));
    }
    for (const reason of answer.reason_codes) {
      expect(reason.label).toBe(reason.label_en);
      expect(reason.label_hi).toMatch(/[\u0900-\u097f]/);
    }
  });

  it("labels in Hindi when asked to", async () => {
    const response = await askScore(scene.lender, request, { "Accept-Language": "hi" });
    expect(response.headers.get("content-language")).toBe("hi");
    const answer: ScoreAnswer = await response.json();
    for (const reason of answer.reason_codes) expect(reason.label).toBe(reason.label_hi);
  });

  it("carries a receipt that the public keys verify", async () => {
    const answer: ScoreAnswer = await (await askScore(scene.lender, request)).json();
    const jwks: JSONWebKeySet = await (
      await worker.fetch("https://api.altscore.in/.well-known/jwks.json")
    ).json();
    const { payload, protectedHeader } = await compactVerify(answer.receipt, createLocalJWKSet(jwks));
    expect(protectedHeader.alg).toBe("ES256");
    expect(JSON.parse(new TextDecoder().decode(payload))).toMatchObject({
      iss: "altscore.in",
      sub: scene.lender.lender_id,
      retailer_id: scene.retailer_id,
      score_id: answer.score_id,
      consent_id: scene.consent_id,
      purpose: "working_capital_loan",
      altscore: answer.altscore,
      risk_band: answer.risk_band,
    });
  });

  it("tells how a requested limit stands to the ceiling", async () => {
    const within: ScoreAnswer = await (
      await askScore(scene.lender, { ...request, requested_limit_inr: 1000 })
    ).json();
    expect(within.requested_limit).toMatchObject({ requested_inr: 1000, within_ceiling: true });
    expect(within.warnings).not.toContain("limit_capped_to_gmv_ceiling");
    const asked = { ...request, requested_limit_inr: 50_000_000 };
    const above: ScoreAnswer = await (await askScore(scene.lender, asked)).json();
    expect(above.requested_limit).toMatchObject({ within_ceiling: false });
    expect(above.warnings).toContain("limit_capped_to_gmv_ceiling");
    const ceiling = 0.3 * above.gmv_6m_trailing_inr;
    expect(above.requested_limit?.override_max_inr).toBe(Math.floor((1.5 * ceiling) / 1000) * 1000);
  });

  it("replays its answer to a repeated X-Request-ID, and does not count it again", async () => {
    const headers = { "X-Request-ID": newUuid() };
    const first = await askScore(scene.lender, request, headers);
    const again = await askScore(scene.lender, request, headers);
    expect(again.status).toBe(200);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(again.headers.get("x-ratelimit-remaining")).toBe(first.headers.get("x-ratelimit-remaining"));
    expect(await again.text()).toBe(await first.text());
    const upper_case = { "X-Request-ID": headers["X-Request-ID"].toUpperCase() };
    expect((await askScore(scene.lender, request, upper_case)).headers.get("idempotent-replayed")).toBe(
      "true",
    );
  });

  it("gives 20 twins of one request id one and the same answer", async () => {
    const headers = { "X-Request-ID": newUuid() };
    const twins = await Promise.all(
      Array.from({ length: 20 }, () => askScore(scene.lender, request, headers)),
    );
    const bodies = await Promise.all(twins.map((twin) => twin.text()));
    expect(new Set(bodies).size).toBe(1);
    expect(twins.filter((twin) => twin.headers.get("idempotent-replayed") === null)).toHaveLength(1);
  });
});

describe("GET /v1/score/{retailer_id}/history", () => {
  it("gives the month's score, newest first", async () => {
    const response = await askAs(scene.lender, `/v1/score/${scene.retailer_id}/history?months=12`);
    expect(response.status).toBe(200);
    const score: ScoreAnswer = await (await askScore(scene.lender, request)).json();
    expect(await response.json()).toEqual({
      retailer_id: scene.retailer_id,
      history: [
        {
          month: score.data_as_of.slice(0, 7),
          altscore: score.altscore,
          risk_band: score.risk_band,
          score_version: score.score_version,
        },
      ],
    });
  });
});

describe("retailer look-up", () => {
  it("finds a consented retailer by GSTIN, by POST and by GET, in any case", async () => {
    const expected = { retailer_id: scene.retailer_id, consent_active: true };
    const got = await askAs(scene.lender, `/v1/retailers/lookup?gst=${scene.gstin.toLowerCase()}`);
    expect(await got.json()).toEqual(expected);
    const posted = await worker.fetch("https://api.altscore.in/v1/retailers/lookup", {
      method: "POST",
      headers: await bearerHeaders(scene.lender),
      body: JSON.stringify({ gst: scene.gstin }),
    });
    expect(await posted.json()).toEqual(expected);
  });
});
