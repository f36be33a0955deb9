import { bandCounts, percent } from "../demo/print-score.ts";
import type { ScoreOutcome } from "../demo/scores.ts";

/** One customer of a book: what the API said, and what really happened. */
export interface ScoreRow {
  customer: string;
  outcome: ScoreOutcome;
  /** Share (0-1) of the settled invoices that were paid after their due date; null without any. */
  share_late: number | null;
}

const HEADER = ["customer", "score", "band", "PD", "paid late"];

/** The rows as an aligned table, best score first, those without a score last, and a line of counts. */
export function scoreTable(rows: ScoreRow[]): string {
  const cells = sorted(rows).map((row) => {
    const late = row.share_late === null ? "-" : `${Math.round(100 * row.share_late)} %`;
    if (!("score" in row.outcome)) return [row.customer, "-", "-", "-", late];
    const { altscore, risk_band, probability_of_default } = row.outcome.score;
    return [row.customer, String(altscore), risk_band, percent(probability_of_default), late];
  });
  const widths = HEADER.map((title, column) =>
    Math.max(title.length, ...cells.map((row) => row[column]!.length)),
  );
  const line = (row: string[]): string =>
    `  ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  ")}`;
  const scores = rows.flatMap(({ outcome }) => ("score" in outcome ? [outcome.score] : []));
  const refusals = Map.groupBy(
    rows.filter(({ outcome }) => !("score" in outcome)),
    ({ outcome }) => ("refusal" in outcome ? outcome.refusal : ""),
  );
  return [
    line(HEADER),
    `  ${widths.map((width) => "─".repeat(width)).join("  ")}`,
    ...cells.map(line),
    "",
    `  ${rows.length} customers, ${scores.length} scored: ${bandCounts(scores)}`,
    ...[...refusals].map(([refusal, own]) => `  ${own.length} without a score: ${refusal}`),
  ].join("\n");
}

/** The same rows as CSV with full precision. */
export function tableCsv(rows: ScoreRow[]): string {
  const lines = sorted(rows).map(({ customer, outcome, share_late }) => {
    const score = "score" in outcome ? outcome.score : null;
    const fields = [customer, score?.altscore, score?.risk_band, score?.probability_of_default];
    return [...fields.map((field) => field ?? ""), share_late?.toFixed(4) ?? ""].join(",");
  });
  return `customer,altscore,risk_band,probability_of_default,share_paid_late\n${lines.join("\n")}\n`;
}

function sorted(rows: ScoreRow[]): ScoreRow[] {
  const scoreOf = ({ outcome }: ScoreRow): number => ("score" in outcome ? outcome.score.altscore : 0);
  return rows.toSorted((a, b) => scoreOf(b) - scoreOf(a) || a.customer.localeCompare(b.customer));
}
