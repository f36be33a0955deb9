import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import { describe, expect, it } from "vitest";
import { type Config, parseEnv } from "../../src/config.ts";
import { resolveRetailers } from "../../src/ingestion/resolution.ts";
import { newId, randomHex } from "../../src/lib/seams.ts";
import { gstinIndex, phoneIndex } from "../../src/retailers/blind-index.ts";
import type { Identity } from "../../src/retailers/identity.ts";
import {
  aliasesOf,
  canonicalRetailer,
  createProvisional,
  markPhoneVerified,
  profilesOf,
  retailerByGstin,
  retailersOfPhone,
} from "../../src/retailers/store.ts";
import { newDistributorId } from "../support/ledger.ts";

const index = () => randomHex(32);
const profileOf = async (retailer_id: string) => (await profilesOf(env, [retailer_id]))[0];
const DISTRIBUTOR = newDistributorId();

async function resolve(identities: Identity[], distributor_id = DISTRIBUTOR) {
  return resolveRetailers(env, distributor_id, identities, async () => {});
}
async function resolveOne(gstin_index: string | null, phone_index: string | null, distributor_id?: string) {
  const { retailer_ids } = await resolve([{ gstin_index, phone_index }], distributor_id);
  return retailer_ids[0] as string;
}

describe("blind indexes", () => {
  const config: Config = parseEnv(env);

  it("are HMAC-SHA-256 under one key per kind, as documented", async () => {
    const hmac = async (key_hex: string, text: string) => {
      const algorithm = { name: "HMAC", hash: "SHA-256" };
      const key = await crypto.subtle.importKey("raw", Buffer.from(key_hex, "hex"), algorithm, false, [
        "sign",
      ]);
      return Buffer.from(await crypto.subtle.sign("HMAC", key, Buffer.from(text))).toString("hex");
    };
    expect(gstinIndex(config, "27AAPFU0939F1ZV")).toBe(
      await hmac(config.GSTIN_INDEX_KEY, "altscore/gstin/v1\u000027AAPFU0939F1ZV"),
    );
    expect(phoneIndex(config, "9876543210")).toBe(await hmac(config.PHONE_PEPPER, "919876543210"));
  });

  it("of a GSTIN do not depend on letter case or blanks", () => {
    expect(gstinIndex(config, " 27aapfu0939f1zv ")).toBe(gstinIndex(config, "27AAPFU0939F1ZV"));
  });
});

describe("a retailer with a GSTIN", () => {
  it("is one for two distributors, with a relationship to each", async () => {
    const gstin = index();
    const [a, b] = [newDistributorId(), newDistributorId()];
    const first = await resolveOne(gstin, null, a);
    expect(await resolveOne(gstin, null, b)).toBe(first);
    expect(first).toMatch(/^ret_[0-9a-f]{16}$/);
    expect(await retailerByGstin(env, gstin)).toBe(first);
    expect((await profileOf(first))?.distributor_ids).toEqual([a, b].sort());
    expect((await profileOf(first))?.identity_verified).toBe(true);
  });

  it("is one also when many batches meet it at the same moment", async () => {
    const gstin = index();
    const phone = index();
    const found = await Promise.all(
      Array.from({ length: 12 }, (_, i) => resolveOne(gstin, i % 2 === 0 ? phone : null, newDistributorId())),
    );
    expect(new Set(found).size).toBe(1);
    expect((await profileOf(found[0]!))?.distributor_ids).toHaveLength(12);
    expect(await retailersOfPhone(env, phone)).toEqual([found[0]]);
  });
});

describe("a provisional retailer", () => {
  it("is made once for a phone, by a consent or by a batch, however many ask at once", async () => {
    const phone = index();
    const made = await Promise.all([
      ...Array.from({ length: 5 }, () => createProvisional(env, phone)),
      ...Array.from({ length: 5 }, () => resolveOne(null, phone)),
    ]);
    expect(new Set(made).size).toBe(1);
    expect(await retailersOfPhone(env, phone)).toEqual([made[0]]);
  });

  it("has a verified identity only after its phone gave a consent", async () => {
    const retailer_id = await createProvisional(env, index());
    expect((await profileOf(retailer_id))?.identity_verified).toBe(false);
    await markPhoneVerified(drizzle(env.DB), retailer_id);
    expect((await profileOf(retailer_id))?.identity_verified).toBe(true);
  });

  it("is absorbed when a record has GSTIN and phone; everything of it follows", async () => {
    const [gstin, phone] = [index(), index()];
    const [a, b] = [newDistributorId(), newDistributorId()];
    const provisional = await resolveOne(null, phone, a);
    const resolution = await resolve([{ gstin_index: gstin, phone_index: phone }], b);
    const owner = resolution.retailer_ids[0] as string;
    expect(owner).not.toBe(provisional);
    expect(resolution.conflicts).toEqual([false]);
    expect(resolution.aliases).toEqual([[provisional, owner]]);
    expect(await canonicalRetailer(env, provisional)).toBe(owner);
    expect(await aliasesOf(env, owner)).toEqual([owner, provisional].sort());
    expect(await retailersOfPhone(env, phone)).toEqual([owner]);
    expect((await profileOf(owner))?.distributor_ids).toEqual([a, b].sort());
    expect(await resolveOne(null, phone)).toBe(owner);
  });

  it("takes its consents with it", async () => {
    const [gstin, phone] = [index(), index()];
    const provisional = await createProvisional(env, phone);
    const consent_id = newId("cns");
    await env.DB.prepare(
      `INSERT INTO consents (consent_id, retailer_id, chain_retailer_id, lender_id, purposes, status, grant_group,
         granted_at, expires_at) VALUES (?1, ?2, ?2, 'lender_x', '[]', 'ACTIVE', 'grp', '2026-05-01', '2027-05-01')`,
    )
      .bind(consent_id, provisional)
      .run();
    const owner = await resolveOne(gstin, phone);
    const moved = await env.DB.prepare(
      "SELECT retailer_id, chain_retailer_id FROM consents WHERE consent_id = ?",
    )
      .bind(consent_id)
      .first();
    expect(moved).toEqual({ retailer_id: owner, chain_retailer_id: provisional });
  });

  it("is absorbed by exactly one of two GSTINs that claim its phone at once; the phone then names both", async () => {
    const phone = index();
    const provisional = await createProvisional(env, phone);
    const owners = await Promise.all([resolveOne(index(), phone), resolveOne(index(), phone)]);
    expect(owners).toContain(await canonicalRetailer(env, provisional));
    expect(await retailersOfPhone(env, phone)).toEqual([...owners].sort());
  });
});

describe("a phone that belongs to another GSTIN", () => {
  it("leaves the record with its own GSTIN, flagged, and names both from then on", async () => {
    const [mine, theirs, phone] = [index(), index(), index()];
    const other = await resolveOne(theirs, phone);
    const { retailer_ids, conflicts } = await resolve([
      { gstin_index: mine, phone_index: phone },
      { gstin_index: mine, phone_index: null },
      { gstin_index: null, phone_index: phone },
    ]);
    expect(retailer_ids).toEqual([retailer_ids[0], retailer_ids[0], null]);
    expect(retailer_ids[0]).not.toBe(other);
    expect(conflicts).toEqual([true, false, false]);
    expect(await retailersOfPhone(env, phone)).toEqual([other, retailer_ids[0]].sort());
  });
});

describe("the profiles of many retailers", () => {
  it("are one per canonical retailer, in the order of the ids, whatever alias was asked for", async () => {
    const [gstin, phone] = [index(), index()];
    const [a, b] = [newDistributorId(), newDistributorId()];
    const provisional = await resolveOne(null, phone, a);
    const owner = await resolveOne(gstin, phone, b);
    const other = await resolveOne(index(), null, b);
    const found = await profilesOf(env, [provisional, owner, other, newId("ret")]);
    expect(found).toEqual(
      [
        {
          retailer_id: owner,
          aliases: [owner, provisional].sort(),
          distributor_ids: [a, b].sort(),
          identity_verified: true,
        },
        { retailer_id: other, aliases: [other], distributor_ids: [b], identity_verified: true },
      ].sort((x, y) => (x.retailer_id < y.retailer_id ? -1 : 1)),
    );
  });
});

describe("an unknown retailer", () => {
  it("is nobody", async () => {
    const unknown = newId("ret");
    expect(await canonicalRetailer(env, unknown)).toBeNull();
    expect(await aliasesOf(env, unknown)).toEqual([]);
    expect(await retailersOfPhone(env, index())).toEqual([]);
    expect(await retailerByGstin(env, index())).toBeNull();
    expect(await profileOf(unknown)).toBeUndefined();
  });
});

it("a thousand new retailers are found again as they were made", async () => {
  const identities = Array.from({ length: 1_000 }, () => ({ gstin_index: index(), phone_index: index() }));
  const first = await resolve(identities);
  expect(new Set(first.retailer_ids).size).toBe(1_000);
  const again = await resolve(identities);
  expect(again.retailer_ids).toEqual(first.retailer_ids);
  expect(again.verified.every(Boolean)).toBe(true);
});
