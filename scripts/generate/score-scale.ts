import { bandOf, logOddsOf, scoreOf } from "../../src/scoring/score-map.ts";
import { COLOURS, element, picture, textAt } from "../lib/svg.ts";

const WIDTH = 560;
const HEIGHT = 400;
const PLOT = { left: 56, right: 540, top: 56, bottom: 344 };
const ANCHOR_SCORES = [300, 450, 600, 750, 900];
/** The worked example of docs/scoring.md. */
const EXAMPLE_PD = 0.082;
const BAND_FILLS = { A: "#d5efe6", B: "#e9f5ee", C: "#fdf0e1", D: "#fadfce" } as const;
const LOG_ODDS = { low: Math.log(0.25 / 0.75), high: Math.log(0.998 / 0.002) };

const oddsOf = (pd: number): number => Math.log((1 - pd) / pd);
const pdOf = (log_odds: number): number => 1 / (1 + Math.exp(log_odds));
const percent = (pd: number): string => `${Number((100 * pd).toFixed(1))} %`;
const x = (log_odds: number): number =>
  PLOT.left + ((log_odds - LOG_ODDS.low) / (LOG_ODDS.high - LOG_ODDS.low)) * (PLOT.right - PLOT.left);
const y = (score: number): number => PLOT.bottom - ((score - 300) / 600) * (PLOT.bottom - PLOT.top);

function bands(): string[] {
  return ANCHOR_SCORES.slice(0, -1).flatMap((from, i) => {
    const to = ANCHOR_SCORES[i + 1]!;
    const band = bandOf(from);
    const middle = y((from + to) / 2) + 7;
    return [
      element("rect", {
        x: PLOT.left,
        y: y(to),
        width: PLOT.right - PLOT.left,
        height: y(from) - y(to),
        fill: BAND_FILLS[band],
      }),
      textAt(PLOT.right - 12, middle, band, { "font-size": 20, "font-weight": "bold", "text-anchor": "end" }),
      textAt(PLOT.left - 8, y(from) + 4, String(from), { "font-size": 13, "text-anchor": "end" }),
    ];
  });
}

function axis(): string[] {
  const small = { "font-size": 13, "text-anchor": "middle" };
  const ticks = ANCHOR_SCORES.flatMap((score) => {
    const at = x(logOddsOf(score));
    return [
      element("line", {
        x1: at,
        y1: y(score),
        x2: at,
        y2: PLOT.bottom + 6,
        stroke: COLOURS.muted,
        "stroke-dasharray": "2 3",
      }),
      textAt(at, PLOT.bottom + 22, percent(pdOf(logOddsOf(score))), small),
    ];
  });
  return [
    ...ticks,
    textAt(PLOT.left - 8, y(900) + 4, "900", { "font-size": 13, "text-anchor": "end" }),
    element("line", { x1: PLOT.left, y1: PLOT.bottom, x2: PLOT.right, y2: PLOT.bottom, stroke: COLOURS.ink }),
    textAt(
      (PLOT.left + PLOT.right) / 2,
      HEIGHT - 12,
      "probability of default within 90 days, on a scale of log odds",
      small,
    ),
  ];
}

function curve(): string {
  const inner = ANCHOR_SCORES.map((score) => `${x(logOddsOf(score)).toFixed(2)},${y(score).toFixed(2)}`);
  const points = [`${PLOT.left},${y(300)}`, ...inner, `${PLOT.right},${y(900)}`].join(" ");
  return element("polyline", { points, fill: "none", stroke: COLOURS.ink, "stroke-width": 2.5 });
}

function example(): string[] {
  const score = scoreOf(oddsOf(EXAMPLE_PD));
  const [at, height] = [x(oddsOf(EXAMPLE_PD)), y(score)];
  return [
    element("circle", {
      cx: at,
      cy: height,
      r: 6,
      fill: COLOURS.bad,
      stroke: COLOURS.paper,
      "stroke-width": 2,
    }),
    textAt(at - 12, height - 8, `PD ${percent(EXAMPLE_PD)} is score ${score}`, {
      "font-size": 14,
      "font-weight": "bold",
      "text-anchor": "end",
    }),
  ];
}

/** docs/img/score-scale.svg: how a probability of default becomes a score and a band. */
export function scoreScalePicture(): string {
  const anchors = ANCHOR_SCORES.map((score) => `${percent(pdOf(logOddsOf(score)))}: ${score}`).join(", ");
  const dots = ANCHOR_SCORES.map((score) =>
    element("circle", { cx: x(logOddsOf(score)), cy: y(score), r: 4, fill: COLOURS.ink }),
  );
  return picture(
    {
      width: WIDTH,
      height: HEIGHT,
      title: "The score scale",
      desc: `Score by probability of default, straight lines in log odds between ${anchors}.`,
    },
    [
      textAt(PLOT.left, 30, "The score scale", { "font-size": 18, "font-weight": "bold" }),
      ...bands(),
      ...axis(),
      curve(),
      ...dots,
      ...example(),
    ],
  );
}
