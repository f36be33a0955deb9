import type { Language } from "../../src/http/language.ts";
import { dayToIso } from "../../src/lib/days.ts";
import type { Guardrail } from "../../src/scoring/guardrails.ts";
import { reasonTexts } from "../../src/scoring/reason-table.ts";
import { bandOf, logOddsOf } from "../../src/scoring/score-map.ts";
import type { Reason, ScoredCard } from "../../src/scoring/types.ts";
import { COLOURS, element, fitText, picture, textAt, wrapText } from "../lib/svg.ts";
import { GUARDRAIL_TEXTS, TEXTS } from "./explain-texts.ts";
import type { PathStep, ScorePath } from "./score-path.ts";

/** What the picture shows of a card beside the path. */
export type PicturedCard = Pick<
  ScoredCard,
  | "altscore"
  | "risk_band"
  | "probability_of_default"
  | "as_of_day"
  | "route"
  | "recommended_limit_inr"
  | "reasons"
  | "guardrails"
>;

/** What the picture says beside the card. */
interface Shown {
  language: Language;
  /** Id and version of the model and the engine. */
  model: string;
  retailer_id: string | null;
}

/** Narrow, so that the letters stay legible on a phone of 360 px. */
const WIDTH = 440;
const MARGIN = 16;
const INNER = WIDTH - 2 * MARGIN;
const ROW = 38;
const BAR = 11;
const BODY_PX = 13;
const SMALL_PX = 11;
const LINE = 15;
const VALUE_WIDTH = 92;
const NOTE = { "font-size": SMALL_PX, fill: COLOURS.muted };
const BORDER_SCORES = [300, 450, 600, 750, 900];

/** Stripes beside the colour, for whoever does not see the colour. */
const STRIPES = element(
  "defs",
  {},
  element(
    "pattern",
    { id: "stripes", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    element("rect", { width: 6, height: 6, fill: COLOURS.bad }) +
      element("rect", { width: 2, height: 6, fill: COLOURS.paper, "fill-opacity": 0.75 }),
  ),
);

const inr = (rupees: number): string => `₹${rupees.toLocaleString("en-IN")}`;

function signed(value: number): string {
  const size = Math.abs(value).toFixed(2);
  if (size === "0.00") return size;
  return `${value < 0 ? "−" : "+"}${size}`;
}

/** A guardrail in words; a card of another version may name one that this version does not know. */
function guardrailLabel(name: string, language: Language): string {
  return Object.hasOwn(GUARDRAIL_TEXTS, name) ? GUARDRAIL_TEXTS[name as Guardrail][language] : name;
}

function stepLabel(step: PathStep, reasons: readonly Reason[], language: Language): string {
  const texts = TEXTS[language];
  switch (step.kind) {
    case "reason": {
      const { label_en, label_hi } = reasonTexts(step.code);
      const given = reasons.find(({ code }) => code === step.code);
      const label = language === "hi" ? label_hi : label_en;
      if (given === undefined) return label;
      return `${label} · ${texts.reason} ${given.direction === "positive" ? "+" : "−"}${given.rank}`;
    }
    case "rest":
      return texts.rest(step.groups);
    case "allowance":
      return texts.allowance;
    case "guardrail":
      return guardrailLabel(step.code, language);
  }
}

/** Log odds to x: everything that the path passes, and at least one border of a band. */
function scaleOf(path: ScorePath): (log_odds: number) => number {
  const passed = [path.base, ...path.steps.map((step) => step.to)];
  const nearest = BORDER_SCORES.map(logOddsOf).reduce((a, b) =>
    Math.abs(b - path.base) < Math.abs(a - path.base) ? b : a,
  );
  const low = Math.min(...passed, nearest) - 0.15;
  const high = Math.max(...passed, nearest) + 0.15;
  return (log_odds) => MARGIN + ((log_odds - low) / (high - low)) * INNER;
}

/** Borders of the score's bands over the whole height of the plot, each with its score on top. */
function borders(x: (log_odds: number) => number, top: number, bottom: number): string[] {
  return BORDER_SCORES.flatMap((score) => {
    const at = x(logOddsOf(score));
    if (at < MARGIN || at > WIDTH - MARGIN) return [];
    const anchor = at < MARGIN + 20 ? "start" : at > WIDTH - MARGIN - 20 ? "end" : "middle";
    const text = { ...NOTE, "text-anchor": anchor };
    return [
      element("line", {
        x1: at,
        y1: top,
        x2: at,
        y2: bottom,
        stroke: COLOURS.line,
        "stroke-dasharray": "2 3",
      }),
      textAt(at, top - 5, String(score), text),
    ];
  });
}

/** Label and value of a row on one line above its bar; a light edge keeps them legible over the borders. */
function rowText(y: number, label: string, value: string, style: Record<string, string> = {}): string[] {
  const edge = { stroke: COLOURS.paper, "stroke-width": 3, "paint-order": "stroke", "font-size": BODY_PX };
  const { fill = COLOURS.ink, ...font } = style;
  return [
    textAt(MARGIN, y + 14, fitText(label, INNER - VALUE_WIDTH, BODY_PX), { ...edge, ...font }),
    textAt(WIDTH - MARGIN, y + 14, value, { ...edge, ...font, fill, "text-anchor": "end" }),
  ];
}

function bar(x: (log_odds: number) => number, y: number, step: PathStep): string[] {
  const [from, to] = [x(step.to - step.size), x(step.to)];
  const is_good = step.size >= 0;
  return [
    element("rect", {
      x: Math.min(from, to),
      y: y + 20,
      width: Math.max(1, Math.abs(to - from)),
      height: BAR,
      fill: is_good ? COLOURS.good : "url(#stripes)",
      stroke: is_good ? COLOURS.good : COLOURS.bad,
    }),
    connector(to, y + 20 + BAR, y + ROW + 20),
  ];
}

/** From the end of one bar to the beginning of the next. */
function connector(x: number, from: number, to: number): string {
  return element("line", { x1: x, y1: from, x2: x, y2: to, stroke: COLOURS.connector });
}

/** The point where the path begins or ends. */
function dot(at: number, y: number): string {
  return element("circle", { cx: at, cy: y + 20 + BAR / 2, r: 5.5, fill: COLOURS.ink });
}

/** Part of the picture, and the y where the next may begin. */
interface Part {
  parts: string[];
  end: number;
}

/** Paragraphs of small print from y on. */
function smallPrint(paragraphs: readonly string[], y: number): Part {
  const lines = paragraphs.flatMap((text) => wrapText(text, INNER, SMALL_PX));
  return {
    parts: lines.map((line, i) => textAt(MARGIN, y + LINE * i, line, NOTE)),
    end: y + LINE * lines.length,
  };
}

function header(card: PicturedCard, heading: string, shown: Shown): Part {
  const { language, retailer_id, model } = shown;
  const texts = TEXTS[language];
  const percent = String(Number((100 * card.probability_of_default).toFixed(2)));
  const facts = smallPrint(
    [
      `${texts.pd(percent)} · ${texts.as_of} ${dayToIso(card.as_of_day)} · ${texts.limit} ${inr(card.recommended_limit_inr)}`,
      `${texts.route}: ${texts.routes[card.route]}`,
      `${texts.model}: ${model}`,
      ...(retailer_id === null ? [] : [`${texts.retailer}: ${retailer_id}`]),
    ],
    74,
  );
  const title = textAt(MARGIN, 26, texts.title, { "font-size": BODY_PX, fill: COLOURS.muted });
  const score = textAt(MARGIN, 54, heading, { "font-size": 24, "font-weight": "bold" });
  return { parts: [title, score, ...facts.parts], end: facts.end };
}

/** The bars from y on, and the same in words. */
function plot(
  card: PicturedCard,
  path: ScorePath,
  language: Language,
  y: number,
): Part & { words: string[] } {
  const texts = TEXTS[language];
  const top = y + 30;
  const end = top + ROW * (path.steps.length + 2) + 4;
  const x = scaleOf(path);
  const words = [`${texts.start}: ${path.base_score}`];
  const parts = [
    textAt(MARGIN, top - 19, bandsPassed(path, texts.band), NOTE),
    textAt(WIDTH - MARGIN, top - 19, texts.columns, { ...NOTE, "text-anchor": "end" }),
    ...borders(x, top, end),
    connector(x(path.base), top + 26, top + ROW + 20),
    dot(x(path.base), top),
    ...rowText(top, texts.start, String(path.base_score)),
  ];
  let row = top;
  for (const step of path.steps) {
    row += ROW;
    const label = stepLabel(step, card.reasons, language);
    const value = `${signed(step.size)} → ${step.score}`;
    const fill = step.size < 0 ? COLOURS.bad_text : COLOURS.good_text;
    parts.push(...bar(x, row, step), ...rowText(row, label, value, { fill }));
    words.push(`${label}: ${value}`);
  }
  row += ROW;
  parts.push(dot(x(path.steps.at(-1)?.to ?? path.base), row));
  parts.push(...rowText(row, texts.result, String(card.altscore), { "font-weight": "bold" }));
  words.push(`${texts.result}: ${card.altscore}`);
  return { parts, end, words };
}

/** Where the path begins and where it ends, by band. */
function bandsPassed(path: ScorePath, word: string): string {
  const [from, to] = [bandOf(path.base_score), bandOf(path.steps.at(-1)?.score ?? path.base_score)];
  return from === to ? `${word} ${to}` : `${word} ${from} → ${to}`;
}

/** What the guardrails did beside the bars, one note each. */
function guardrailNotes(card: PicturedCard, language: Language): string[] {
  const texts = TEXTS[language];
  const notes = card.guardrails.map(({ guardrail, effect }) => {
    const [, what, from, to] = /^(score|limit) (\d+) -> (\d+)$/.exec(effect) ?? [];
    const label = guardrailLabel(guardrail, language);
    if (what === "score") return `${label} (${texts.score} ${from} → ${to})`;
    return what === "limit" ? `${label} (${inr(Number(from))} → ${inr(Number(to))})` : label;
  });
  return notes.length === 0 ? [texts.no_guardrails] : notes;
}

function footer(card: PicturedCard, language: Language, y: number): Part {
  const texts = TEXTS[language];
  const title = textAt(MARGIN, y + 26, texts.guardrails, { "font-size": BODY_PX, "font-weight": "bold" });
  const notes = smallPrint(
    guardrailNotes(card, language).map((text) => `• ${text}`),
    y + 44,
  );
  const print = smallPrint([texts.footer], notes.end + 8);
  return { parts: [title, ...notes.parts, ...print.parts], end: print.end };
}

/**
 * A waterfall of what moved a score, from where the model starts to the score, as a standalone SVG text. The x axis is
 * linear in log odds, so that bars add up; the borders of the bands stand where they fall on it.
 */
export function waterfall(card: PicturedCard, path: ScorePath, shown: Shown): string {
  const { language } = shown;
  const texts = TEXTS[language];
  const heading = `AltScore ${card.altscore} · ${texts.band} ${card.risk_band}`;
  const top = header(card, heading, shown);
  const middle = plot(card, path, language, top.end);
  const bottom = footer(card, language, middle.end);
  const title = `${texts.title}: ${heading}`;
  return picture({ width: WIDTH, height: bottom.end + 4, title, desc: middle.words.join("; "), language }, [
    STRIPES,
    ...top.parts,
    ...middle.parts,
    ...bottom.parts,
  ]);
}
