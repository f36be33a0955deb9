import { describe, expect, it } from "vitest";
import { newId } from "../../src/lib/seams.ts";
import { openFromChat, rightsText } from "../../src/rights/chat.ts";
import type { CorrectionAnswer } from "../../src/rights/schemas.ts";
import { newMessageId } from "../consent/support.ts";
import { answered, call, newRetailer, quiet, withFailingBatch } from "../grievance/support.ts";
import { seedService } from "../support/auth.ts";
import { seedScene } from "../support/scene.ts";

const said = (
  retailer_id: string,
  kind: "correction" | "erasure" | "export",
  text: string | null = null,
) => ({
  kind,
  retailer_id,
  text,
  wamid: newMessageId(),
  language: "hi" as const,
});

describe("a request from the chat", () => {
  it("is recorded once per message, with the retailer's words", async () => {
    const retailer_id = await newRetailer();
    const message = said(retailer_id, "correction", "17 नंबर का बिल चुकाया है");
    const ids = await Promise.all(Array.from({ length: 4 }, () => openFromChat(quiet, message)));
    expect(new Set(ids.map(({ request_id }) => request_id)).size).toBe(1);
    const reader = await seedService("rights:read");
    const [, { data }] = await answered<{ data: CorrectionAnswer[] }>(
      call(reader, "GET", `/v1/rights/${retailer_id}/corrections`),
    );
    expect(data).toMatchObject([{ correction_id: ids[0]?.request_id, right_value: message.text }]);
  });

  it.each(["erasure", "export"] as const)("for %s gets an id of its own kind", async (kind) => {
    const { request_id } = await openFromChat(quiet, said(await newRetailer(), kind));
    expect(request_id).toMatch(/^req_[0-9a-f]{16}$/);
  });

  it("that could not be written is recorded when the message is worked off again", async () => {
    const message = said(await newRetailer(), "erasure");
    await expect(openFromChat(withFailingBatch(), message)).rejects.toThrow("SERVICE_UNAVAILABLE");
    expect((await openFromChat(quiet, message)).request_id).toMatch(/^req_/);
  });

  it("of nobody we know is refused", async () => {
    await expect(openFromChat(quiet, said(newId("ret"), "export"))).rejects.toThrow("RETAILER_NOT_FOUND");
  });
});

describe("the summary for the chat", () => {
  it("says in plain words what is held, from whom, who may see it and whom to ask: no score, amount or id", async () => {
    const { retailer_id, gstin } = await seedScene();
    const english = await rightsText(quiet, retailer_id, "en");
    expect(english).toMatch(
      /^What we hold about you: bills \(144\), payments \(\d+\), records of your permissions \(1\), scores \(1\)\.$/m,
    );
    expect(english).toMatch(/^It comes from: Test distributor\.$/m);
    expect(english).toMatch(/^These lenders may see your score: Test lender\.$/m);
    expect(english).toMatch(/^Your last score was computed on: \d{1,2} \p{L}+ \d{4}\.$/mu);
    expect(english).toMatch(/^Contact: \S+@\S+$/m);
    const hindi = await rightsText(quiet, retailer_id, "hi");
    expect(hindi).toContain("बिल (144)");
    for (const text of [english, hindi]) {
      expect(text).not.toMatch(/₹|\bRs\b|INR|ret_|scr_|lender_/);
      expect(text).not.toContain(gstin);
    }
  });

  it("of a retailer of whom nothing is held says so", async () => {
    const text = await rightsText(quiet, await newRetailer(), "en");
    expect(text).toContain("What we hold about you: nothing.");
    expect(text).toContain("These lenders may see your score: nobody.");
  });
});
