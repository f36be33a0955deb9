import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { sha256Hex } from "../../src/lib/bytes.ts";
import { publishNotice, withdrawNotice } from "../../src/parties/provisioning.ts";
import { findNotice, noticesInForce } from "../../src/parties/store.ts";

const HINDI = "AltScore आपकी अनुमति चाहता है।";

describe("a consent notice", () => {
  it("is in force once published, in each of its languages, with the digest of its text", async () => {
    const id = { notice_id: "onboarding", notice_version: "1.0" };
    expect(await publishNotice(env, { ...id, language: "hi-in", text: HINDI })).toEqual({
      sha256: sha256Hex(HINDI),
    });
    await publishNotice(env, { ...id, language: "en", text: "AltScore asks" });
    const hindi = { ...id, language: "hi-IN", text: HINDI, sha256: sha256Hex(HINDI) };
    expect(await findNotice(env, "onboarding", "1.0", "hi-IN")).toEqual(hindi);
    expect(await findNotice(env, "onboarding", "1.0", "HI-in")).toEqual(hindi);
    expect((await findNotice(env, "onboarding", "1.0"))?.language).toBe("en");
    expect(await noticesInForce(env)).toEqual([expect.objectContaining({ language: "en" }), hindi]);
  });

  it("is not found by another id, version or language", async () => {
    for (const [notice_id, version, language] of [
      ["other", "1.0", "en"],
      ["onboarding", "1.1", "en"],
      ["onboarding", "1.0", "ta"],
    ] as const) {
      expect(await findNotice(env, notice_id, version, language)).toBeNull();
    }
  });

  it("never changes: the same text again is the same notice, another text is refused", async () => {
    const notice = { notice_id: "fixed", notice_version: "1", language: "en", text: "text" };
    expect(await publishNotice(env, notice)).toEqual(await publishNotice(env, notice));
    await expect(publishNotice(env, { ...notice, text: "other" })).rejects.toMatchObject({
      code: "NOTICE_EXISTS",
    });
    expect((await findNotice(env, "fixed", "1", "en"))?.text).toBe("text");
  });

  it("is out of force in all languages once withdrawn, and stays so", async () => {
    const id = { notice_id: "old", notice_version: "1" };
    await publishNotice(env, { ...id, language: "en", text: "text" });
    await publishNotice(env, { ...id, language: "hi", text: HINDI });
    const first = await withdrawNotice(env, id);
    expect(await withdrawNotice(env, id)).toEqual(first);
    expect(await findNotice(env, "old", "1")).toBeNull();
    expect((await noticesInForce(env)).filter((notice) => notice.notice_id === "old")).toEqual([]);
    await expect(publishNotice(env, { ...id, language: "en", text: "text" })).rejects.toMatchObject({
      code: "NOTICE_EXISTS",
    });
  });

  it("cannot be withdrawn if there is none", async () => {
    await expect(withdrawNotice(env, { notice_id: "none", notice_version: "1" })).rejects.toMatchObject({
      code: "NOTICE_UNKNOWN",
    });
  });

  it.each([
    { notice_id: "", notice_version: "1", language: "en", text: "x" },
    { notice_id: "a b", notice_version: "1", language: "en", text: "x" },
    { notice_id: "a", notice_version: "1", language: "not a language", text: "x" },
    { notice_id: "a", notice_version: "1", language: "en", text: "" },
  ])("is refused in the form %j", async (input) => {
    await expect(publishNotice(env, input)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  });
});
