/** Small parts of SVG pictures: standalone, without scripts, fonts or anything else from outside. */

/** Names the fonts that have Latin and Devanagari letters on common systems; any sans-serif does. */
export const FONT_FAMILY =
  "'Noto Sans', 'Noto Sans Devanagari', 'Nirmala UI', 'Kohinoor Devanagari', sans-serif";

/** Okabe and Ito's bluish green and vermilion, told apart by colour-blind readers too; darker for text. */
export const COLOURS = {
  good: "#009e73",
  good_text: "#00684c",
  bad: "#d55e00",
  bad_text: "#a84a00",
  ink: "#1f2328",
  muted: "#57606a",
  line: "#d0d7de",
  connector: "#afb8c1",
  shade: "#f3f5f7",
  paper: "#ffffff",
} as const;

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML 1.0 cannot hold, even escaped
const NOT_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Cs}/gu;

/** Text as XML content or attribute value; characters that XML cannot hold become U+FFFD. */
export function escapeXml(text: string): string {
  return text
    .replaceAll(NOT_XML, "\ufffd")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&apos;");
}

type Attributes = Record<string, string | number>;

/** Numbers to a hundredth: finer is not seen, and the bytes stay the same on every machine. */
function shown(value: string | number): string {
  return typeof value === "number" ? String(Number(value.toFixed(2))) : escapeXml(value);
}

/** An element; `content` is XML already. */
export function element(name: string, attributes: Attributes, content = ""): string {
  const list = Object.entries(attributes).map(([key, value]) => ` ${key}="${shown(value)}"`);
  return content === "" ? `<${name}${list.join("")}/>` : `<${name}${list.join("")}>${content}</${name}>`;
}

/** A line of text with its baseline at y. */
export function textAt(x: number, y: number, text: string, attributes: Attributes = {}): string {
  return element("text", { x, y, ...attributes }, escapeXml(text));
}

/** About how wide a text is: generous for Latin and Devanagari letters, whose vowel signs mostly stand above or below. */
export function estimatedWidth(text: string, font_px: number): number {
  let ems = 0;
  for (const letter of text) {
    if (/\p{Mn}/u.test(letter)) continue;
    if (/[ijl.,:;|' ]/.test(letter)) ems += 0.32;
    else if (/[frt()·]/.test(letter)) ems += 0.42;
    else ems += /[mw%@—\p{Lu}]/u.test(letter) ? 0.74 : 0.58;
  }
  return ems * font_px;
}

/** Words filled into lines of at most `width`; a word that is longer is cut. */
export function wrapText(text: string, width: number, font_px: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && estimatedWidth(longer, font_px) <= width) lines[lines.length - 1] = longer;
    else lines.push(fitText(word, width, font_px));
  }
  return lines;
}

/** The text, cut with an ellipsis if it is wider than `width`. */
export function fitText(text: string, width: number, font_px: number): string {
  const letters = [...text];
  if (estimatedWidth(text, font_px) <= width) return text;
  while (letters.length > 1 && estimatedWidth(`${letters.join("")}…`, font_px) > width) letters.pop();
  return `${letters.join("")}…`;
}

/** A whole picture of `width` by `height` units, which shrinks with the page; `title` and `desc` are read aloud. */
export function picture(
  {
    width,
    height,
    title,
    desc,
    language = "en",
  }: {
    width: number;
    height: number;
    title: string;
    desc: string;
    language?: string;
  },
  parts: readonly string[],
): string {
  const root = {
    xmlns: "http://www.w3.org/2000/svg",
    viewBox: `0 0 ${shown(width)} ${shown(height)}`,
    width,
    height,
    style: "max-width: 100%; height: auto",
    role: "img",
    "xml:lang": language,
    "aria-labelledby": "title desc",
    "font-family": FONT_FAMILY,
    fill: COLOURS.ink,
  };
  const lines = [
    element("title", { id: "title" }, escapeXml(title)),
    element("desc", { id: "desc" }, escapeXml(desc)),
    element("rect", { width: "100%", height: "100%", fill: COLOURS.paper }),
    ...parts,
  ];
  return `${element("svg", root, `\n${lines.join("\n")}\n`)}\n`;
}
