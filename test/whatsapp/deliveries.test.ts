import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createRandom } from "../../src/synthetic/random.ts";
import { inviteRetailer } from "../../src/whatsapp/invitations.ts";
import { sendDue } from "../../src/whatsapp/outbox.ts";
import { workInbox } from "../../src/whatsapp/work.ts";
import { seedLender } from "../support/auth.ts";
import {
  body,
  type Cast,
  deliverRaw,
  endingIsolate,
  type GotNotice,
  hashOf,
  type MetaMessage,
  NOTICE,
  newPhone,
  noticesOf,
  pressed,
  said,
  seconds,
  seedCast,
  workAll,
} from "./support.ts";

const PHONES = 100;
const MESSAGES_PER_PHONE = 70;
const DELIVERIES = 10_000;
const MESSAGES_PER_BODY = 100;
/** Bodies after which the stored messages are worked off; the isolates of the others end with their answer. */
const BODIES_PER_RUN = 12;
const DAY_S = 86_400;

/** What a phone does at one moment, without ids: the same plan is played in both runs. */
interface Deed {
  at: string;
  what: "GRANT" | "DENY" | "LANG" | "YES" | "STOP" | "OK" | "DELETE" | "HELP" | "image";
  /** Which of the phone's invitations. */
  invitation: 0 | 1;
}

/** A stage of a run: a phone with its invitations. */
interface Actor {
  phone: string;
  notices: GotNotice[];
}

const ending = endingIsolate();
const chance = createRandom("10,000 deliveries");
const pick = <T>(items: readonly T[]): T => items[chance.integer(0, items.length - 1)] as T;

/** Mostly chatter; about three Allows, one STOP and one refusal a phone, so that every outcome is common. */
function newPlan(): Deed[] {
  const what = () =>
    chance.weighted<Deed["what"]>([
      ["OK", 75],
      ["image", 8],
      ["YES", 2],
      ["LANG", 4],
      ["GRANT", 4],
      ["DENY", 1],
      ["STOP", 1.5],
      ["DELETE", 2],
      ["HELP", 2],
    ]);
  return Array.from({ length: MESSAGES_PER_PHONE }, () => ({
    // Few distinct times, so that ties are common.
    at: seconds(3 * DAY_S - chance.integer(0, 39) * 600),
    what: what(),
    invitation: chance.chance(0.7) ? 0 : 1,
  }));
}

function messageOf({ phone, notices }: Actor, { at: timestamp, what, invitation }: Deed): MetaMessage {
  const notice = notices[invitation % notices.length] as GotNotice;
  if (what === "GRANT" || what === "DENY" || what === "LANG")
    return pressed(phone, notice, what, { timestamp });
  if (what === "HELP") return said(phone, "HELP my score is wrong", { timestamp });
  if (what !== "image") return said(phone, what, { timestamp });
  return { ...said(phone, "", { timestamp }), type: "image", image: { id: "1" } };
}

/** Actors who were invited six days ago; every third by two lenders' distributors at once. */
async function newActors(cast: Cast, another_lender: string): Promise<Actor[]> {
  const terms = {
    distributor_id: cast.distributor_id,
    purposes: ["working_capital_loan" as const],
    ...NOTICE,
    language: "en" as const,
    adult_declared: true,
  };
  const invited = async (index: number) => {
    const retailer_phone = newPhone();
    const lenders = index % 3 === 0 ? [cast.lender_ids, [another_lender]] : [cast.lender_ids];
    const ids: string[] = [];
    for (const lender_ids of lenders) {
      const { answer } = await inviteRetailer(env, { ...terms, retailer_phone, lender_ids }, "client_test");
      ids.push(answer.invitation_id);
    }
    return { phone: retailer_phone, ids };
  };
  const all = await Promise.all(Array.from({ length: PHONES }, (_, index) => invited(index)));
  await sendDue(env);
  const actors = await Promise.all(
    all.map(async ({ phone, ids }) => ({ phone, notices: (await Promise.all(ids.map(noticesOf))).flat() })),
  );
  await env.DB.prepare("UPDATE wa_invitations SET invited_s = invited_s - ?1")
    .bind(6 * DAY_S)
    .run();
  return actors;
}

/**
 * Brings messages in bodies of 100, signed, to isolates that end with their answer; the minute's run comes now and
 * then, and at the end until all is worked off.
 */
async function bring(messages: readonly MetaMessage[]): Promise<void> {
  for (let start = 0; start < messages.length; start += MESSAGES_PER_BODY) {
    const response = await deliverRaw(
      body({ messages: messages.slice(start, start + MESSAGES_PER_BODY) }),
      ending,
    );
    if (response.status !== 200) throw new Error(`webhook: ${response.status}`);
    if ((start / MESSAGES_PER_BODY) % BODIES_PER_RUN === BODIES_PER_RUN - 1) await workInbox(env);
  }
  await workAll();
}

/** All that follows from what a phone said: its fields, its permissions, its requests. */
async function stateOf({ phone, notices }: Actor) {
  const phone_hash = hashOf(phone);
  const all = async (query: string) => (await env.DB.prepare(query).bind(phone_hash).all()).results;
  const invitations = await all(
    "SELECT invitation_id, allowed_s, denied_s FROM wa_invitations WHERE phone_hash = ? ORDER BY rowid",
  );
  return {
    conversation: await all(
      "SELECT language, language_s, stopped_s, heard_s FROM wa_conversations WHERE phone_hash = ?",
    ),
    invitations: invitations.map(({ allowed_s, denied_s }) => ({ allowed_s, denied_s })),
    shown: notices.length,
    notices: await all(
      "SELECT n.language, count(*) AS times FROM wa_notices n JOIN wa_invitations i USING (invitation_id) WHERE i.phone_hash = ? GROUP BY 1",
    ),
    permissions: await all(
      "SELECT c.lender_id FROM consents c JOIN retailer_identifiers i USING (retailer_id) WHERE i.blind_index = ? AND c.status = 'ACTIVE' ORDER BY 1",
    ),
    requests: await all(
      `SELECT q.kind, count(*) AS times FROM (
          SELECT retailer_id, kind FROM rights_requests UNION ALL SELECT retailer_id, 'grievance' FROM grievances) q
        JOIN retailer_identifiers i USING (retailer_id) WHERE i.blind_index = ? GROUP BY 1 ORDER BY 1`,
    ),
    open: await all("SELECT wamid FROM wa_inbox WHERE phone_hash = ? AND done_at IS NULL"),
  };
}

function shuffled<T>(items: readonly T[]): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = chance.integer(0, i);
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("10,000 deliveries, 30 % of them duplicates, in random order", () => {
  it("end in the state of the clean run", { timeout: 300_000 }, async () => {
    // Every ended isolate and every overtaken grant says so; here that is hundreds of lines.
    vi.spyOn(console, "error").mockImplementation(() => {});
    const cast = await seedCast();
    const another_lender = (await seedLender()).lender_id;
    const plans = Array.from({ length: PHONES }, newPlan);
    const play = (actors: Actor[]) =>
      actors.flatMap((actor, index) => (plans[index] as Deed[]).map((deed) => messageOf(actor, deed)));

    const clean = await newActors(cast, another_lender);
    const in_order = play(clean).sort((a, b) => Number(a.timestamp) - Number(b.timestamp));
    await bring(in_order);

    const disturbed = await newActors(cast, another_lender);
    const unique = play(disturbed);
    const duplicates = Array.from({ length: DELIVERIES - unique.length }, () => pick(unique));
    const deliveries = shuffled([...unique, ...duplicates]);
    expect([unique.length, deliveries.length]).toEqual([7_000, 10_000]);
    await bring(deliveries);

    const expected = await Promise.all(clean.map(stateOf));
    const found = await Promise.all(disturbed.map(stateOf));
    expect(found).toEqual(expected);
    // The plans are such that both outcomes are common: else the test could not fail.
    const permitted = expected.filter((state) => state.permissions.length > 0).length;
    expect(permitted).toBeGreaterThan(PHONES / 20);
    expect(permitted).toBeLessThan(PHONES * 0.95);
    expect(expected.every((state) => state.open.length === 0)).toBe(true);
  });
});
