/** What the validation found on one book, and its Markdown tables. */
import { readFileSync, writeFileSync } from "node:fs";
import type { RiskBand } from "../src/scoring/types.ts";
import { BANDS, type BandCalibration, type Coverage } from "./measures.ts";

/** A figure with its 95 % interval; null where one of the classes is absent. */
export type Figure = { value: number; interval: number[] } | null;

/** One risk measure on some customers; the difference is the AUROC of the first measure minus this one's. */
export interface MeasuredRow {
  measure: string;
  auroc: Figure;
  ks: Figure;
  first_minus_this?: Figure;
}

/** Several risk measures on the same customers. */
export interface Comparison {
  source: string;
  population: string;
  bad_means: string;
  /** (customer, day) pairs, and how many of them turned bad. */
  customers: number;
  bad: number;
  measures: MeasuredRow[];
}

export interface BookReport {
  source: string;
  invoices: number;
  customers: number;
  known_until: string;
  cut_offs: (Comparison & { at_risk: number; at_risk_bad: number })[];
  comparisons: Comparison[];
  questions: Comparison[];
  calibration_by_band: Partial<Record<RiskBand, BandCalibration>>;
  reliability: BandCalibration[];
  score_shares: number[];
  psi: number;
  /** Everybody with an invoice, on all cut-off days together and on the book's last day. */
  coverage: Coverage;
  coverage_at_end: Coverage;
}

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
export const withInterval = (figure: Figure | undefined): string => {
  if (!figure) return "-";
  const [low, high] = figure.interval;
  return `${figure.value.toFixed(3)} (${low!.toFixed(3)} to ${high!.toFixed(3)})`;
};
export const table = (header: readonly string[], rows: readonly (readonly string[])[]): string =>
  [header, header.map(() => "--"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

const LINE_CHARACTERS = 118;

/** Markdown whose paragraphs and list items have lines of at most 118 characters; tables and comments stay. */
export function wrapped(markdown: string): string {
  const isProse = (line: string) => line !== "" && !/^(\||#|<!--)/.test(line);
  const lines: string[] = [];
  for (const line of markdown.split("\n")) {
    const before = lines.at(-1) ?? "";
    if (!isProse(line) || !isProse(before) || line.startsWith("- ")) lines.push(line);
    else lines[lines.length - 1] = `${before} ${line.trim()}`;
  }
  return lines.map((line) => (isProse(line) ? wrappedLine(line) : line)).join("\n");
}

function wrappedLine(line: string): string {
  const indent = line.startsWith("- ") ? "  " : "";
  const rows = [""];
  for (const word of line.split(" ")) {
    const row = rows.at(-1)!;
    if (row === "") rows[rows.length - 1] = word;
    else if (row.length + 1 + word.length <= LINE_CHARACTERS) rows[rows.length - 1] = `${row} ${word}`;
    else rows.push(`${indent}${word}`);
  }
  return rows.join("\n");
}

/** Names of the risk measures as the tables have them. */
const MEASURE_NAMES: Record<string, string> = {
  score: "the score as served",
  model: "the model alone",
  logistic: "logistic scorecard",
  worst_delay_365: "`worst_delay_365` alone",
};

/** A row per measure: who, how many, which measure, AUROC, KS, difference. */
export function comparisonRows({ population, customers, bad, measures }: Comparison): string[][] {
  return measures.map(({ measure, auroc, ks, first_minus_this }, m) => [
    m === 0 ? population : "",
    m === 0 ? String(customers) : "",
    m === 0 ? String(bad) : "",
    MEASURE_NAMES[measure]!,
    withInterval(auroc),
    withInterval(ks),
    m === 0 ? "" : withInterval(first_minus_this),
  ]);
}

export const COMPARISON_HEADER = ["who", "cases", "bad", "ranked by", "AUROC", "KS", "first minus this"];

/** A row per comparison: the score beside `worst_delay_365` alone. */
function shortRow(name: string, { customers, bad, measures }: Comparison): string[] {
  const worst = measures.find(({ measure }) => measure === "worst_delay_365")!;
  return [
    name,
    String(customers),
    String(bad),
    withInterval(measures[0]!.auroc),
    withInterval(worst.auroc),
    withInterval(worst.first_minus_this),
  ];
}

const SHORT_HEADER = ["scored", "bad", "AUROC of the score", "`worst_delay_365` alone", "difference"];

export const calibrationRow = (name: string, { mean_pd, bad_rate, rows }: BandCalibration): string[] => [
  name,
  String(rows),
  percent(mean_pd),
  percent(bad_rate),
];

export const coverageText = (coverage: Coverage): string =>
  `${coverage.scored} scored, each with at least 3 + 2 true codes; ${coverage.unexplainable} without a score for want ` +
  `of true reasons (${coverage.unexplainable_few_invoices} of them known from one or two invoices); ` +
  `${coverage.insufficient} for want of data; ${percent(coverage.explainable_share)} explainable`;

/** The tables of one book. */
export function markdownOf(report: BookReport): string {
  const gates = report.cut_offs.map(
    ({ population, at_risk, at_risk_bad, customers, bad }) =>
      `${population}: ${at_risk - customers} (${at_risk_bad - bad} bad)`,
  );
  const bands = BANDS.flatMap((band) => {
    const found = report.calibration_by_band[band];
    return found === undefined ? [] : [calibrationRow(band, found)];
  });
  return [
    `## ${report.source}`,
    "",
    `${report.invoices} invoices of ${report.customers} customers, known up to ${report.known_until}. Customers at risk`,
    `to whom the engine gave no score: ${gates.join(", ")}.`,
    "",
    "All cut-off days together, bad is any invoice 30+ days late in the 90 days after:",
    "",
    table(COMPARISON_HEADER, report.comparisons.flatMap(comparisonRows)),
    "",
    "The same by cut-off day:",
    "",
    table(
      ["cut-off", ...SHORT_HEADER],
      report.cut_offs.map((row) => shortRow(row.population, row)),
    ),
    "",
    "All cut-off days together, the question put in other ways:",
    "",
    table(
      ["bad means", ...SHORT_HEADER],
      report.questions.map((row) => shortRow(row.bad_means, row)),
    ),
    "",
    "Calibration: mean PD against the share that went bad as PD defines it, by band and by fifths of the PD:",
    "",
    table(
      ["band or fifth", "scored", "mean PD", "went bad"],
      [...bands, ...report.reliability.map((point, i) => calibrationRow(String(i + 1), point))],
    ),
    "",
    `Scores against the out-of-time set's: PSI ${report.psi.toFixed(3)}.`,
    "",
    `Reason codes, everybody with an invoice, all cut-off days: ${coverageText(report.coverage)}.`,
    `On ${report.known_until}: ${coverageText(report.coverage_at_end)}.`,
    "",
  ].join("\n");
}

const BEGIN_MARK = "<!-- validation: begin, written by training/validate.ts -->";
const END_MARK = "<!-- validation: end -->";

/** Puts text between the validation marks of a Markdown file; throws where they are missing. */
export function writeBetweenMarks(path: string, text: string): void {
  const page = readFileSync(path, "utf8");
  const begin = page.indexOf(BEGIN_MARK);
  const end = page.indexOf(END_MARK);
  if (begin < 0 || end < begin) throw new Error(`${path} lacks the marks ${BEGIN_MARK} and ${END_MARK}`);
  writeFileSync(path, `${page.slice(0, begin)}${BEGIN_MARK}\n\n${wrapped(text)}\n${page.slice(end)}`);
}
