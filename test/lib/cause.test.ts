import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import { expect, it } from "vitest";
import { consentEvidence } from "../../src/consent/tables.ts";
import { causeText } from "../../src/lib/cause.ts";

it("tells name and message of an error, cut to length", () => {
  expect(causeText(new TypeError("x is no text"))).toBe("TypeError: x is no text");
  expect(causeText("thrown as it is")).toBe("thrown as it is");
  expect(causeText(new Error("a".repeat(10_000)))).toHaveLength(500);
});

it("tells nothing of the values of a failed query", async () => {
  const row = {
    wa_message_id: "wamid.secret",
    kind: "grant",
    content_sha256: "hidden",
    answer: "{}",
    created_at: "2026-01-01",
  } as const;
  const db = drizzle(env.DB);
  await db.insert(consentEvidence).values(row);
  const failure = await db
    .insert(consentEvidence)
    .values(row)
    .then(
      () => null,
      (cause: unknown) => cause,
    );
  expect(String(failure)).toContain("wamid.secret");
  expect(causeText(failure)).toMatch(/^Failed query: .*UNIQUE constraint failed/);
  expect(causeText(failure)).not.toMatch(/secret|hidden/);
});
