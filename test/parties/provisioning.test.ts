import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { LenderLimits } from "../../src/admission/types.ts";
import { publicJwks } from "../../src/auth/keys.ts";
import { unseal } from "../../src/auth/seal.ts";
import { parseEnv } from "../../src/config.ts";
import type { Env } from "../../src/env.ts";
import { sha256Hex } from "../../src/lib/bytes.ts";
import {
  createDistributor,
  createLender,
  createServiceClient,
  listParties,
  revokeClient,
  revokeToken,
  rotateDistributorCredentials,
  rotateSigningKeys,
  setDistributorLimits,
  setLenderLimits,
} from "../../src/parties/provisioning.ts";
import { LENDER_SCOPE } from "../../src/parties/schemas.ts";
import {
  clients,
  distributorApiKeys,
  distributorCertificates,
  distributorSigningSecrets,
  distributors,
  lenders,
} from "../../src/parties/tables.ts";
import { envWithAuthority, seedLender, tlsClientAuth, tokenFor } from "../support/auth.ts";
import { keyPair, newCsr, readCertificate } from "../support/certificates.ts";

const db = drizzle(env.DB);
const HEX_256 = /^[0-9a-f]{64}$/;

/** The bindings with a gate that notes the limits it is given, and fails if told so. */
function listeningEnv(failing = false): { listening: Env; told: [string, LenderLimits][] } {
  const told: [string, LenderLimits][] = [];
  const LENDER_GATE = new Proxy(env.LENDER_GATE, {
    get(target, name) {
      if (name !== "get") return Reflect.get(target, name).bind(target);
      return (id: DurableObjectId) => ({
        setLimits: async (limits: LenderLimits) => {
          if (failing) throw new Error("the gate is down");
          told.push([id.name ?? "", limits]);
          await target.get(id).setLimits(limits);
        },
      });
    },
  });
  return { listening: { ...env, LENDER_GATE }, told };
}

describe("creating a lender", () => {
  it("makes an id from the name, one client, and shows the secret once", async () => {
    const made = await createLender(env, { name: "Sahayog Finance (India) Ltd." });
    expect(made).toEqual({
      lender_id: "lender_sahayog-finance-india-ltd",
      client_id: expect.stringMatching(/^client_[0-9a-f]{16}$/),
      client_secret: expect.stringMatching(HEX_256),
    });
    const client = await db.select().from(clients).where(eq(clients.client_id, made.client_id)).get();
    expect(client).toMatchObject({
      kind: "lender",
      subject: made.lender_id,
      scope: LENDER_SCOPE,
      secret_sha256: sha256Hex(made.client_secret),
      revoked_at: null,
    });
    const lender = await db.select().from(lenders).where(eq(lenders.lender_id, made.lender_id)).get();
    expect(lender).toMatchObject({
      score_per_minute: 100,
      score_per_day: 5000,
      lookup_per_minute: 20,
      lookup_per_day: 500,
    });
  });

  it("makes a valid id from any name", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 }), async (name) => {
        fc.pre(name.trim() !== "");
        const made = await createLender(env, { name }).catch((error: { code?: string }) => error);
        if ("lender_id" in made) expect(made.lender_id).toMatch(/^lender_[a-z0-9][a-z0-9_-]{0,62}$/);
        else expect(made.code).toBe("LENDER_EXISTS");
      }),
      { numRuns: 50 },
    );
  });

  it("gives limits of its own to the registry and to the gate", async () => {
    const { listening, told } = listeningEnv();
    const limits = { score_per_minute: 1000 };
    const { lender_id } = await createLender(listening, { name: "Big", lender_id: "lender_big", limits });
    expect(lender_id).toBe("lender_big");
    const all = { score_per_minute: 1000, score_per_day: 5000, lookup_per_minute: 20, lookup_per_day: 500 };
    expect(told).toEqual([["lender_big", all]]);
    expect(await db.select().from(lenders).where(eq(lenders.lender_id, lender_id)).get()).toMatchObject(all);
  });

  it("leaves nothing behind when the gate cannot be told", async () => {
    const { listening } = listeningEnv(true);
    const input = { name: "Unlucky", lender_id: "lender_unlucky", limits: { score_per_minute: 7 } };
    await expect(createLender(listening, input)).rejects.toThrow("the gate is down");
    expect((await createLender(env, input)).lender_id).toBe("lender_unlucky");
  });

  it("refuses an id that is taken, keeping the lender as it was", async () => {
    const { lender_id } = await seedLender();
    await expect(createLender(env, { name: "Other", lender_id })).rejects.toMatchObject({
      code: "LENDER_EXISTS",
    });
    expect(await db.select().from(clients).where(eq(clients.subject, lender_id))).toHaveLength(1);
  });

  it.each([
    {},
    { name: "" },
    { name: "x".repeat(201) },
    { name: "x", lender_id: "Lender_X" },
    { name: "x", limits: { score_per_minute: 0 } },
    { name: "x", limits: { score_per_minute: 1.5 } },
    { name: "x", limits: { scores: 5 } },
    { name: "x", admin: true },
  ])("refuses %j", async (input) => {
    await expect(createLender(env, input as { name: string })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
  });
});

describe("a lender's limits", () => {
  it("change in the registry and in the gate, the unnamed ones staying", async () => {
    const { listening, told } = listeningEnv();
    const { lender_id } = await seedLender();
    await setLenderLimits(listening, { lender_id, lookup_per_day: 9 });
    const all = { score_per_minute: 300, score_per_day: 5000, lookup_per_minute: 20, lookup_per_day: 9 };
    expect(await setLenderLimits(listening, { lender_id, score_per_minute: 300 })).toEqual({
      lender_id,
      ...all,
    });
    expect(told.at(-1)).toEqual([lender_id, all]);
  });

  it("are refused for an unknown lender, or when none is named", async () => {
    await expect(setLenderLimits(env, { lender_id: "lender_none", score_per_day: 1 })).rejects.toMatchObject({
      code: "LENDER_UNKNOWN",
    });
    await expect(setLenderLimits(env, { lender_id: "lender_none" })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
  });
});

describe("creating a service client", () => {
  it("names it after the service, as its own subject, with the scopes asked for", async () => {
    const made = await createServiceClient(env, {
      name: "WhatsApp handler",
      scope: "consent:write  consent:read",
    });
    expect(made).toEqual({
      client_id: expect.stringMatching(/^svc_whatsapp-handler_[0-9a-f]{8}$/),
      client_secret: expect.stringMatching(HEX_256),
      scope: "consent:write consent:read",
    });
    const row = await db.select().from(clients).where(eq(clients.client_id, made.client_id)).get();
    expect(row).toMatchObject({
      kind: "service",
      subject: made.client_id,
      secret_sha256: sha256Hex(made.client_secret),
    });
  });

  it.each(["", " ", "score:read", "consent:read admin", "CONSENT:READ"])(
    "refuses the scope %j",
    async (scope) => {
      await expect(createServiceClient(env, { name: "x", scope })).rejects.toMatchObject({
        code: "INVALID_REQUEST",
      });
    },
  );
});

describe("onboarding a distributor", () => {
  it("stores the certificate's fingerprint, a digest of the key and the secret sealed", async () => {
    const made = await createDistributor(await envWithAuthority(), {
      name: "Gupta Traders",
      erp_type: "sap_b1",
      csr_pem: await newCsr(),
      limits: { batches_per_hour: 600 },
    });
    const { distributor_id } = made;
    expect(distributor_id).toMatch(/^dist_[0-9a-f]{16}$/);
    expect(made.api_key).toMatch(HEX_256);
    expect(made.signing_secret).toMatch(HEX_256);
    expect(
      await db.select().from(distributors).where(eq(distributors.distributor_id, distributor_id)).get(),
    ).toMatchObject({
      name: "Gupta Traders",
      erp_type: "sap_b1",
      batches_per_hour: 600,
      max_amount_inr: 5_000_000,
    });
    const [certificate] = await db
      .select()
      .from(distributorCertificates)
      .where(eq(distributorCertificates.distributor_id, distributor_id));
    const issued = readCertificate(made.certificate_pem);
    expect(certificate).toMatchObject({
      fingerprint: tlsClientAuth(made.certificate_pem).certFingerprintSHA256,
      serial: issued.serialNumber,
      not_after: issued.notAfter.toISOString(),
      active_until: null,
    });
    const [key] = await db
      .select()
      .from(distributorApiKeys)
      .where(eq(distributorApiKeys.distributor_id, distributor_id));
    expect(key?.key_sha256).toBe(sha256Hex(made.api_key));
    const [secret] = await db
      .select()
      .from(distributorSigningSecrets)
      .where(eq(distributorSigningSecrets.distributor_id, distributor_id));
    expect(secret?.sealed).not.toContain(made.signing_secret);
    expect(await unseal(parseEnv(env), secret?.sealed ?? "", distributor_id)).toBe(made.signing_secret);
  });

  it("stores nothing when the CSR is bad or there is no certificate authority", async () => {
    const before = await db.select().from(distributors);
    const input = { name: "x", erp_type: "csv" as const, csr_pem: "no csr" };
    await expect(createDistributor(await envWithAuthority(), input)).rejects.toMatchObject({
      code: "CSR_INVALID",
    });
    const { CLIENT_CA_CERT: _, ...without } = { ...env, CLIENT_CA_CERT: undefined };
    await expect(createDistributor(without, { ...input, csr_pem: await newCsr() })).rejects.toMatchObject({
      code: "CA_UNAVAILABLE",
      message: expect.stringContaining("CLIENT_CA_CERT"),
    });
    expect(await db.select().from(distributors)).toEqual(before);
  });

  it("refuses an unknown ERP type", async () => {
    const input = { name: "x", erp_type: "zoho" as "csv", csr_pem: await newCsr() };
    await expect(createDistributor(env, input)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  });
});

describe("rotating a distributor's credentials", () => {
  it("without a CSR keeps the certificate and says when the old key ends", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.parse("2026-11-01T00:00:00.000Z") });
    const authority = await envWithAuthority();
    const made = await createDistributor(authority, { name: "x", erp_type: "csv", csr_pem: await newCsr() });
    const { distributor_id } = made;
    const rotated = await rotateDistributorCredentials(authority, { distributor_id });
    vi.useRealTimers();
    expect(rotated).toEqual({
      distributor_id,
      api_key: expect.stringMatching(HEX_256),
      signing_secret: expect.stringMatching(HEX_256),
      overlap_ends_at: "2026-11-15T00:00:00.000Z",
    });
    const certificates = await db
      .select()
      .from(distributorCertificates)
      .where(eq(distributorCertificates.distributor_id, distributor_id));
    expect(certificates.map((row) => row.active_until)).toEqual([null]);
    const keys = await db
      .select()
      .from(distributorApiKeys)
      .where(eq(distributorApiKeys.distributor_id, distributor_id));
    expect(keys.map((row) => row.active_until).sort()).toEqual(["2026-11-15T00:00:00.000Z", null].sort());
  });

  it("with the same key pair gives a new certificate beside the old one", async () => {
    const authority = await envWithAuthority();
    const csr_pem = await newCsr(await keyPair());
    const made = await createDistributor(authority, { name: "x", erp_type: "csv", csr_pem });
    const { distributor_id } = made;
    const rotated = await rotateDistributorCredentials(authority, { distributor_id, csr_pem });
    expect(rotated.certificate_pem).toContain("BEGIN CERTIFICATE");
    expect(rotated.certificate_pem).not.toBe(made.certificate_pem);
    expect(rotated.ca_chain_pem).toBe(made.ca_chain_pem);
  });

  it("changes nothing for a bad CSR or an unknown distributor", async () => {
    const authority = await envWithAuthority();
    const { distributor_id } = await createDistributor(authority, {
      name: "x",
      erp_type: "csv",
      csr_pem: await newCsr(),
    });
    await expect(
      rotateDistributorCredentials(authority, { distributor_id, csr_pem: "x" }),
    ).rejects.toMatchObject({
      code: "CSR_INVALID",
    });
    const keys = await db
      .select()
      .from(distributorApiKeys)
      .where(eq(distributorApiKeys.distributor_id, distributor_id));
    expect(keys.map((row) => row.active_until)).toEqual([null]);
    await expect(
      rotateDistributorCredentials(authority, { distributor_id: "dist_ffffffffffffffff" }),
    ).rejects.toMatchObject({ code: "DISTRIBUTOR_UNKNOWN" });
  });
});

describe("the other doors", () => {
  it("set a distributor's limits, refusing an unknown one", async () => {
    const { distributor_id } = await createDistributor(await envWithAuthority(), {
      name: "x",
      erp_type: "csv",
      csr_pem: await newCsr(),
    });
    expect(await setDistributorLimits(env, { distributor_id, max_amount_inr: 90_000_000 })).toEqual({
      distributor_id,
      batches_per_hour: 10,
      max_amount_inr: 90_000_000,
    });
    await expect(
      setDistributorLimits(env, { distributor_id: "dist_ffffffffffffffff", batches_per_hour: 1 }),
    ).rejects.toMatchObject({ code: "DISTRIBUTOR_UNKNOWN" });
  });

  it("rotate the signing keys on demand", async () => {
    const before = (await publicJwks(env)).keys.map((key) => key.kid);
    const { active } = await rotateSigningKeys(env);
    expect(active).toHaveLength(2);
    expect((await publicJwks(env)).keys.map((key) => key.kid).sort()).toEqual([...before, ...active].sort());
  });

  it("revoke tokens and clients, refusing what is unknown", async () => {
    const lender = await seedLender();
    expect(await revokeToken(env, { token: await tokenFor(lender) })).toEqual({ revoked: true });
    expect(await revokeClient(env, { client_id: lender.client_id })).toEqual({ revoked: true });
    await expect(revokeToken(env, { token: "x" })).rejects.toMatchObject({ code: "TOKEN_INVALID" });
    await expect(revokeClient(env, { client_id: "x" })).rejects.toMatchObject({ code: "CLIENT_UNKNOWN" });
  });

  it("list every party without any secret, digest or sealed value", async () => {
    const lender = await seedLender();
    const service = await createServiceClient(env, { name: "listed", scope: "consent:read" });
    const distributor = await createDistributor(await envWithAuthority(), {
      name: "Listed",
      erp_type: "csv",
      csr_pem: await newCsr(),
    });
    await revokeClient(env, { client_id: lender.client_id });
    const parties = await listParties(env);
    expect(parties.lenders.find((each) => each.lender_id === lender.lender_id)).toMatchObject({
      score_per_minute: 100,
      clients: [{ client_id: lender.client_id, revoked_at: expect.any(String) }],
    });
    expect(parties.services.map((each) => each.client_id)).toContain(service.client_id);
    const listed = parties.distributors.find((each) => each.distributor_id === distributor.distributor_id);
    expect(listed).toMatchObject({ name: "Listed", certificates: [{ active_until: null }] });
    const text = JSON.stringify(parties);
    for (const secret of [lender.client_secret, service.client_secret, distributor.api_key]) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain(sha256Hex(secret));
    }
    expect(text).not.toMatch(/secret|sealed/);
  });
});
