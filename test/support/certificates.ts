// The library needs the metadata API before it is loaded: tests take it from here.
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { nowMs } from "../../src/lib/seams.ts";

export { x509 };

const DAY_MS = 86_400_000;
export const EC_P256: SubtleCryptoGenerateKeyAlgorithm = { name: "ECDSA", namedCurve: "P-256" };

export interface TestAuthority {
  CLIENT_CA_CERT: string;
  CLIENT_CA_KEY: string;
}

/** A new key pair of the kinds a distributor may bring. */
export async function keyPair(algorithm: SubtleCryptoGenerateKeyAlgorithm = EC_P256): Promise<CryptoKeyPair> {
  return (await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as CryptoKeyPair;
}

/** A certificate authority made on the spot; `days` is how long it lasts. */
export async function newAuthority({ days = 3650, ca = true } = {}): Promise<TestAuthority> {
  const keys = await keyPair();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: "CN=Test client CA",
    notBefore: new Date(nowMs() - DAY_MS),
    notAfter: new Date(nowMs() + days * DAY_MS),
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    keys,
    extensions: [new x509.BasicConstraintsExtension(ca, undefined, true)],
  });
  const pkcs8 = (await crypto.subtle.exportKey("pkcs8", keys.privateKey)) as ArrayBuffer;
  return {
    CLIENT_CA_CERT: certificate.toString("pem"),
    CLIENT_CA_KEY: x509.PemConverter.encode(pkcs8, "PRIVATE KEY"),
  };
}

/** A signing request as a distributor would make it. */
export async function newCsr(
  keys?: CryptoKeyPair,
  { subject = "CN=whatever the distributor likes", hash = "SHA-256" } = {},
): Promise<string> {
  const pair = keys ?? (await keyPair());
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: subject,
    keys: pair,
    signingAlgorithm: { name: pair.publicKey.algorithm.name, hash },
  });
  return request.toString("pem");
}

/** The certificate behind a PEM text. */
export function readCertificate(pem: string): x509.X509Certificate {
  return new x509.X509Certificate(pem);
}

/** A time in the OpenSSL form that `request.cf.tlsClientAuth` uses. */
export function opensslTime(ms: number): string {
  const [, day = "", month, year, time] = new Date(ms).toUTCString().split(" ");
  return `${month} ${day.replace(/^0/, " ")} ${time} ${year} GMT`;
}
