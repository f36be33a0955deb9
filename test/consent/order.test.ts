import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { publicJwks } from "../../src/auth/keys.ts";
import { expireConsents } from "../../src/consent/expiry.ts";
import {
  checkConsent,
  consentHistory,
  recordPause,
  recordResume,
  recordRevocation,
} from "../../src/consent/service.ts";
import { consents } from "../../src/consent/tables.ts";
import { verifyChains } from "../../src/consent/verify.ts";
import { AppError } from "../../src/http/errors.ts";
import { nowIso } from "../../src/lib/seams.ts";
import { retailerIdentifiers } from "../../src/retailers/tables.ts";
import {
  eventsOf,
  gateDenies,
  granted,
  newPhoneHash,
  newRetailer,
  type Parties,
  seedParties,
  withBefore,
} from "./support.ts";

let parties: Parties;
let a: string;

beforeAll(async () => {
  parties = await seedParties();
  a = parties.lenders[0].lender_id;
});

const BY = "svc_test";
const EVENT_OF = {
  PAUSED: "consent.paused",
  REVOKED: "consent.revoked",
  EXPIRED: "consent.expired",
} as const;

/** Null where there is nothing (left) to change, or a brief consent would have ended before its turn came. */
async function unlessEnded<T>(act: Promise<T>): Promise<T | null> {
  return act.catch((cause) => {
    if (
      cause instanceof AppError &&
      ["CONSENT_ENDED", "CONSENT_NOT_FOUND", "INVALID_REQUEST"].includes(cause.code)
    )
      return null;
    throw cause;
  });
}

type Act = {
  kind: "grant" | "brief" | "revoke" | "pause" | "resume" | "expire";
  lender: number;
  whole: boolean;
};

/** Does one act; gives the consents that its answer says now have a status. */
async function perform(retailer_id: string, { kind, lender, whole }: Act): Promise<[string, string[]]> {
  const lender_id = parties.lenders[lender]?.lender_id as string;
  const request = whole ? { retailer_id } : { retailer_id, lender_id };
  switch (kind) {
    case "grant":
      return ["ACTIVE", [(await granted(parties, { retailer_id, lender_scope: [lender_id] })).consent_id]];
    case "brief": {
      const expires_at = new Date(Date.now() + 150).toISOString();
      const brief = granted(parties, { retailer_id, lender_scope: [lender_id], expires_at });
      const answer = await unlessEnded(brief);
      return ["ACTIVE", answer ? [answer.consent_id] : []];
    }
    case "revoke":
      return ["ENDED", (await unlessEnded(recordRevocation(env, request, BY)))?.revoked ?? []];
    case "pause":
      return ["PAUSED", (await unlessEnded(recordPause(env, request, BY)))?.paused ?? []];
    case "resume":
      return ["ACTIVE", (await unlessEnded(recordResume(env, request, BY)))?.resumed ?? []];
    case "expire":
      await expireConsents(env);
      return ["ENDED", []];
  }
}

describe("writers of one chain, all at once", () => {
  it("never fork it or leave a gap, and keep every fact that was answered", async () => {
    const act = fc.record({
      kind: fc.constantFrom<Act["kind"]>("grant", "grant", "brief", "revoke", "pause", "resume", "expire"),
      lender: fc.nat(2),
      whole: fc.boolean(),
    });
    let appended = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 6, maxLength: 14 }), async (acts) => {
        const { retailer_id } = await granted(parties);
        const answers = await Promise.all(acts.map((each) => perform(retailer_id, each)));
        await scheduler.wait(160);
        await expireConsents(env);

        const { records } = await consentHistory(env, retailer_id);
        appended += records.length;
        // Whole: numbers without a gap, each after the one before, only legal changes of status.
        expect(await verifyChains(records, await publicJwks(env))).toEqual({ valid: true, problems: [] });
        for (const [status, consent_ids] of answers) {
          for (const consent_id of consent_ids) {
            const has = records
              .filter((record) => record.consent_id === consent_id)
              .map((record) => record.status);
            const said = status === "ENDED" ? ["REVOKED", "EXPIRED"] : [status];
            expect(has.some((each) => said.includes(each))).toBe(true);
          }
        }
        // The projection and the gates say what the newest record says.
        const rows = await drizzle(env.DB)
          .select()
          .from(consents)
          .where(eq(consents.retailer_id, retailer_id));
        for (const row of rows) {
          const last = records.findLast((record) => record.consent_id === row.consent_id);
          expect(row.status).toBe(last?.status);
          expect((row.revoked_at !== null) === (row.status === "REVOKED" || row.status === "EXPIRED")).toBe(
            true,
          );
          const expires_ms = Date.parse(row.expires_at);
          expect(await gateDenies(row.lender_id, row.consent_id, expires_ms)).toBe(row.status !== "ACTIVE");
        }
        expect(new Set(records.map((record) => record.consent_id)).size).toBe(rows.length);
        // An event for each record, and none more.
        const events = await eventsOf(retailer_id);
        for (const [status, type] of Object.entries(EVENT_OF)) {
          const told = events.flatMap((event) =>
            event.type === type ? (event.data as { consent_ids: string[] }).consent_ids : [],
          );
          const recorded = records
            .filter((record) => record.status === status)
            .map((record) => record.consent_id);
          expect(told.sort()).toEqual(recorded.sort());
        }
      }),
      { numRuns: 15 },
    );
    expect(appended).toBeGreaterThan(100);
  }, 60_000);
});

describe("a grant while a revocation is in flight", () => {
  const statuses = async (retailer_id: string) =>
    (await consentHistory(env, retailer_id)).records.map((record) => record.status);

  it("is revoked with the others if it was written first", async () => {
    const { retailer_id, consent_id } = await granted(parties);
    let late = "";
    const slow = withBefore(async () => {
      late = (await granted(parties, { retailer_id })).consent_id;
    });
    const { revoked } = await recordRevocation(slow, { retailer_id }, BY);
    expect(revoked).toEqual([consent_id, late]);
    expect(await statuses(retailer_id)).toEqual(["ACTIVE", "ACTIVE", "REVOKED", "REVOKED"]);
    expect(await gateDenies(a, late)).toBe(true);
  });

  it("stands if the revocation was written first: it is the retailer's later word", async () => {
    const { retailer_id } = await granted(parties);
    const revoking = withBefore(() => recordRevocation(env, { retailer_id }, BY));
    const { consent_id } = await granted(parties, { retailer_id }, revoking);
    expect(await statuses(retailer_id)).toEqual(["ACTIVE", "REVOKED", "ACTIVE"]);
    expect(await checkConsent(env, a, retailer_id)).toMatchObject({ consent_id });
    expect(await gateDenies(a, consent_id)).toBe(false);
  });
});

describe("a grant that has to wait for its turn", () => {
  it("is refused if its end has come meanwhile", async () => {
    const { retailer_id } = await granted(parties);
    const busy = withBefore(async () => {
      await granted(parties, { retailer_id });
      await scheduler.wait(300);
    });
    const brief = { retailer_id, expires_at: new Date(Date.now() + 300).toISOString() };
    await expect(granted(parties, brief, busy)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    expect((await consentHistory(env, retailer_id)).records).toHaveLength(2);
  });
});

describe("a pause beside a resumption", () => {
  it("ends in the order of their records, and the gate agrees", async () => {
    for (let round = 0; round < 10; round++) {
      const { consent_id, retailer_id } = await granted(parties);
      await Promise.all([
        recordPause(env, { consent_id }, BY),
        recordResume(env, { consent_id }, BY),
        recordPause(env, { retailer_id }, BY),
        recordResume(env, { retailer_id }, BY),
      ]);
      const { records } = await consentHistory(env, retailer_id);
      const active = records.at(-1)?.status === "ACTIVE";
      expect((await checkConsent(env, a, retailer_id)).consented).toBe(active);
      expect(await gateDenies(a, consent_id)).toBe(!active);
    }
  });
});

describe("a retailer with two phones", () => {
  it("is one retailer: either phone consents, one word ends both, each record names its own phone", async () => {
    const retailer_id = await newRetailer();
    const phones = [newPhoneHash(), newPhoneHash()];
    for (const blind_index of phones) {
      await drizzle(env.DB)
        .insert(retailerIdentifiers)
        .values({ kind: "phone", blind_index, retailer_id, key_id: "phone-1", created_at: nowIso() });
    }
    for (const retailer_phone_hash of phones) {
      expect((await granted(parties, { retailer_phone_hash })).retailer_id).toBe(retailer_id);
    }
    expect((await recordRevocation(env, { retailer_id }, BY)).revoked).toHaveLength(2);
    const { records } = await consentHistory(env, retailer_id);
    expect(records.map((record) => record.retailer_identifier_hmac)).toEqual([...phones, ...phones]);
    expect(await checkConsent(env, a, retailer_id)).toEqual({ consented: false });
  });
});
