export type Language = "en" | "hi";

/**
 * The language for labels by RFC 9110 §12.5.4: the supported range with the highest weight, ties and
 * everything else to English. `*` counts for whichever is not named.
 */
export function negotiateLanguage(accept_language: string | null | undefined): Language {
  if (!accept_language) return "en";
  const weights = new Map<string, number>();
  for (const part of accept_language.split(",").slice(0, 32)) {
    const [range = "", ...parameters] = part.trim().toLowerCase().split(";");
    const q = parameters.map((p) => p.trim()).find((p) => p.startsWith("q="));
    const weight = q === undefined ? 1 : Number.parseFloat(q.slice(2));
    const primary = range.trim().split("-")[0] ?? "";
    if (Number.isNaN(weight)) continue;
    weights.set(primary, Math.max(weights.get(primary) ?? 0, weight));
  }
  const any = weights.get("*") ?? 0;
  const en = weights.get("en") ?? any;
  const hi = weights.get("hi") ?? any;
  return hi > en ? "hi" : "en";
}
