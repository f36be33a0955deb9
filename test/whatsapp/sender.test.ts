import { describe, expect, it } from "vitest";
import { CloudApiSender } from "../../src/whatsapp/sender.ts";

const ACCOUNT = { phone_number_id: "106540352242922", access_token: "EAAG-test-token-of-the-system-user" };
const TEXT = {
  message_id: "5c9d1fb2-61a5-4c84-9c4b-3f6e1d8f2a10",
  to: "919876500001",
  language: "en",
  content: { type: "text", text: "Done." },
} as const;

/** A sender before a Graph API that answers this, and the requests that it got. */
function senderBefore(answer: () => Response | Promise<Response>) {
  const requests: { url: string; init: RequestInit }[] = [];
  const fetcher = async (url: RequestInfo | URL, init?: RequestInit) => {
    requests.push({ url: String(url), init: init ?? {} });
    return answer();
  };
  return { sender: new CloudApiSender(ACCOUNT, fetcher as typeof fetch), requests };
}

/** The error body of the Graph API. */
const refusal = (status: number, code: number, headers: Record<string, string> = {}) =>
  Response.json(
    {
      error: {
        message: `(#${code})`,
        type: "OAuthException",
        code,
        error_data: { messaging_product: "whatsapp", details: "" },
        fbtrace_id: "A",
      },
    },
    { status, headers },
  );

describe("the Cloud API client", () => {
  const accepted = () =>
    Response.json({
      messaging_product: "whatsapp",
      contacts: [{ input: "919876500001", wa_id: "919876500001" }],
      messages: [{ id: "wamid.HBgM", message_status: "accepted" }],
    });

  it("posts a text in Meta's form, with our own id for the statuses, and keeps the wamid", async () => {
    const { sender, requests } = senderBefore(accepted);
    expect(await sender.send(TEXT)).toEqual({ kind: "accepted", wamid: "wamid.HBgM" });
    expect(requests[0]).toMatchObject({
      url: "https://graph.facebook.com/v24.0/106540352242922/messages",
      init: {
        method: "POST",
        headers: { Authorization: `Bearer ${ACCOUNT.access_token}`, "Content-Type": "application/json" },
      },
    });
    expect(JSON.parse(String(requests[0]?.init.body))).toEqual({
      messaging_product: "whatsapp",
      recipient_type: "individual",
      to: "919876500001",
      biz_opaque_callback_data: TEXT.message_id,
      type: "text",
      text: { preview_url: false, body: "Done." },
    });
  });

  it("posts a template in Meta's form: parameters on one line, a payload per button", async () => {
    const { sender, requests } = senderBefore(accepted);
    const content = {
      type: "template",
      name: "notice_1_0",
      parameters: ["A\n B", "C"],
      payloads: ["p0", "p1"],
    } as const;
    await sender.send({
      ...TEXT,
      language: "hi",
      content: { ...content, parameters: [...content.parameters], payloads: [...content.payloads] },
    });
    expect(JSON.parse(String(requests[0]?.init.body))).toMatchObject({
      type: "template",
      template: {
        name: "notice_1_0",
        language: { code: "hi" },
        components: [
          {
            type: "body",
            parameters: [
              { type: "text", text: "A B" },
              { type: "text", text: "C" },
            ],
          },
          {
            type: "button",
            sub_type: "quick_reply",
            index: "0",
            parameters: [{ type: "payload", payload: "p0" }],
          },
          {
            type: "button",
            sub_type: "quick_reply",
            index: "1",
            parameters: [{ type: "payload", payload: "p1" }],
          },
        ],
      },
    });
  });

  it.each<[string, () => Response, object]>([
    [
      "429",
      () => refusal(429, 80007, { "retry-after": "120" }),
      { kind: "retry", code: 80007, after_s: 120 },
    ],
    ["500", () => refusal(500, 131000), { kind: "retry", code: 131000, after_s: null }],
    [
      "503 without JSON",
      () => new Response("<html>", { status: 503 }),
      { kind: "retry", code: null, after_s: null },
    ],
    ["throttling told as 400", () => refusal(400, 130429), { kind: "retry", code: 130429, after_s: null }],
    ["a busy pair told as 400", () => refusal(400, 131056), { kind: "retry", code: 131056, after_s: null }],
    ["a token that ran out", () => refusal(401, 190), { kind: "retry", code: 190, after_s: null }],
    ["200 without a message", () => Response.json({}), { kind: "retry", code: null, after_s: null }],
    ["not on WhatsApp", () => refusal(400, 131026), { kind: "refused", code: 131026 }],
    ["outside the 24 hours", () => refusal(400, 131047), { kind: "refused", code: 131047 }],
    ["a bad parameter", () => refusal(400, 100), { kind: "refused", code: 100 }],
  ])("tells what passes from what does not: %s", async (_what, answer, outcome) => {
    expect(await senderBefore(answer).sender.send(TEXT)).toEqual(outcome);
  });

  it("takes a broken connection for something that passes", async () => {
    const { sender } = senderBefore(() => {
      throw new TypeError("network connection lost");
    });
    expect(await sender.send(TEXT)).toEqual({ kind: "retry", code: null, after_s: null });
  });
});
