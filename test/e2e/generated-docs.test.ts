import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { GUARDRAIL_TEXTS } from "../../scripts/engine/explain-texts.ts";
import { featuresPage } from "../../scripts/generate/features-page.ts";
import { reliabilityPicture, wilson } from "../../scripts/generate/reliability.ts";
import { scoreScalePicture } from "../../scripts/generate/score-scale.ts";
import { PROJECT_ROOT } from "../../scripts/runtime/layout.ts";
import { FEATURES } from "../../src/scoring/feature-table.ts";
import { recommendLimit } from "../../src/scoring/limit.ts";
import { REASON_CODES } from "../../src/scoring/reason-table.ts";
import { bandOf, scoreOf } from "../../src/scoring/score-map.ts";
import { requireXml } from "./support/xml.ts";

describe("docs/features.md", () => {
  const rows = featuresPage()
    .split("\n")
    .filter((line) => /^\| \d/.test(line))
    .map((line) => line.split("|").map((cell) => cell.trim()));

  it("has a row for every feature in its order, as the table defines it", () => {
    expect(rows.map((cells) => cells.slice(1, 7))).toEqual(
      FEATURES.map((f) => [
        String(f.number),
        `\`${f.name}\``,
        f.definition.replaceAll("*", "\\*"),
        f.unit,
        f.sign,
        f.null_when,
      ]),
    );
  });

  it("names for every feature a code in favour and one against, and every code but the one for missing data", () => {
    for (const cells of rows) expect(cells.slice(7, 9)).not.toContain("");
    const named = rows.flatMap((cells) => cells.slice(7, 9).join(", ").replaceAll("`", "").split(", "));
    expect([...new Set(named), "DATA_INSUFFICIENT"].sort()).toEqual([...REASON_CODES].sort());
  });
});

describe("the pictures", () => {
  it("are well-formed and say in words what they show", () => {
    const bins = [{ source: "<a & b>", mean_pd: 0.05, bad_rate: 0, rows: 85 }];
    for (const svg of [scoreScalePicture(), reliabilityPicture(bins)]) requireXml(svg);
    expect(scoreScalePicture()).toContain("60 %: 300, 25 %: 450, 12 %: 600, 5 %: 750, 0.5 %: 900.");
    expect(scoreScalePicture()).toContain("PD 8.2 % is score 667");
    expect(reliabilityPicture(bins)).toContain("&lt;a &amp; b&gt;: PD 5 %, went bad 0 % of 85");
  });

  it("refuse more sources than there are marks", () => {
    const bins = ["a", "b", "c", "d", "e"].map((source) => ({ source, mean_pd: 0, bad_rate: 0, rows: 1 }));
    expect(() => reliabilityPicture(bins)).toThrow("no more than 4 sources");
  });

  it("show Wilson's interval", () => {
    // Brown, Cai and DasGupta 2001: 0 of n reaches up to z^2 / (n + z^2); one half is symmetric.
    expect(wilson(0, 85)).toEqual({ low: 0, high: expect.closeTo(0.04324, 5) });
    const { low, high } = wilson(0.5, 100);
    expect([low, high]).toEqual([expect.closeTo(0.40383, 5), expect.closeTo(0.59617, 5)]);
  });
});

describe("docs/scoring.md", () => {
  const page = readFileSync(join(PROJECT_ROOT, "docs", "scoring.md"), "utf8").replaceAll(/\s+/g, " ");

  it("explains every guardrail by its name in the trail", () => {
    for (const name of Object.keys(GUARDRAIL_TEXTS)) expect(page).toContain(`| \`${name}\` |`);
  });

  it("works out its examples as the engine does", () => {
    const altscore = scoreOf(Math.log(0.918 / 0.082));
    expect(page).toContain(`so the score is **${altscore}**, band ${bandOf(altscore)}.`);
    const { recommended_limit_inr, trail } = recommendLimit({
      route: "primary",
      risk_band: "B",
      altscore,
      gmv_6m_paise: 40_000_000,
      best_gmv_6m_paise: 40_000_000,
      low_completeness: false,
      single_distributor: true,
    });
    const inr = (rupees: number) => `Rs ${rupees.toLocaleString("en-IN")}`;
    expect(trail[0]!.effect).toBe("limit 77986 -> 38993");
    expect(page).toContain(`Wanted: ${inr(77_986)}, under the ceiling`);
    expect(page).toContain(`Halved: ${inr(38_993)}. Limit: **${inr(recommended_limit_inr)}**.`);
  });
});
