import { readFileSync } from "node:fs";
import { cardFields } from "../../src/score/card-fields.ts";
import { type CompiledChampion, ENGINE_VERSION, scoreStatement } from "../../src/scoring/engine.ts";
import { FEATURE_NAMES } from "../../src/scoring/feature-table.ts";
import { computeFeatures } from "../../src/scoring/features.ts";
import { type CompiledModel, loadModel, modelRow, sigmoid } from "../../src/scoring/model.ts";
import { ModelRefusedError } from "../../src/scoring/model-json.ts";
import { ShapExplainer } from "../../src/scoring/shap.ts";
import { StatementRefusedError } from "../../src/scoring/statement-check.ts";
import type { Statement } from "../../src/scoring/types.ts";
import { csvCell } from "../lib/csv.ts";
import { OperationError, UsageError } from "../lib/errors.ts";
import { type Book, INVOICE_COLUMNS, PAYMENT_COLUMNS, readBook, statementsOf } from "./book.ts";
import { dateOf, featureOf } from "./cells.ts";
import { shippedChampion } from "./champion.ts";
import type { Command } from "./command.ts";
import { EXPLAIN } from "./explain.ts";
import { LineWriter } from "./output.ts";
import { readable, shownCell, Table } from "./table.ts";

const BOOK_OPTIONS: Command["options"] = {
  invoices: { value: "I.csv", help: "invoices and credit notes" },
  payments: { value: "P.csv", help: "payments" },
  "as-of": { value: "YYYY-MM-DD", help: "the day (IST) at whose end the book is looked at" },
};

const BOOK_DETAILS = `Columns of I.csv: ${INVOICE_COLUMNS.join(", ")}.
Columns of P.csv: ${PAYMENT_COLUMNS.join(", ")}.
Dates are YYYY-MM-DD, amounts rupees above 0 with at most two decimals, credit notes (is_return) included; booleans
true or false, empty is false. Empty may also be due_date, original_invoice_id and payment_method. Ids are unique
within their distributor. Other columns are ignored.

Rows dated after the as-of day do not exist. A due date before its invoice or more than 180 days after it, a payment
dated before its invoice and one that names no invoice of its distributor are left out, as the ingestion API does; how
many is said on stderr. A missing due date takes the distributor's most frequent term up to that day (ties: the
shorter; none: 30 days).
`;

/** Every command of `npm run engine`, in the order of the help. */
export const COMMANDS: Record<string, Command> = {
  model: {
    summary: "margin, probability and SHAP values of an XGBoost model for rows of features",
    options: {
      model: {
        value: "M.json",
        help: "XGBoost's JSON (1.7 to 3.x): gbtree, binary:logistic, with feature names",
      },
      rows: { value: "R.csv", help: "one row of features each" },
    },
    details: `R.csv has a column for every feature name of the model; an empty cell is a missing value, other columns are ignored.
Prints CSV: margin, probability, bias, shap_<feature> in the model's order. The margin is XGBoost's float32 to the last
bit; bias and SHAP values add up to it.
`,
    run: runModel,
  },
  features: {
    summary: "the 42 features of every retailer of a book",
    options: BOOK_OPTIONS,
    details: `${BOOK_DETAILS}
Prints CSV: retailer_id and the features in the order of the feature table, empty where undefined; one row for every
retailer with an invoice in the 36 months up to the as-of day, in the order of the ids.
`,
    run: runFeatures,
  },
  score: {
    summary: "the score of every retailer of a book by the shipped champion",
    options: {
      ...BOOK_OPTIONS,
      internal: { help: "adds what lenders never see: the whole scorecard with its SHAP values" },
    },
    details: `${BOOK_DETAILS}
Prints one JSON object a line for every retailer with a row up to the as-of day, in the order of the ids: the body of
POST /v1/score without consent, receipt and the server's own ids and times, or retailer_id, error_code and completeness
where there is no score. The book counts as fresh, from an ERP, with identified retailers and nothing quarantined. With
--internal each score has a member internal: its scorecard and what of the model belongs to it, for \`explain\`.
`,
    run: runScore,
  },
  explain: EXPLAIN,
};

/** What the engine makes of a model file. OperationError with the reason if it is refused. */
function openModel(path: string): CompiledModel {
  const text = readable(path, () => readFileSync(path, "utf8"));
  try {
    return loadModel(text);
  } catch (error) {
    if (error instanceof ModelRefusedError) throw new OperationError(`${path}: ${error.message}`);
    throw error;
  }
}

async function runModel(values: Record<string, string>): Promise<void> {
  const model = openModel(values.model!);
  const names = model.feature_names;
  const table = new Table(values.rows!, names);
  // All cells are read before the first line is printed: a refused file gives no half answer.
  for await (const row of table.rows()) for (const name of names) featureOf(row, name);

  const output = new LineWriter();
  const header = ["margin", "probability", "bias", ...names.map((name) => `shap_${name}`)];
  await output.line(header.map(csvCell).join(","));
  const explainer = new ShapExplainer(model);
  const shap = new Float64Array(names.length);
  for await (const row of table.rows()) {
    const { margin, bias } = explainer.explainMargin(
      modelRow(names.map((name) => featureOf(row, name))),
      shap,
    );
    await output.line([margin, sigmoid(margin), bias, ...shap].join(","));
  }
  await output.flush();
}

/** The book and the day that the options name, with a word on stderr about rows that were left out. */
async function openBook(values: Record<string, string>): Promise<{ book: Book; as_of_day: number }> {
  const as_of_day = dateOf(values["as-of"]!);
  if (Number.isNaN(as_of_day))
    throw new UsageError(`--as-of takes a date (YYYY-MM-DD), not ${values["as-of"]}.`);
  const book = await readBook(values.invoices!, values.payments!);
  const { due_dates, payments_before_invoice, payments_without_invoice } = book.left_out;
  for (const [path, count, what] of [
    [values.invoices, due_dates, "due dates before their invoice or more than 180 days after it"],
    [values.payments, payments_before_invoice, "payments dated before their invoice"],
    [values.payments, payments_without_invoice, "payments that name no invoice of their distributor"],
  ] as const) {
    if (count > 0) process.stderr.write(`${path}: left out: ${count} ${what}\n`);
  }
  return { book, as_of_day };
}

async function runFeatures(values: Record<string, string>): Promise<void> {
  const { book, as_of_day } = await openBook(values);
  const output = new LineWriter();
  await output.line(["retailer_id", ...FEATURE_NAMES].join(","));
  for (const statement of statementsOf(book, as_of_day)) {
    const computed = ofRetailer(statement, () => computeFeatures(statement, as_of_day));
    if (computed === null) continue;
    await output.line(
      [csvCell(statement.retailer_id), ...computed.values.map((value) => value ?? "")].join(","),
    );
  }
  await output.flush();
}

/** What `compute` gives for a retailer; OperationError with its id if the engine refuses the statement. */
function ofRetailer<T>({ retailer_id }: Statement, compute: () => T): T {
  try {
    return compute();
  } catch (error) {
    if (!(error instanceof StatementRefusedError)) throw error;
    throw new OperationError(`retailer ${shownCell(retailer_id)}: ${error.message}`);
  }
}

/** What of the model `explain` needs beside the scorecard, and which one it is. */
function internalModel({ identity, calibration, sparse_margin_halfwidth }: CompiledChampion): object {
  return { ...identity, calibration, sparse_margin_halfwidth };
}

/** A retailer's line: the answer's fields, or why there is none; `is_internal` adds what `explain` needs. */
function scoreLine(
  statement: Statement,
  as_of_day: number,
  champion: CompiledChampion,
  is_internal: boolean,
): object {
  const { retailer_id } = statement;
  const { card } = ofRetailer(statement, () => scoreStatement(statement, as_of_day, champion));
  if (card.status !== "scored") {
    const error_code = card.status === "insufficient" ? "DATA_INSUFFICIENT" : "SERVICE_UNAVAILABLE";
    return { retailer_id, error_code, completeness: card.completeness };
  }
  const score_version = `${champion.identity.version}+engine.${ENGINE_VERSION}`;
  return {
    retailer_id,
    ...cardFields(card, { language: "en", freshness_days: 0, score_version }),
    ...(is_internal ? { internal: { model: internalModel(champion), scorecard: card } } : {}),
  };
}

async function runScore(values: Record<string, string>): Promise<void> {
  const { book, as_of_day } = await openBook(values);
  const champion = shippedChampion();
  const output = new LineWriter();
  for (const statement of statementsOf(book, as_of_day)) {
    await output.line(JSON.stringify(scoreLine(statement, as_of_day, champion, values.internal === "true")));
  }
  await output.flush();
}
