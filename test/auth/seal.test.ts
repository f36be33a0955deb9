import { env } from "cloudflare:workers";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seal, unseal } from "../../src/auth/seal.ts";
import { type Config, parseEnv } from "../../src/config.ts";

const config = parseEnv(env);

describe("a sealed value", () => {
  it("opens to what was sealed, whatever the text", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "grapheme" }), fc.string(), async (text, aad) => {
        expect(await unseal(config, await seal(config, text, aad), aad)).toBe(text);
      }),
    );
  });

  it("never looks the same twice and never shows the text", async () => {
    const [one, other] = [await seal(config, "top-secret", "kid"), await seal(config, "top-secret", "kid")];
    expect(one).not.toBe(other);
    expect(one).not.toContain(btoa("top-secret").slice(0, 8));
  });

  it("does not open for another owner", async () => {
    const sealed = await seal(config, "text", "dist_1");
    await expect(unseal(config, sealed, "dist_2")).rejects.toThrow();
  });

  it("does not open under another secret", async () => {
    const other: Config = { ...config, KEY_ENCRYPTION_SECRET: config.PHONE_PEPPER };
    await expect(unseal(other, await seal(config, "text", "kid"), "kid")).rejects.toThrow();
  });

  it("does not open if any character of it was changed", async () => {
    const sealed = await seal(config, "text", "kid");
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: sealed.length - 2 }), async (at) => {
        const swapped = sealed[at] === "A" ? "B" : "A";
        const changed = sealed.slice(0, at) + swapped + sealed.slice(at + 1);
        await expect(unseal(config, changed, "kid")).rejects.toThrow();
      }),
    );
  });
});
