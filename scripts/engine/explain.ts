import { readFileSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { FEATURE_COUNT } from "../../src/scoring/feature-table.ts";
import { REASON_CODES } from "../../src/scoring/reason-table.ts";
import { OperationError, UsageError } from "../lib/errors.ts";
import { shippedMeta } from "./champion.ts";
import type { Command } from "./command.ts";
import { waterfall } from "./explain-picture.ts";
import { type PathModel, scorePath } from "./score-path.ts";
import { readable } from "./table.ts";

const count = z.int().min(0);

/** What the picture needs of a ScoredCard (src/scoring/types.ts). */
const cardSchema = z.object({
  status: z.literal("scored"),
  as_of_day: z.int().min(-700_000).max(700_000),
  route: z.enum(["primary", "sparse", "cold_start"]),
  altscore: z.int().min(300).max(900),
  risk_band: z.enum(["A", "B", "C", "D"]),
  probability_of_default: z.number().min(0).max(1),
  margin: z.number(),
  recommended_limit_inr: count,
  reasons: z.array(
    z.object({ code: z.enum(REASON_CODES), direction: z.enum(["positive", "negative"]), rank: count }),
  ),
  guardrails: z.array(z.object({ guardrail: z.string(), effect: z.string() })),
  features: z.array(z.number().nullable()).length(FEATURE_COUNT),
  shap: z.array(z.number()).length(FEATURE_COUNT),
  shap_bias: z.number(),
});

/** A line of `score --internal`. */
const lineSchema = z.object({
  retailer_id: z.string(),
  score_version: z.string(),
  internal: z.object({
    model: z.object({
      model_id: z.string(),
      calibration: z.object({ a: z.number().positive(), b: z.number() }),
      sparse_margin_halfwidth: z.number().min(0),
    }),
    scorecard: cardSchema,
  }),
});

interface Explained {
  card: z.infer<typeof cardSchema>;
  model: PathModel & { model_id: string };
  retailer_id: string | null;
  score_version: string;
}

function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new OperationError(`${issue.path.join(".")}: ${issue.message}`);
}

/** Reads either form of a score. Throws OperationError with what is wrong with it. */
function readScore(text: string): Explained {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    const is_list = lines.length > 1 && lines.every((line) => line.startsWith("{"));
    throw new OperationError(is_list ? `holds ${lines.length} scores: give one line of it` : "is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new OperationError("is no score");
  if ("error_code" in value) throw new OperationError(`holds no score but ${String(value.error_code)}`);
  if ("status" in value) {
    if (value.status !== "scored") throw new OperationError(`holds no score: ${String(value.status)}`);
    const model = shippedMeta();
    return { card: parsed(cardSchema, value), model, retailer_id: null, score_version: model.version };
  }
  if (!("internal" in value)) {
    throw new OperationError("holds no SHAP values: print the score with `score --internal`");
  }
  const { internal, retailer_id, score_version } = parsed(lineSchema, value);
  return { card: internal.scorecard, model: internal.model, retailer_id, score_version };
}

async function runExplain({ score: path, lang = "en", out }: Record<string, string>): Promise<void> {
  if (lang !== "en" && lang !== "hi") throw new UsageError(`--lang takes en or hi, not ${lang}.`);
  const text = readable(path!, () => readFileSync(path!, "utf8"));
  let svg: string;
  try {
    const { card, model, retailer_id, score_version } = readScore(text);
    const shown = { language: lang, retailer_id, model: `${model.model_id} ${score_version}` } as const;
    svg = waterfall(card, scorePath(card, model), shown);
  } catch (error) {
    if (error instanceof OperationError) throw new OperationError(`${path}: ${error.message}`);
    throw error;
  }
  if (out === undefined) {
    process.stdout.write(svg);
    return;
  }
  try {
    writeFileSync(out, svg);
  } catch (error) {
    throw new OperationError(`${out} cannot be written: ${(error as Error).message}`);
  }
}

/** `npm run engine -- explain`. */
export const EXPLAIN: Command = {
  summary: "a picture (SVG) of what moved one score, by reason group: the internal view",
  argument: { name: "score", value: "SCORE.json", help: "one score with its SHAP values" },
  options: {
    lang: { value: "en|hi", help: "language of the picture (default: en)", optional: true },
    out: { value: "FILE", help: "where to write it (default: stdout)", optional: true },
  },
  details: `SCORE.json is one line of \`score --internal\`, or a stored scorecard: the column scorecard of the table scores, which
must come from the shipped champion. What does not add up to its score is refused.

Prints a standalone SVG waterfall from the model's starting point to the score: one bar for every reason code's group of
features in log odds, then what the guardrails did. Lenders never see these numbers.
`,
  run: runExplain,
};
