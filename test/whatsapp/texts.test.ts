import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NOTICES } from "../../scripts/demo/notices.ts";
import { type Chat, type Heard, type Invitation, respond, stands } from "../../src/whatsapp/dialogue.ts";
import { payloadOf, readIntent } from "../../src/whatsapp/intent.ts";
import { dayInWords, TEXTS, textOf } from "../../src/whatsapp/texts.ts";

const LANGUAGES = ["en", "hi"] as const;

describe("the texts of the chat", () => {
  const all = Object.entries(TEXTS).flatMap(([key, text]) =>
    LANGUAGES.map((language) => [key, language, text[language]] as const),
  );

  it.each([...all, ...NOTICES.map(({ language, text }) => ["notice", language, text] as const)])(
    "%s (%s) carries no score, amount or GSTIN",
    (_key, _language, text) => {
      // A place for a variable is a date, a reference or a party's name; no other number stands in a text but spans of time.
      const rest = text
        .replace(/\{\{?[123]\}?\}/g, "")
        .replace(/(within |)\b(24|7) (hours|days|घंटे|दिन)/g, "");
      expect(rest).not.toMatch(/[\d₹०-९]|\bRs\b|\bINR\b|रुपये|rupee|crore|lakh/i);
    },
  );

  it("exist in both languages, Hindi in Devanagari and NFC, and fit a message", () => {
    for (const [, language, text] of all) {
      expect(text).toBe(text.normalize("NFC"));
      expect(/\p{Script=Devanagari}/u.test(text)).toBe(language === "hi");
      expect(text.length).toBeLessThan(1024);
    }
    for (const { en, hi } of Object.values(TEXTS)) expect(en.includes("{1}")).toBe(hi.includes("{1}"));
  });

  it("fill in the day in India", () => {
    const iso = "2027-11-21T20:00:00.000Z";
    expect(textOf("granted", "en", dayInWords(iso, "en"))).toContain("until 22 November 2027.");
    expect(textOf("granted", "hi", dayInWords(iso, "hi"))).toContain("22 नवंबर 2027 तक");
  });
});

describe("reading a message", () => {
  it("never throws, and never takes anything but the exact words for a yes", () => {
    const yes = ["हाँ", "हां", "HAAN", "YES", "ALLOW"];
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom(...yes)),
        fc.jsonValue(),
        (text, junk) => {
          const { kind } = readIntent({ type: "text", text: { body: text } });
          expect(kind === "yes").toBe(yes.includes(text.normalize("NFC").trim()));
          readIntent({ type: "button", button: junk });
          readIntent({ type: "interactive", interactive: junk, context: junk });
          readIntent({ type: junk as string, text: junk });
        },
      ),
    );
  });

  it("knows the buttons of a template and of a session message by their payload alone", () => {
    const payload = payloadOf("ab".repeat(16), "GRANT");
    const press = {
      kind: "press",
      instance_id: "ab".repeat(16),
      answer: "GRANT",
      payload,
      context_id: "wamid.n",
    };
    const context = { id: "wamid.n" };
    expect(readIntent({ type: "button", button: { payload, text: "No" }, context })).toEqual(press);
    const interactive = { type: "button_reply", button_reply: { id: payload, title: "Allow" } };
    expect(readIntent({ type: "interactive", interactive, context })).toEqual(press);
    for (const bad of ["c1|x|GRANT", `${payload}X`, "GRANT", "c2|".concat(payload.slice(3))]) {
      expect(readIntent({ type: "button", button: { payload: bad }, context })).toEqual({ kind: "unclear" });
    }
  });
});

describe("what a phone has said", () => {
  const invitation: Invitation = {
    invitation_id: "inv_0",
    invited_s: 0,
    answer_by_s: 1_000,
    sole: true,
    allowed_s: null,
    denied_s: null,
    asks: 0,
    notices: [{ instance_id: "00".repeat(16), language: "en", wamid: "wamid.n" }],
  };
  const empty: Chat = { language: "en", language_s: 0, stopped_s: 0, invitations: [invitation] };
  const press = (answer: "GRANT" | "DENY" | "LANG") =>
    readIntent({
      type: "button",
      button: { payload: payloadOf("00".repeat(16), answer) },
      context: { id: "wamid.n" },
    });
  const intents = [
    press("GRANT"),
    press("DENY"),
    press("LANG"),
    readIntent({ type: "text", text: { body: "STOP" } }),
    readIntent({ type: "text", text: { body: "YES" } }),
  ];
  const heard = fc.array(
    fc.record({
      wamid: fc.uuid(),
      at_s: fc.integer({ min: 1, max: 12 }),
      received_at: fc.constant("2026-01-01T00:00:00.000Z"),
      intent: fc.constantFrom(...intents),
    }),
    { maxLength: 12 },
  );
  const chatAfter = (messages: readonly Heard[]) =>
    messages.reduce((chat, message) => respond(chat, message).chat, empty);
  const told = ({ language, language_s, stopped_s, invitations: [it] }: Chat) => [
    language,
    language_s,
    stopped_s,
    it?.allowed_s,
    it?.denied_s,
  ];

  it("is the same in any order and with any repetition", () => {
    fc.assert(
      fc.property(heard, fc.infiniteStream(fc.nat()), (messages, numbers) => {
        const repeated = [...messages, ...messages.slice(0, 5)];
        const order = repeated.map((message) => ({ message, at: numbers.next().value as number }));
        const shuffled = order.sort((a, b) => a.at - b.at).map(({ message }) => message);
        expect(told(chatAfter(shuffled))).toEqual(told(chatAfter(messages)));
      }),
    );
  });

  it("is a permission only if an Allow is the newest of it, and no refusal or STOP is as new", () => {
    fc.assert(
      fc.property(heard, (messages) => {
        const times = (kinds: (message: Heard) => boolean) => messages.filter(kinds).map(({ at_s }) => at_s);
        const allows = times(
          ({ intent }) => intent.kind === "yes" || (intent.kind === "press" && intent.answer === "GRANT"),
        );
        const ends = times(
          ({ intent }) => intent.kind === "stop" || (intent.kind === "press" && intent.answer === "DENY"),
        );
        const chat = chatAfter(messages);
        const expected = allows.length > 0 && Math.min(...allows) > Math.max(0, ...ends);
        expect(stands(chat.invitations[0]!, chat.stopped_s)).toBe(expected);
      }),
    );
  });
});
