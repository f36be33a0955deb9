import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { COMMANDS } from "../../scripts/engine/commands.ts";
import { waterfall } from "../../scripts/engine/explain-picture.ts";
import { scorePath } from "../../scripts/engine/score-path.ts";
import { fitText } from "../../scripts/lib/svg.ts";
import { PROJECT_ROOT } from "../../scripts/runtime/layout.ts";
import { FEATURE_COUNT } from "../../src/scoring/feature-table.ts";
import { REASON_CODES, reasonTexts } from "../../src/scoring/reason-table.ts";
import { scoreOf } from "../../src/scoring/score-map.ts";
import type { ScoredCard } from "../../src/scoring/types.ts";
import { engine, newInputs, regularShop } from "./support/engine.ts";
import { requireXml } from "./support/xml.ts";

const { dir, remove, file, invoices, payments } = newInputs();
afterAll(remove);

const shops = [regularShop("prompt", 0), regularShop("tardy", 45), regularShop("young", 1, 120)];
const BOOK = [
  "--invoices",
  invoices(...shops.flatMap((shop) => shop.invoices), "new,d2,n,2026-03-20,,100,,,"),
  "--payments",
  payments(...shops.flatMap((shop) => shop.payments)),
  "--as-of",
  "2026-03-31",
];
const lines = engine("score", ...BOOK, "--internal")
  .stdout.trim()
  .split("\n");
const [fresh, prompt, tardy, young] = lines.map((line) => JSON.parse(line));
const MODEL = prompt.internal.model;

describe("npm run engine -- score --internal", () => {
  it("adds the scorecard and its model to what score prints, and nothing else", () => {
    const shown = engine("score", ...BOOK)
      .stdout.trim()
      .split("\n");
    lines.forEach((line, i) => {
      const { internal, ...rest } = JSON.parse(line);
      expect(rest).toEqual(JSON.parse(shown[i]!));
      if (rest.error_code === undefined) expect(internal.scorecard.shap).toHaveLength(FEATURE_COUNT);
    });
    expect(shown.join("")).not.toContain("shap");
  });
});

describe("the path of a score", () => {
  it.each([
    ["prompt", prompt],
    ["tardy", tardy],
    ["young", young],
  ])("leads from the model's start to the score, step by step: %s", (_, line) => {
    const card: ScoredCard = line.internal.scorecard;
    const { base, steps } = scorePath(card, MODEL);
    const end = steps.reduce((at, step) => {
      expect(step.to).toBeCloseTo(at + step.size, 12);
      expect(step.score).toBe(scoreOf(step.to));
      return step.to;
    }, base);
    expect(scoreOf(end)).toBe(card.altscore);
    const a = card.route === "cold_start" ? 1 : MODEL.calibration.a;
    const from_features = steps.filter((step) => step.kind === "reason" || step.kind === "rest");
    const sum = from_features.reduce((total, step) => total + step.size, 0);
    expect(sum).toBeCloseTo(-a * (card.margin - card.shap_bias), 5);
  });

  it("ends with the allowance and the cap of a cold start", () => {
    const { steps } = scorePath(young.internal.scorecard, MODEL);
    expect(young).toMatchObject({ scoring_route: "cold_start", altscore: 749 });
    expect(steps.slice(-2).map(({ kind, code }) => [kind, code])).toEqual([
      ["allowance", ""],
      ["guardrail", "cold_start_band_cap"],
    ]);
  });

  it("loses no contribution, whatever they are, and shows what lowers the risk to the right", () => {
    const term = fc.double({ min: -1, max: 1, noNaN: true });
    const terms = fc.array(term, { minLength: FEATURE_COUNT, maxLength: FEATURE_COUNT });
    const value = fc.array(fc.constantFrom(null, 1), { minLength: FEATURE_COUNT, maxLength: FEATURE_COUNT });
    fc.assert(
      fc.property(terms, value, fc.boolean(), (shap, features, is_sparse) => {
        const margin = shap.reduce((sum, one) => sum + one, -2);
        const widened = margin + (is_sparse ? MODEL.sparse_margin_halfwidth : 0);
        const end = -(MODEL.calibration.a * widened + MODEL.calibration.b);
        const card = { ...prompt.internal.scorecard, shap, shap_bias: -2, features, margin, guardrails: [] };
        const route = is_sparse ? "sparse" : "primary";
        const { steps } = scorePath({ ...card, route, altscore: scoreOf(end) }, MODEL);
        expect(steps.at(-1)!.to).toBeCloseTo(end, 9);
        for (const step of steps) {
          if (step.kind !== "reason" || step.code === "DATA_INSUFFICIENT") continue;
          const is_negative = REASON_CODES.indexOf(step.code) >= REASON_CODES.indexOf("PAYMENT_DELAY_HIGH");
          expect(step.size < 0).toBe(is_negative);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("npm run engine -- explain", () => {
  const draw = (line: object, lang = "en") =>
    engine("explain", file(JSON.stringify(line), "score.json"), "--lang", lang);

  it.each([
    ["en", "What moved this score", "Internal view"],
    ["hi", "यह स्कोर किन बातों से बना", "केवल अंदरूनी उपयोग"],
  ] as const)("draws every score as well-formed standalone SVG: %s", (lang, ...texts) => {
    for (const line of [prompt, tardy, young]) {
      const { status, stdout, stderr } = draw(line, lang);
      expect([status, stderr]).toEqual([0, ""]);
      requireXml(stdout);
      for (const text of texts) expect(stdout).toContain(text);
      for (const { kind, code } of scorePath(line.internal.scorecard, MODEL).steps) {
        if (kind === "reason") expect(stdout).toContain(`>${reasonTexts(code)[`label_${lang}`]}`);
      }
      expect(stdout).toContain(`>AltScore ${line.altscore} · `);
      expect(stdout).toContain(`: ${MODEL.model_id} ${line.score_version}<`);
      expect(stdout).toContain(`xml:lang="${lang}"`);
      expect(stdout.match(/<title |<desc /g)).toHaveLength(2);
      expect(stdout.replace("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:|<script|<image|@import/);
    }
  });

  it("draws one bar for each step, to the right if it lowers the risk, else to the left and striped", () => {
    const { steps } = scorePath(tardy.internal.scorecard, MODEL);
    const bars = Array.from(
      draw(tardy).stdout.matchAll(/<rect [^>]*height="11" fill="([^"]+)"/g),
      ([, fill]) => fill,
    );
    expect(bars).toEqual(steps.map(({ size }) => (size < 0 ? "url(#stripes)" : "#009e73")));
  });

  it("says what the guardrails did", () => {
    expect(draw(young).stdout).toContain("Short history: never band A (score ");
    expect(draw(tardy).stdout).toContain("Band D: no limit");
  });

  it("takes a stored scorecard of the shipped champion", () => {
    const { status, stdout } = draw(prompt.internal.scorecard);
    expect(status).toBe(0);
    expect(stdout).toContain(`>AltScore ${prompt.altscore} · Band A<`);
  });

  it("escapes what it is given", () => {
    const retailer_id = `<b>&"'\u0001</b>]]>`;
    const { stdout } = draw({ ...prompt, retailer_id });
    requireXml(stdout);
    expect(stdout).toContain("&lt;b&gt;&amp;&quot;&apos;\ufffd&lt;/b&gt;]]&gt;");
  });

  it("leaves room for every label beside the reason's rank", () => {
    for (const code of REASON_CODES) {
      const { label_en, label_hi } = reasonTexts(code);
      for (const text of [`${label_en} · reason +4`, `${label_hi} · कारण +4`])
        expect(fitText(text, 316, 13)).toBe(text);
    }
    const long = { ...prompt, retailer_id: "w".repeat(500) };
    expect(draw(long).stdout).toContain("www…<");
  });

  it("shows a guardrail that it does not know by its name", () => {
    const card: ScoredCard = prompt.internal.scorecard;
    const guardrails = [...card.guardrails, { guardrail: "later_rule", effect: "limit 5 -> 4" }];
    const shown = { language: "en", retailer_id: null, model: "m" } as const;
    expect(waterfall({ ...card, guardrails }, scorePath(card, MODEL), shown)).toContain(
      "later_rule (₹5 → ₹4)",
    );
  });

  it("writes to a file with --out", () => {
    const out = join(dir, "score.svg");
    const input = file(JSON.stringify(prompt), "score.json");
    expect(engine("explain", input, "--out", out)).toMatchObject({ status: 0, stdout: "", stderr: "" });
    expect(readFileSync(out, "utf8")).toBe(draw(prompt).stdout);
    const nowhere = join(dir, "none", "score.svg");
    expect(engine("explain", input, "--out", nowhere)).toMatchObject({ status: 1, stdout: "" });
    expect(existsSync(nowhere)).toBe(false);
  });

  const withCard = (change: object) => ({
    ...prompt,
    internal: { model: MODEL, scorecard: { ...prompt.internal.scorecard, ...change } },
  });
  const { internal: _, ...answer } = prompt;
  it.each<[string, string, string]>([
    ["nothing", "", "is not JSON"],
    ["no JSON", "{", "is not JSON"],
    ["no object", "[]", "is no score"],
    ["several lines", lines.slice(1).join("\n"), "holds 3 scores: give one line of it"],
    [
      "what a lender gets",
      JSON.stringify(answer),
      "holds no SHAP values: print the score with `score --internal`",
    ],
    ["a retailer without a score", JSON.stringify(fresh), "holds no score but DATA_INSUFFICIENT"],
    ["a blocked card", JSON.stringify({ status: "unexplainable" }), "holds no score: unexplainable"],
    ["a stored card without SHAP", JSON.stringify({ status: "scored" }), "as_of_day: "],
    ["too few SHAP values", JSON.stringify(withCard({ shap: [1] })), "internal.scorecard.shap: "],
    [
      "an unknown reason",
      JSON.stringify(withCard({ reasons: [{ code: "X" }] })),
      "scorecard.reasons.0.code: ",
    ],
    ["a score of 1000", JSON.stringify(withCard({ altscore: 1000 })), "internal.scorecard.altscore: "],
    ["a changed score", JSON.stringify(withCard({ altscore: 600 })), "the card says 600: it was changed"],
    ["a changed contribution", JSON.stringify(withCard({ shap_bias: 0 })), "the SHAP values add up to"],
  ])("refuses %s with exit code 1", (_, text, message) => {
    const path = file(text, "score.json");
    const result = engine("explain", path);
    expect(result).toMatchObject({ status: 1, stdout: "" });
    expect(result.stderr.startsWith(`${path}: `)).toBe(true);
    expect(result.stderr).toContain(message);
  });

  it("refuses a file that is not there", async () => {
    const missing = join(dir, "missing.json");
    await expect(COMMANDS.explain!.run({ score: missing })).rejects.toThrow(`no file ${missing}`);
    await expect(COMMANDS.explain!.run({ score: PROJECT_ROOT })).rejects.toThrow("is a folder");
  });
});
