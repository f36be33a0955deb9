import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import type { CertificateIssuer } from "../../src/parties/certificate-issuer.ts";
import { certificateIssuer } from "../../src/parties/certificates.ts";
import {
  keyPair,
  newAuthority,
  newCsr,
  readCertificate,
  type TestAuthority,
  x509,
} from "../support/certificates.ts";

const DAY_MS = 86_400_000;
const DISTRIBUTOR = "dist_0123456789abcdef";

function rsa(modulusLength: number, hash = "SHA-256"): Promise<CryptoKeyPair> {
  return keyPair({
    name: "RSASSA-PKCS1-v1_5",
    modulusLength,
    publicExponent: new Uint8Array([1, 0, 1]),
    hash,
  });
}

let authority: TestAuthority;
let issuer: CertificateIssuer;
beforeAll(async () => {
  authority = await newAuthority();
  issuer = await certificateIssuer({ ...env, ...authority });
});

describe("an issued certificate", () => {
  it("is for client authentication only, lasts 90 days and is signed by our authority", async () => {
    const issued = await issuer.issue(await newCsr(), DISTRIBUTOR);
    const certificate = readCertificate(issued.certificate_pem);
    const ca = readCertificate(issued.ca_chain_pem);
    expect(issued.ca_chain_pem.trim()).toBe(authority.CLIENT_CA_CERT.trim());
    expect(await certificate.verify({ publicKey: ca.publicKey, signatureOnly: true })).toBe(true);
    expect(certificate.issuer).toBe(ca.subject);
    expect(certificate.getExtension(x509.BasicConstraintsExtension)).toMatchObject({
      ca: false,
      critical: true,
    });
    expect(certificate.getExtension(x509.ExtendedKeyUsageExtension)?.usages).toEqual([
      x509.ExtendedKeyUsage.clientAuth,
    ]);
    expect(certificate.getExtension(x509.KeyUsagesExtension)?.usages).toBe(
      x509.KeyUsageFlags.digitalSignature,
    );
    expect(Math.abs(certificate.notAfter.getTime() - Date.now() - 90 * DAY_MS)).toBeLessThan(60_000);
    expect(certificate.notBefore.getTime()).toBeLessThan(Date.now());
    expect(new Date(issued.not_after)).toEqual(certificate.notAfter);
    expect(issued.fingerprint).toBe(Buffer.from(await certificate.getThumbprint("SHA-256")).toString("hex"));
  });

  it("carries the distributor's id as subject and nothing of the request's", async () => {
    const csr = await newCsr(undefined, { subject: "CN=dist_ffffffffffffffff, O=Evil, E=a@b.c" });
    const { subject } = readCertificate((await issuer.issue(csr, DISTRIBUTOR)).certificate_pem);
    expect(subject).toContain(`CN=${DISTRIBUTOR}`);
    expect(subject).not.toMatch(/Evil|ffff|a@b/);
  });

  it("has a positive serial number of its own", async () => {
    const csr = await newCsr();
    const serials = await Promise.all(
      [1, 2, 3].map(async () => (await issuer.issue(csr, DISTRIBUTOR)).serial),
    );
    expect(new Set(serials).size).toBe(3);
    for (const serial of serials) expect(serial).toMatch(/^[0-7]?[0-9a-f]{1,31}$/);
  });

  it("can be had for EC P-256 and for RSA from 2048 bits", async () => {
    for (const keys of [await keyPair(), await rsa(2048), await rsa(3072)]) {
      const { certificate_pem } = await issuer.issue(await newCsr(keys), DISTRIBUTOR);
      const algorithm = readCertificate(certificate_pem).publicKey.algorithm;
      expect(algorithm).toMatchObject({ name: keys.publicKey.algorithm.name });
    }
  });
});

describe("a signing request is refused", () => {
  it.each(["", "text", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----"])(
    "when it is not one: %j",
    async (csr) => {
      await expect(issuer.issue(csr, DISTRIBUTOR)).rejects.toMatchObject({ code: "CSR_INVALID" });
    },
  );

  it("when it is a certificate", async () => {
    await expect(issuer.issue(authority.CLIENT_CA_CERT, DISTRIBUTOR)).rejects.toMatchObject({
      code: "CSR_INVALID",
    });
  });

  it("when its signature is not made with its own key", async () => {
    const csr = await newCsr();
    const bytes = new Uint8Array(x509.PemConverter.decodeFirst(csr));
    const at = bytes.length - 5;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    const tampered = x509.PemConverter.encode(bytes.buffer, "CERTIFICATE REQUEST");
    await expect(issuer.issue(tampered, DISTRIBUTOR)).rejects.toMatchObject({ code: "CSR_INVALID" });
  });

  it("for an RSA key under 2048 bits", async () => {
    await expect(issuer.issue(await newCsr(await rsa(1024)), DISTRIBUTOR)).rejects.toMatchObject({
      code: "CSR_INVALID",
      message: expect.stringContaining("2048"),
    });
  });

  it("for another curve", async () => {
    const keys = await keyPair({ name: "ECDSA", namedCurve: "P-384" });
    await expect(issuer.issue(await newCsr(keys), DISTRIBUTOR)).rejects.toMatchObject({
      code: "CSR_INVALID",
    });
  });

  it("for a SHA-1 signature", async () => {
    const csr = await newCsr(await rsa(2048, "SHA-1"), { hash: "SHA-1" });
    await expect(issuer.issue(csr, DISTRIBUTOR)).rejects.toMatchObject({ code: "CSR_INVALID" });
  });
});

describe("the certificate authority", () => {
  it("may carry its line breaks as \\n, as one-line secrets do", async () => {
    const oneLine = {
      CLIENT_CA_CERT: authority.CLIENT_CA_CERT.replaceAll("\n", "\\n"),
      CLIENT_CA_KEY: authority.CLIENT_CA_KEY.replaceAll("\n", "\\n"),
    };
    const { issue } = await certificateIssuer({ ...env, ...oneLine }).then((opened) => ({
      issue: opened.issue.bind(opened),
    }));
    expect((await issue(await newCsr(), DISTRIBUTOR)).certificate_pem).toContain("BEGIN CERTIFICATE");
  });

  it("is missed with a message that names the secrets", async () => {
    await expect(certificateIssuer({ ...env, CLIENT_CA_CERT: "", CLIENT_CA_KEY: "" })).rejects.toMatchObject({
      code: "CA_UNAVAILABLE",
      message: expect.stringMatching(/CLIENT_CA_CERT.*CLIENT_CA_KEY/),
    });
  });

  it.each<[string, (good: TestAuthority) => Promise<TestAuthority> | TestAuthority]>([
    ["is no PEM", (good) => ({ ...good, CLIENT_CA_CERT: "x" })],
    ["has a key that is no PEM", (good) => ({ ...good, CLIENT_CA_KEY: "x" })],
    ["is not a CA certificate", () => newAuthority({ ca: false })],
    ["has another key", async (good) => ({ ...good, CLIENT_CA_KEY: (await newAuthority()).CLIENT_CA_KEY })],
    ["ends within 90 days", () => newAuthority({ days: 89 })],
  ])("is refused when it %s", async (_, change) => {
    const attempt = async () => {
      const opened = await certificateIssuer({ ...env, ...(await change(authority)) });
      return opened.issue(await newCsr(), DISTRIBUTOR);
    };
    const error = await attempt().catch((thrown: Error & { code?: string }) => thrown);
    expect(error).toMatchObject({ code: "CA_UNAVAILABLE" });
    if (error instanceof Error) expect(error.message).not.toContain("PRIVATE");
  });

  it("refuses nothing only because time goes on within its life", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 1000 * DAY_MS });
    const issued = await issuer.issue(await newCsr(), DISTRIBUTOR);
    vi.useRealTimers();
    expect(Date.parse(issued.not_after)).toBeGreaterThan(Date.now() + 1000 * DAY_MS);
  });
});
