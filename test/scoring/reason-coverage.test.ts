import { describe, expect, it } from "vitest";
import championMeta from "../../models/champion.meta.json" with { type: "json" };
import championText from "../../models/champion.xgb?raw";
import { compileChampion, scoreStatement } from "../../src/scoring/engine.ts";
import { NEGATIVE_RULES, POSITIVE_RULES } from "../../src/scoring/reason-table.ts";
import type { ScoredCard } from "../../src/scoring/types.ts";
import { AS_OF_DAYS, casesOfLedger } from "../../training/synthetic.ts";

const champion = compileChampion(championText, championMeta);
const REQUEST = { seed: "reason coverage", ledgers: 6, retailers: 60 };

const answers = Array.from({ length: REQUEST.ledgers }, (_, number) =>
  Array.from(casesOfLedger(number, REQUEST, AS_OF_DAYS.slice(0, 2)), ({ statement, as_of_day }) => ({
    invoices: statement.invoices.filter((row) => !row.is_return).length,
    card: scoreStatement(statement, as_of_day, champion).card,
  })),
).flat();
const scored = answers.flatMap(({ card }) => (card.status === "scored" ? [card] : []));

const codes = (card: ScoredCard, direction: "positive" | "negative"): string[] =>
  card.reasons.filter((reason) => reason.direction === direction).map((reason) => reason.code);

describe("reasons of made-up retailers", () => {
  it("are at least 3 positive and 2 negative for every score, each once and none against another", () => {
    const opposites = new Map(
      [...POSITIVE_RULES, ...NEGATIVE_RULES].map(({ code, opposite }) => [code, opposite]),
    );
    expect(scored.length).toBeGreaterThan(400);
    for (const card of scored) {
      const [positive, negative] = [codes(card, "positive"), codes(card, "negative")];
      expect(positive.length).toBeGreaterThanOrEqual(3);
      expect(negative.length).toBeGreaterThanOrEqual(2);
      expect(new Set([...positive, ...negative]).size).toBe(card.reasons.length);
      for (const code of positive) expect(negative).not.toContain(opposites.get(code));
    }
  });

  it("can be given to 97 of 100 with three invoices or more", () => {
    const known = answers.filter(({ invoices, card }) => invoices >= 3 && card.status !== "insufficient");
    const explained = known.filter(({ card }) => card.status === "scored");
    expect(explained.length / known.length).toBeGreaterThan(0.97);
  });
});
