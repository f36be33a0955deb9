import { describe, expect, it } from "vitest";
import championText from "../../models/champion.xgb?raw";
import championVectors from "../../models/vectors.csv?raw";
import { loadModel, modelRow, predictMargin, sigmoid } from "../../src/scoring/model.ts";
import { ShapExplainer } from "../../src/scoring/shap.ts";

/** Reference files beside the repository; an empty object where they are absent. */
const shared = import.meta.glob<string>("../../../shared/data/model/*", {
  query: "?raw",
  import: "default",
  eager: true,
});

/** Checks every row of XGBoost's own answers: feature columns, margin, prob or probability, shap_<feature>, shap_bias. */
function checkVectors(model_text: string, csv: string): number {
  const model = loadModel(model_text);
  const explainer = new ShapExplainer(model);
  const [header = "", ...lines] = csv.trim().split("\n");
  const columns = header.trim().split(",");
  const at = (name: string) => columns.indexOf(name);
  const probability = at("prob") < 0 ? "probability" : "prob";
  const out = new Float64Array(model.feature_names.length);
  for (const line of lines) {
    const cells = line.trim().split(",");
    const number = (name: string) => Number(cells[at(name)]);
    const row = modelRow(model.feature_names.map((name) => (cells[at(name)] === "" ? null : number(name))));
    const { margin, bias } = explainer.explainMargin(row, out);
    expect(margin).toBe(Math.fround(number("margin")));
    expect(predictMargin(model, row)).toBe(margin);
    expect(Math.abs(sigmoid(margin) - number(probability))).toBeLessThanOrEqual(1e-7);
    expect(Math.abs(bias - number("shap_bias"))).toBeLessThanOrEqual(1e-5);
    let sum = bias;
    model.feature_names.forEach((name, i) => {
      sum += out[i]!;
      expect(Math.abs(out[i]! - number(`shap_${name}`))).toBeLessThanOrEqual(1e-5);
    });
    expect(Math.abs(sum - margin)).toBeLessThanOrEqual(1e-6);
  }
  return lines.length;
}

describe("margin, probability and SHAP equal XGBoost's own", () => {
  it("on the champion's rows", () => {
    expect(checkVectors(championText, championVectors)).toBeGreaterThanOrEqual(50);
  });

  const files = new Map(Object.entries(shared).map(([path, text]) => [path.split("/").at(-1)!, text]));
  it.skipIf(files.size === 0)(
    "on 317 rows of a model of 150 trees (skipped where ../shared/data is absent)",
    () => {
      expect(checkVectors(files.get("xgb_150x4.json")!, files.get("xgb_150x4_vectors.csv")!)).toBe(317);
    },
  );
});
