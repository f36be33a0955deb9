import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  consentedRetailers,
  findConsent,
  findConsentByGstin,
  forgetConsent,
  retailersWithConsent,
} from "../../src/consent/lookup.ts";
import { checkConsent, recordRevocation } from "../../src/consent/service.ts";
import { nowIso, randomHex } from "../../src/lib/seams.ts";
import { retailerIdentifiers } from "../../src/retailers/tables.ts";
import {
  absorb,
  gateDenies,
  granted,
  newRetailer,
  type Parties,
  seedParties,
  withoutD1,
  withoutKv,
} from "./support.ts";

/** Longer than an isolate trusts its own memory. */
const PAST_MEMORY_MS = 11_000;

let parties: Parties;
let lender_id: string;

beforeAll(async () => {
  parties = await seedParties();
  lender_id = parties.lenders[0].lender_id;
});

afterEach(() => {
  vi.useRealTimers();
});

const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();

function stopClock(): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
}

describe("looking up a consent", () => {
  it("finds it in D1, then in the isolate's memory with D1 and KV down", async () => {
    const { retailer_id, consent_id, expires_at, signed_at } = await granted(parties);
    const found = {
      consent_id,
      retailer_id,
      purposes: ["working_capital_loan"],
      granted_at: signed_at,
      expires_at,
    };
    expect(await findConsent(env, lender_id, retailer_id)).toEqual(found);
    expect(await findConsent({ ...withoutD1(), KV: withoutKv().KV }, lender_id, retailer_id)).toEqual(found);
  });

  it("finds it in KV when the isolate has forgotten it and D1 is down", async () => {
    const { retailer_id, consent_id } = await granted(parties);
    await findConsent(env, lender_id, retailer_id);
    stopClock();
    vi.setSystemTime(Date.now() + PAST_MEMORY_MS);
    expect(await findConsent(withoutD1(), lender_id, retailer_id)).toMatchObject({ consent_id });
  });

  it("finds it in D1 when KV is down or holds something else", async () => {
    const { retailer_id, consent_id } = await granted(parties);
    expect(await findConsent(withoutKv(), lender_id, retailer_id)).toMatchObject({ consent_id });
    await forgetConsent(env, lender_id, retailer_id);
    await env.KV.put(`consent/v1/${lender_id}/${retailer_id}`, '{"consented":true}');
    expect(await findConsent(env, lender_id, retailer_id)).toMatchObject({ consent_id });
  });

  it("is unavailable, not refused and not granted, when neither the caches nor D1 can tell", async () => {
    const { retailer_id } = await granted(parties);
    const down = { ...withoutD1(), KV: withoutKv().KV };
    await expect(findConsent(down, lender_id, retailer_id)).rejects.toMatchObject({
      code: "SERVICE_UNAVAILABLE",
    });
    await expect(findConsent(withoutD1(), lender_id, await newRetailer())).rejects.toMatchObject({
      code: "SERVICE_UNAVAILABLE",
    });
    await expect(findConsentByGstin(down, lender_id, randomHex(32))).rejects.toMatchObject({
      code: "SERVICE_UNAVAILABLE",
    });
    await expect(retailersWithConsent(down, [retailer_id])).rejects.toMatchObject({
      code: "SERVICE_UNAVAILABLE",
    });
  });

  it("never remembers that there was none: a grant counts at once", async () => {
    const retailer_id = await newRetailer();
    expect(await findConsent(env, lender_id, retailer_id)).toBeNull();
    const { consent_id } = await granted(parties, { retailer_id });
    expect(await findConsent(env, lender_id, retailer_id)).toMatchObject({ consent_id });
  });

  it("tells nothing of another lender's consent, or of an unknown retailer", async () => {
    const { retailer_id } = await granted(parties);
    expect(await findConsent(env, parties.lenders[1].lender_id, retailer_id)).toBeNull();
    expect(await findConsent(env, lender_id, "ret_ffffffffffffffff")).toBeNull();
    expect(await findConsentByGstin(env, lender_id, randomHex(32))).toBeNull();
  });

  it("finds it by the blind index of a GSTIN, for the lender that is named only", async () => {
    const retailer_id = await absorb(await newRetailer());
    const blind_index = randomHex(32);
    const created_at = nowIso();
    await drizzle(env.DB)
      .insert(retailerIdentifiers)
      .values({ kind: "gstin", blind_index, retailer_id, key_id: "gstin-1", created_at });
    expect(await findConsentByGstin(env, lender_id, blind_index)).toBeNull();
    const { consent_id } = await granted(parties, { retailer_id });
    expect(await findConsentByGstin(env, lender_id, blind_index)).toMatchObject({ consent_id, retailer_id });
    expect(await findConsentByGstin(env, parties.lenders[1].lender_id, blind_index)).toBeNull();
    await recordRevocation(env, { consent_id }, parties.service.client_id);
    expect(await findConsentByGstin(env, lender_id, blind_index)).toBeNull();
  });

  it("prefers the consent that names the purpose, and else the newest", async () => {
    const retailer_id = await newRetailer();
    const loan = await granted(parties, { retailer_id, purpose: "term_loan" });
    const find = (purpose?: string) => findConsent(env, lender_id, retailer_id, { purpose });
    expect(await find("credit_line")).toMatchObject({ consent_id: loan.consent_id });
    const line = await granted(parties, { retailer_id, purpose: "credit_line" });
    expect(await find("term_loan")).toMatchObject({ consent_id: loan.consent_id });
    expect(await find("credit_line")).toMatchObject({ consent_id: line.consent_id });
    expect(await find()).toMatchObject({ consent_id: line.consent_id });
  });

  it("past the caches sees a revocation that a stale copy does not", async () => {
    const { retailer_id, consent_id } = await granted(parties);
    await findConsent(env, lender_id, retailer_id);
    await recordRevocation(withoutKv(), { consent_id }, parties.service.client_id);
    expect(await findConsent(env, lender_id, retailer_id)).toMatchObject({ consent_id });
    expect(await gateDenies(lender_id, consent_id)).toBe(true);
    expect(await findConsent(env, lender_id, retailer_id, { fresh: true })).toBeNull();
    expect(await findConsent(env, lender_id, retailer_id)).toBeNull();
  });
});

describe("the end of a consent", () => {
  it("counts to the millisecond, in memory, KV and D1 alike", async () => {
    stopClock();
    const expires_at = inMs(90_000);
    const { retailer_id } = await granted(parties, { expires_at });
    const anyone = async () => ({
      memory_or_kv: (await findConsent(env, lender_id, retailer_id)) !== null,
      d1: (await checkConsent(env, lender_id, retailer_id)).consented,
      pipeline: (await retailersWithConsent(env, [retailer_id])).has(retailer_id),
    });
    await findConsent(env, lender_id, retailer_id);
    vi.setSystemTime(Date.parse(expires_at) - 1);
    expect(await anyone()).toEqual({ memory_or_kv: true, d1: true, pipeline: true });
    await findConsent(env, lender_id, retailer_id);
    vi.setSystemTime(Date.parse(expires_at));
    expect(await anyone()).toEqual({ memory_or_kv: false, d1: false, pipeline: false });
  });

  it("is not outlived by a cached copy, even with D1 down", async () => {
    stopClock();
    const expires_at = inMs(5_000);
    const { retailer_id } = await granted(parties, { expires_at });
    await findConsent(env, lender_id, retailer_id);
    vi.setSystemTime(Date.parse(expires_at));
    await expect(findConsent(withoutD1(), lender_id, retailer_id)).rejects.toMatchObject({
      code: "SERVICE_UNAVAILABLE",
    });
  });
});

describe("the consented retailers", () => {
  it("among many are those with a consent of any lender, not revoked", async () => {
    const [with_a, with_b, revoked] = [
      await granted(parties),
      await granted(parties, { lender_scope: [parties.lenders[1].lender_id] }),
      await granted(parties),
    ];
    await recordRevocation(env, { consent_id: revoked.consent_id }, parties.service.client_id);
    const others = Array.from({ length: 500 }, (_, index) => `ret_${index.toString(16).padStart(16, "0")}`);
    const asked = [with_a.retailer_id, with_b.retailer_id, revoked.retailer_id, ...others];
    expect(await retailersWithConsent(env, asked)).toEqual(new Set([with_a.retailer_id, with_b.retailer_id]));
  });

  it("come in pages, each retailer once, in order", async () => {
    const lender_scope = parties.lenders.map((lender) => lender.lender_id);
    const made = await Promise.all([1, 2, 3].map(() => granted(parties, { lender_scope })));
    const seen: string[] = [];
    for (let after = ""; ; after = seen.at(-1) as string) {
      const page = await consentedRetailers(env, after, 2);
      expect(page.length).toBeLessThanOrEqual(2);
      if (page.length === 0) break;
      seen.push(...page);
    }
    expect(seen).toEqual([...new Set(seen)].sort());
    for (const { retailer_id } of made) expect(seen).toContain(retailer_id);
  });
});
