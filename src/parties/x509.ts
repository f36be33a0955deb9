// The library's dependency injection needs the metadata API before anything else.
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { sha256Hex } from "../lib/bytes.ts";
import { nowMs, randomHex } from "../lib/seams.ts";
import { CERTIFICATE_DAYS, type CertificateIssuer, type IssuedCertificate } from "./certificate-issuer.ts";
import { ProvisioningError } from "./errors.ts";

const DAY_MS = 86_400_000;
/** Certificates begin a little earlier, for peers whose clock is behind. */
const BACKDATE_MS = 300_000;
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;
const WEAK_HASHES = new Set(["SHA-1", "MD5"]);

interface KeyAlgorithm {
  name: string;
  namedCurve?: string;
  modulusLength?: number;
  hash?: { name: string };
}

/** Issues with one CA certificate and its key. */
export class OwnAuthority implements CertificateIssuer {
  readonly #certificate: x509.X509Certificate;
  readonly #key: CryptoKey;

  private constructor(certificate: x509.X509Certificate, key: CryptoKey) {
    this.#certificate = certificate;
    this.#key = key;
  }

  /** Opens the authority; throws ProvisioningError CA_UNAVAILABLE if the two PEM texts are not a CA and its key. */
  static async open(certificate_pem: string, key_pem: string): Promise<OwnAuthority> {
    try {
      const certificate = new x509.X509Certificate(certificate_pem);
      if (!certificate.getExtension(x509.BasicConstraintsExtension)?.ca)
        throw new Error("not a CA certificate");
      const { name, namedCurve } = certificate.publicKey.algorithm as KeyAlgorithm;
      const key = await crypto.subtle.importKey(
        "pkcs8",
        x509.PemConverter.decodeFirst(key_pem),
        namedCurve ? { name, namedCurve } : { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
        false,
        ["sign"],
      );
      return new OwnAuthority(certificate, key);
    } catch (cause) {
      throw new ProvisioningError(
        "CA_UNAVAILABLE",
        "CLIENT_CA_CERT and CLIENT_CA_KEY are not a CA and its key",
        cause,
      );
    }
  }

  async issue(csr_pem: string, distributor_id: string): Promise<IssuedCertificate> {
    const request = await checkedRequest(csr_pem);
    const not_before = new Date(nowMs() - BACKDATE_MS);
    const not_after = new Date(Math.floor(nowMs() / 1000) * 1000 + CERTIFICATE_DAYS * DAY_MS);
    if (not_after > this.#certificate.notAfter) {
      throw new ProvisioningError(
        "CA_UNAVAILABLE",
        "the CA ends before a new certificate would: renew the CA first",
      );
    }
    const certificate = await x509.X509CertificateGenerator.create({
      // A leading zero bit keeps the number positive.
      serialNumber: `0${randomHex(16).slice(1)}`,
      // Nothing of the request but its key is taken over.
      subject: [{ O: ["AltScore"] }, { OU: ["Distributor"] }, { CN: [distributor_id] }],
      issuer: this.#certificate.subjectName,
      notBefore: not_before,
      notAfter: not_after,
      publicKey: request.publicKey,
      signingKey: this.#key,
      signingAlgorithm: { name: this.#key.algorithm.name, hash: "SHA-256" },
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
        await x509.SubjectKeyIdentifierExtension.create(request.publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(this.#certificate.publicKey),
      ],
    });
    const signed = await certificate.verify({ publicKey: this.#certificate.publicKey, signatureOnly: true });
    if (!signed) {
      throw new ProvisioningError("CA_UNAVAILABLE", "CLIENT_CA_KEY is not the key of CLIENT_CA_CERT");
    }
    return {
      certificate_pem: certificate.toString("pem"),
      ca_chain_pem: this.#certificate.toString("pem"),
      fingerprint: sha256Hex(new Uint8Array(certificate.rawData)),
      serial: certificate.serialNumber,
      not_after: not_after.toISOString(),
    };
  }
}

/** The request, if its signature proves possession of a key that is strong enough. */
async function checkedRequest(csr_pem: string): Promise<x509.Pkcs10CertificateRequest> {
  let request: x509.Pkcs10CertificateRequest;
  let proven: boolean;
  try {
    request = new x509.Pkcs10CertificateRequest(csr_pem);
    proven = await request.verify();
  } catch (cause) {
    throw new ProvisioningError("CSR_INVALID", "the CSR is not a readable PKCS #10 request in PEM", cause);
  }
  if (!proven) throw new ProvisioningError("CSR_INVALID", "the CSR's signature is not made with its own key");
  const key = request.publicKey.algorithm as KeyAlgorithm;
  const bits = key.modulusLength ?? 0;
  const strong_rsa = key.name.startsWith("RSA") && bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS;
  const strong_ec = key.name === "ECDSA" && key.namedCurve === "P-256";
  if (!strong_rsa && !strong_ec) {
    throw new ProvisioningError("CSR_INVALID", "the CSR's key must be EC P-256 or RSA of 2048 to 8192 bits");
  }
  const { hash } = request.signatureAlgorithm as KeyAlgorithm;
  if (!hash || WEAK_HASHES.has(hash.name)) {
    throw new ProvisioningError("CSR_INVALID", "the CSR must be signed with SHA-256 or better");
  }
  return request;
}
