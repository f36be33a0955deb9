import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { COMMANDS } from "../../scripts/engine/commands.ts";
import { PROJECT_ROOT } from "../../scripts/runtime/layout.ts";
import { modelText } from "../scoring/model-builder.ts";
import { engine, newInputs, records } from "./support/engine.ts";

const { dir, remove, file } = newInputs();
afterAll(remove);

/** Margin 0.25 for x under 1 or missing, else -0.5. */
const STUMP = file(
  modelText(
    ["x", "y"],
    [
      {
        feature: 0,
        threshold: 1,
        default_left: true,
        left: { leaf: 0.25, cover: 2 },
        right: { leaf: -0.5, cover: 1 },
      },
    ],
  ),
  "stump.json",
);

describe("npm run engine -- model", () => {
  it("gives margin, probability, bias and a SHAP value for every feature of the model", () => {
    const rows = file('note,y,x\r\n"a ""b"", c",7,0.5\r\n,,\r\n,1e0,+1\r\n');
    const result = engine("model", "--model", STUMP, "--rows", rows);
    expect(result).toMatchObject({ status: 0, stderr: "" });
    expect(result.stdout.split("\n")[0]).toBe("margin,probability,bias,shap_x,shap_y");
    const [low, missing, high] = records(result.stdout.trim());
    // The mean of the tree is (2 * 0.25 - 0.5) / 3 = 0.
    expect(low).toMatchObject({ margin: "0.25", bias: "0", shap_x: "0.25", shap_y: "0" });
    expect(missing).toEqual(low);
    expect(high).toMatchObject({ margin: "-0.5", shap_x: "-0.5" });
    expect(Number(high!.probability)).toBeCloseTo(1 / (1 + Math.exp(0.5)), 15);
  });

  it("takes an empty line of a table of one column for a missing value", () => {
    const model = file(modelText(["x"], [{ leaf: 0.5, cover: 1 }]), "leaf.json");
    expect(records(engine("model", "--model", model, "--rows", file("x\n\n3\n")).stdout.trim())).toHaveLength(
      2,
    );
  });

  const shared = join(PROJECT_ROOT, "..", "shared", "data", "model");
  it.skipIf(!existsSync(shared))(
    "equals XGBoost's own answers: margin to the bit, probability to 1e-7, SHAP to 1e-5 (skipped where ../shared/data is absent)",
    () => {
      const vectors = join(shared, "xgb_150x4_vectors.csv");
      const result = engine("model", "--model", join(shared, "xgb_150x4.json"), "--rows", vectors);
      expect(result).toMatchObject({ status: 0, stderr: "" });
      const expected = records(readFileSync(vectors, "utf8").trim());
      const got = records(result.stdout.trim());
      expect(got).toHaveLength(expected.length);
      expected.forEach((row, i) => {
        expect(Number(got[i]!.margin)).toBe(Math.fround(Number(row.margin)));
        expect(Math.abs(Number(got[i]!.probability) - Number(row.prob))).toBeLessThanOrEqual(1e-7);
        for (const [name, value] of Object.entries(row)) {
          if (!name.startsWith("shap_")) continue;
          const own = name === "shap_bias" ? got[i]!.bias : got[i]![name];
          expect(Math.abs(Number(own) - Number(value))).toBeLessThanOrEqual(1e-5);
        }
      });
    },
  );

  it("prints nothing when any row is refused, and says where on stderr", () => {
    const rows = file("x,y\n1,2\n3,NaN\n");
    const result = engine("model", "--model", STUMP, "--rows", rows);
    expect(result).toMatchObject({ status: 1, stdout: "" });
    expect(result.stderr).toBe(`${rows}: row 3, column y: "NaN" is not a number\n`);
  });

  it.each([
    ["x,y\n1,Infinity\n", 'row 2, column y: "Infinity" is not a number'],
    ["x,y\n1,0x10\n", 'row 2, column y: "0x10" is not a number'],
    ["x,y\n1,\n 2,3\n", 'row 3, column x: " 2" is not a number'],
    ["x,y\n1e39,3\n", 'row 2, column x: "1e39" does not fit a 32-bit float'],
    ["x,z\n1,2\n", "row 1: the column is missing: y"],
    ["x,y,x\n1,2,3\n", 'row 1: the column "x" is there twice'],
    ["x,y\n1,2\n\n1\n", "row 4 has 1 cells, the header 2"],
    ['x,y\n1,"2\n', "a quote is left open in row 2"],
    ['x,y\n1,2"3\n', "row 2 has a quote inside a field"],
    ['x,y\n1,"2"3\n', "row 2 has text after a closing quote"],
    ["", "the file is empty"],
    [Uint8Array.of(0x78, 0x2c, 0x79, 0x0a, 0xff), "the text is not UTF-8"],
  ])("refuses the rows %j", async (text, message) => {
    const rows = file(text);
    await expect(COMMANDS.model!.run({ model: STUMP, rows })).rejects.toThrow(message);
  });

  it.each([
    ["{", "the model is not JSON"],
    ["[]", "not an XGBoost JSON model"],
    [modelText(["x"], [{ leaf: 1, cover: 1 }], (m) => (m.learner.gradient_booster.name = "dart")), "dart"],
    [modelText(["x", "x"], [{ leaf: 1, cover: 1 }]), "twice"],
    [
      modelText(["x"], [{ leaf: 1, cover: 1 }]).replace('"split_conditions":[1]', '"split_conditions":[NaN]'),
      "NaN",
    ],
  ])("refuses the model %j", async (text, message) => {
    const model = file(text, "model.json");
    await expect(COMMANDS.model!.run({ model, rows: file("x\n1\n") })).rejects.toThrow(message);
    await expect(COMMANDS.model!.run({ model, rows: file("x\n1\n") })).rejects.toThrow(model);
  });

  it("refuses a file that is not there", async () => {
    const missing = join(dir, "missing.csv");
    await expect(COMMANDS.model!.run({ model: STUMP, rows: missing })).rejects.toThrow(`no file ${missing}`);
    await expect(COMMANDS.model!.run({ model: missing, rows: missing })).rejects.toThrow(
      `no file ${missing}`,
    );
    await expect(COMMANDS.model!.run({ model: STUMP, rows: dir })).rejects.toThrow("is a folder");
  });
});
