import { env } from "cloudflare:workers";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { authenticateDistributor, forgetDistributors } from "../../src/auth/distributor.ts";
import type { Env } from "../../src/env.ts";
import { newRouter } from "../../src/http/routing.ts";
import { rotateDistributorCredentials, setDistributorLimits } from "../../src/parties/provisioning.ts";
import { appWith, callApp } from "../support/app.ts";
import {
  envWithAuthority,
  mtls,
  payloadSignature,
  seedDistributor,
  signedIngest,
  type TestDistributor,
  tlsClientAuth,
} from "../support/auth.ts";
import { newCsr } from "../support/certificates.ts";

const DAY_MS = 86_400_000;
let logged: Record<string, unknown> = {};

const router = newRouter();
router.post("/ingest", async (c) => {
  logged = c.get("log");
  const { distributor, body } = await authenticateDistributor(c, { signed: true });
  return c.json({ ...distributor, bytes: body.length });
});
router.get("/status", async (c) => {
  const { distributor, body } = await authenticateDistributor(c, { signed: false });
  return c.json({ ...distributor, bytes: body.length });
});
const app = appWith(router);

async function outcome(
  path: string,
  init: RequestInit<CfProperties>,
  bindings: Env = env,
): Promise<string | object> {
  const response = await callApp(app, path, init, bindings);
  const body = await response.json<{ error_code?: string }>();
  return body.error_code ?? body;
}

let one: TestDistributor;
let other: TestDistributor;
beforeAll(async () => {
  one = await seedDistributor("tally_prime");
  other = await seedDistributor("csv");
});
beforeEach(() => {
  forgetDistributors();
});
afterEach(() => {
  vi.useRealTimers();
});

function withTls(
  distributor: TestDistributor,
  changes: Partial<TestDistributor["tlsClientAuth"]>,
): TestDistributor {
  return { ...distributor, tlsClientAuth: { ...distributor.tlsClientAuth, ...changes } };
}

describe("the three factors, happy", () => {
  it("name the distributor with its limits and hand over the raw body", async () => {
    expect(await outcome("/ingest", await signedIngest(one, "{}"))).toEqual({
      distributor_id: one.distributor_id,
      erp_type: "tally_prime",
      batches_per_hour: 10,
      max_amount_inr: 5_000_000,
      bytes: 2,
    });
  });

  it("need no signature for a GET", async () => {
    expect(await outcome("/status", mtls(one))).toMatchObject({
      distributor_id: one.distributor_id,
      bytes: 0,
    });
  });

  it("compare fingerprint and signature without case", async () => {
    const { certFingerprintSHA256 } = one.tlsClientAuth;
    const upper = withTls(one, { certFingerprintSHA256: certFingerprintSHA256.toUpperCase() });
    const signature = (await payloadSignature(one.signing_secret, "{}")).toUpperCase();
    const init = await signedIngest(upper, "{}", { "X-Payload-Signature": signature });
    expect(await outcome("/ingest", init)).toMatchObject({ distributor_id: one.distributor_id });
  });

  it("sign the bytes as they are: not UTF-8, empty, or a mebibyte", async () => {
    for (const body of [
      new Uint8Array([0xff, 0x00, 0xfe]),
      new Uint8Array(0),
      new Uint8Array(1 << 20).fill(7),
    ]) {
      const signature = await payloadSignature(one.signing_secret, body);
      const init = await signedIngest(one, "", { "X-Payload-Signature": signature });
      expect(await outcome("/ingest", { ...init, body })).toMatchObject({ bytes: body.length });
    }
  });

  it("accept the distributor's own id as X-Client-ID", async () => {
    const init = await signedIngest(one, "{}", { "X-Client-ID": one.distributor_id });
    expect(await outcome("/ingest", init)).toMatchObject({ distributor_id: one.distributor_id });
  });
});

describe("the three factors, errors", () => {
  it("CERTIFICATE_INVALID whenever TLS does not vouch for an active certificate", async () => {
    const bad: [string, Partial<TestDistributor["tlsClientAuth"]>][] = [
      ["not_presented", { certPresented: "0" }],
      ["not_verified", { certVerified: "FAILED:unable to get local issuer certificate" }],
      ["revoked", { certRevoked: "1" }],
      ["expired", { certNotAfter: "Jan  1 00:00:00 2020 GMT" }],
      ["fingerprint_not_active", { certFingerprintSHA256: "00".repeat(32) }],
    ];
    for (const [cause, changes] of bad) {
      expect(await outcome("/ingest", await signedIngest(withTls(one, changes), "{}"))).toBe(
        "CERTIFICATE_INVALID",
      );
      expect(logged.auth_failure).toBe(cause);
    }
  });

  it("CERTIFICATE_INVALID without cf and without tlsClientAuth, on every route", async () => {
    const { cf: _, ...plain } = await signedIngest(one, "{}");
    expect(await outcome("/ingest", plain)).toBe("CERTIFICATE_INVALID");
    expect(await outcome("/ingest", { ...plain, cf: {} })).toBe("CERTIFICATE_INVALID");
    expect(await outcome("/status", { headers: mtls(one).headers })).toBe("CERTIFICATE_INVALID");
  });

  it("API_KEY_INVALID for a missing, wrong, over-long or other distributor's key", async () => {
    for (const key of [
      "",
      "0".repeat(64),
      `${one.api_key}0`,
      one.api_key.toUpperCase(),
      other.api_key,
      "x".repeat(5000),
    ]) {
      expect(await outcome("/ingest", await signedIngest(one, "{}", { "X-API-Key": key })), key).toBe(
        "API_KEY_INVALID",
      );
    }
    expect(await outcome("/status", { ...mtls(one), headers: {} })).toBe("API_KEY_INVALID");
  });

  it("SIGNATURE_INVALID for a missing, malformed or wrong signature", async () => {
    const good = await payloadSignature(one.signing_secret, "{}");
    const wrong = ["", "zz", good.slice(1), `sha256=${good}`, `${good}00`, "0".repeat(64)];
    wrong.push(await payloadSignature(one.signing_secret, "{ }"));
    wrong.push(await payloadSignature(other.signing_secret, "{}"));
    for (const signature of wrong) {
      const init = await signedIngest(one, "{}", { "X-Payload-Signature": signature });
      expect(await outcome("/ingest", init), signature).toBe("SIGNATURE_INVALID");
    }
  });

  it("come in the order certificate, key, signature", async () => {
    const all_bad = withTls(one, { certPresented: "0" });
    const bad = { "X-API-Key": "bad", "X-Payload-Signature": "bad" };
    expect(await outcome("/ingest", await signedIngest(all_bad, "{}", bad))).toBe("CERTIFICATE_INVALID");
    expect(await outcome("/ingest", await signedIngest(one, "{}", bad))).toBe("API_KEY_INVALID");
  });

  it("come before X-Client-ID, which comes before X-Request-ID", async () => {
    const headers = { "X-Client-ID": other.distributor_id, "X-Request-ID": "malformed" };
    const unsigned = await signedIngest(one, "{}", { ...headers, "X-Payload-Signature": "bad" });
    expect(await outcome("/ingest", unsigned)).toBe("SIGNATURE_INVALID");
    expect(await outcome("/ingest", await signedIngest(one, "{}", headers))).toBe("DISTRIBUTOR_MISMATCH");
    const malformed = await signedIngest(one, "{}", { "X-Request-ID": "malformed" });
    expect(await outcome("/ingest", malformed)).toBe("INVALID_REQUEST");
  });

  it("PAYLOAD_TOO_LARGE over 2 MiB, but only for a certificate and key that are good", async () => {
    const big = "x".repeat(2 * 1024 * 1024 + 1);
    expect(await outcome("/ingest", await signedIngest(one, big))).toBe("PAYLOAD_TOO_LARGE");
    expect(await outcome("/ingest", await signedIngest(one, big, { "X-API-Key": "bad" }))).toBe(
      "API_KEY_INVALID",
    );
  });

  it("SERVICE_UNAVAILABLE when the registry cannot be read", async () => {
    const DB = {
      prepare: () => {
        throw new Error("D1 is down");
      },
    } as unknown as D1Database;
    expect(await outcome("/ingest", await signedIngest(one, "{}"), { ...env, DB })).toBe(
      "SERVICE_UNAVAILABLE",
    );
  });
});

describe("the three factors, security", () => {
  it("take no header for a certificate", async () => {
    const { cf: _, ...plain } = await signedIngest(one, "{}", {
      "MF-CF-Blob": JSON.stringify({ tlsClientAuth: one.tlsClientAuth }),
      "cf-client-cert-verified": "true",
      "X-Client-Cert": one.tlsClientAuth.certFingerprintSHA256,
      "X-SSL-Client-Verify": "SUCCESS",
    });
    expect(await outcome("/ingest", plain)).toBe("CERTIFICATE_INVALID");
  });

  it("must belong to one distributor: no mixture passes", async () => {
    const mixtures: [TestDistributor, string][] = [
      [{ ...one, api_key: other.api_key }, "API_KEY_INVALID"],
      [{ ...one, signing_secret: other.signing_secret }, "SIGNATURE_INVALID"],
      [{ ...one, tlsClientAuth: other.tlsClientAuth }, "API_KEY_INVALID"],
      [{ ...other, signing_secret: one.signing_secret }, "SIGNATURE_INVALID"],
    ];
    for (const [mixture, code] of mixtures)
      expect(await outcome("/ingest", await signedIngest(mixture, "{}"))).toBe(code);
  });

  it("answer every refusal in the same form, the cause staying in the log", async () => {
    const answer = async (changes: Partial<TestDistributor["tlsClientAuth"]>) => {
      const init = await signedIngest(withTls(one, changes), "{}", {
        "X-Request-ID": "6f1f8b3e-0a51-4c1e-9a53-3d2f2c1b0a99",
      });
      const response = await callApp(app, "/ingest", init);
      return { status: response.status, body: await response.text() };
    };
    const revoked = await answer({ certRevoked: "1" });
    expect(await answer({ certFingerprintSHA256: "00".repeat(32) })).toEqual(revoked);
    expect(await answer({ certNotAfter: "x" })).toEqual(revoked);
    expect(revoked.status).toBe(401);
    expect(revoked.body).not.toContain("revoked");
  });

  it("keep old and new credentials valid for 14 days after a rotation, then only the new", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const start_ms = Date.now();
    const before = await seedDistributor();
    const rotated = await rotateDistributorCredentials(await envWithAuthority(), {
      distributor_id: before.distributor_id,
      csr_pem: await newCsr(),
    });
    const { api_key, signing_secret } = rotated;
    const after = {
      ...before,
      api_key,
      signing_secret,
      tlsClientAuth: tlsClientAuth(rotated.certificate_pem ?? ""),
    };
    const old_certificate = { ...after, tlsClientAuth: before.tlsClientAuth };
    for (const valid of [before, after, old_certificate]) {
      expect(await outcome("/ingest", await signedIngest(valid, "{}"))).toMatchObject({ bytes: 2 });
    }
    vi.setSystemTime(start_ms + 14 * DAY_MS);
    expect(await outcome("/ingest", await signedIngest(after, "{}"))).toMatchObject({ bytes: 2 });
    expect(await outcome("/ingest", await signedIngest(old_certificate, "{}"))).toBe("CERTIFICATE_INVALID");
    expect(await outcome("/ingest", await signedIngest({ ...after, api_key: before.api_key }, "{}"))).toBe(
      "API_KEY_INVALID",
    );
    const old_secret = { ...after, signing_secret: before.signing_secret };
    expect(await outcome("/ingest", await signedIngest(old_secret, "{}"))).toBe("SIGNATURE_INVALID");
  });

  it("throw a leaked credential out at once when rotated twice, and keep two", async () => {
    const first = await seedDistributor();
    const { distributor_id } = first;
    const second = { ...first, ...(await rotateDistributorCredentials(env, { distributor_id })) };
    const third = { ...first, ...(await rotateDistributorCredentials(env, { distributor_id })) };
    expect(await outcome("/status", mtls(first))).toBe("API_KEY_INVALID");
    for (const valid of [second, third])
      expect(await outcome("/status", mtls(valid))).toMatchObject({ bytes: 0 });
    const mixed = { ...third, signing_secret: first.signing_secret };
    expect(await outcome("/ingest", await signedIngest(mixed, "{}"))).toBe("SIGNATURE_INVALID");
  });

  it("are looked up once in 5 seconds; the end of a credential is at most that late elsewhere", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const start_ms = Date.now();
    const { distributor_id } = one;
    expect(await outcome("/status", mtls(one))).toMatchObject({ distributor_id });
    await env.DB.prepare("UPDATE distributor_api_keys SET active_until = ?1 WHERE distributor_id = ?2")
      .bind(new Date(start_ms).toISOString(), distributor_id)
      .run();
    vi.setSystemTime(start_ms + 4_999);
    expect(await outcome("/status", mtls(one))).toMatchObject({ distributor_id });
    vi.setSystemTime(start_ms + 5_000);
    expect(await outcome("/status", mtls(one))).toBe("API_KEY_INVALID");
    await env.DB.prepare("UPDATE distributor_api_keys SET active_until = NULL WHERE distributor_id = ?1")
      .bind(distributor_id)
      .run();
  });

  it("carry limits set through the registry, effective here at once", async () => {
    await outcome("/status", mtls(other));
    await setDistributorLimits(env, { distributor_id: other.distributor_id, batches_per_hour: 500 });
    expect(await outcome("/status", mtls(other))).toMatchObject({
      batches_per_hour: 500,
      max_amount_inr: 5_000_000,
    });
  });
});
