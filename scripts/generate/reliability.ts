import { COLOURS, element, picture, textAt } from "../lib/svg.ts";

/** One bin of rows of models/validation.json, by predicted PD. */
export interface ReliabilityBin {
  source: string;
  mean_pd: number;
  bad_rate: number;
  rows: number;
}

const WIDTH = 560;
const PLOT = { left: 60, right: 534, top: 110, bottom: 510 };
const HEIGHT = 566;
const TICKS = [0, 0.01, 0.05, 0.1, 0.25, 0.5, 1];
/** Two-sided 95 % point of the normal distribution. */
const Z = 1.959964;
/** Okabe and Ito's colours; each source has a shape of its own as well. */
const STYLES = [
  { fill: "#0072b2", shape: "circle" },
  { fill: "#d55e00", shape: "square" },
  { fill: "#009e73", shape: "triangle" },
  { fill: "#cc79a7", shape: "diamond" },
] as const;

/** Square roots: small rates get room, and a rate of 0 has a place. */
const x = (rate: number): number => PLOT.left + Math.sqrt(rate) * (PLOT.right - PLOT.left);
const y = (rate: number): number => PLOT.bottom - Math.sqrt(rate) * (PLOT.bottom - PLOT.top);

/** Wilson's 95 % interval of a share among `rows`. */
export function wilson(share: number, rows: number): { low: number; high: number } {
  const scale = 1 + Z ** 2 / rows;
  const centre = (share + Z ** 2 / (2 * rows)) / scale;
  const half = (Z / scale) * Math.sqrt((share * (1 - share)) / rows + (Z / (2 * rows)) ** 2);
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}

function marker(shape: (typeof STYLES)[number]["shape"], at: number, height: number, fill: string): string {
  const edge = { fill, stroke: COLOURS.paper };
  switch (shape) {
    case "circle":
      return element("circle", { cx: at, cy: height, r: 6, ...edge });
    case "square":
      return element("rect", { x: at - 5.5, y: height - 5.5, width: 11, height: 11, ...edge });
    case "triangle":
      return element("path", { d: `M${at.toFixed(2)} ${(height - 7).toFixed(2)}l7 12h-14z`, ...edge });
    case "diamond":
      return element("path", { d: `M${at.toFixed(2)} ${(height - 8).toFixed(2)}l8 8l-8 8l-8-8z`, ...edge });
  }
}

function axes(): string[] {
  const small = { "font-size": 13, fill: COLOURS.muted };
  const grid = TICKS.flatMap((rate) => {
    const label = `${100 * rate} %`;
    return [
      element("line", { x1: x(rate), y1: PLOT.top, x2: x(rate), y2: PLOT.bottom, stroke: COLOURS.line }),
      element("line", { x1: PLOT.left, y1: y(rate), x2: PLOT.right, y2: y(rate), stroke: COLOURS.line }),
      textAt(x(rate), PLOT.bottom + 18, label, { ...small, "text-anchor": "middle" }),
      textAt(PLOT.left - 8, y(rate) + 4, label, { ...small, "text-anchor": "end" }),
    ];
  });
  const middle = (PLOT.left + PLOT.right) / 2;
  return [
    ...grid,
    element("line", {
      x1: x(0),
      y1: y(0),
      x2: x(1),
      y2: y(1),
      stroke: COLOURS.muted,
      "stroke-dasharray": "6 4",
    }),
    textAt(middle, HEIGHT - 16, "mean PD of a group of retailers (axes by square root)", {
      ...small,
      "text-anchor": "middle",
    }),
    textAt(PLOT.left, PLOT.top - 12, "share that went bad, with 95 % interval", small),
  ];
}

/** docs/img/reliability.svg: predicted PD against what happened, by source; at most four sources. */
export function reliabilityPicture(bins: readonly ReliabilityBin[]): string {
  const sources = [...new Set(bins.map((bin) => bin.source))];
  if (sources.length > STYLES.length)
    throw new RangeError(`no more than ${STYLES.length} sources can be told apart`);
  const marks = bins.flatMap(({ source, mean_pd, bad_rate, rows }) => {
    const { fill, shape } = STYLES[sources.indexOf(source)]!;
    const { low, high } = wilson(bad_rate, rows);
    return [
      element("line", {
        x1: x(mean_pd),
        y1: y(low),
        x2: x(mean_pd),
        y2: y(high),
        stroke: fill,
        "stroke-width": 1.5,
      }),
      marker(shape, x(mean_pd), y(bad_rate), fill),
    ];
  });
  const legend = sources.flatMap((source, i) => {
    const { fill, shape } = STYLES[i]!;
    const [at, height] = [PLOT.left + 6 + (i % 2) * 240, 50 + Math.floor(i / 2) * 24];
    return [marker(shape, at, height, fill), textAt(at + 14, height + 5, source, { "font-size": 14 })];
  });
  const described = bins.map(
    (bin) => `${bin.source}: PD ${percent(bin.mean_pd)}, went bad ${percent(bin.bad_rate)} of ${bin.rows}`,
  );
  return picture(
    {
      width: WIDTH,
      height: HEIGHT,
      title: "Reliability of the probability of default",
      desc: described.join("; "),
    },
    [
      textAt(PLOT.left, 26, "Predicted and observed", { "font-size": 18, "font-weight": "bold" }),
      ...legend,
      ...axes(),
      ...marks,
    ],
  );
}

function percent(rate: number): string {
  return `${Number((100 * rate).toFixed(1))} %`;
}
