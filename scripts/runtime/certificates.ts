import "reflect-metadata";
import { createPrivateKey, randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import { writePrivate } from "../lib/files.ts";
import type { StateLayout } from "./layout.ts";

const DAY_MS = 86_400_000;
const CA_DAYS = 3650;
const SERVER_DAYS = 397;
/** A server certificate with fewer days left is replaced at the next start. */
const RENEW_DAYS = 30;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

x509.cryptoProvider.set(crypto);

/** A certificate and its private key (PKCS #8), both PEM. */
export interface KeyedCertificate {
  cert_pem: string;
  key_pem: string;
}

/** Paths of the local CA's and the server's files. */
export interface CertificateFiles {
  ca_cert: string;
  ca_key: string;
  server_cert: string;
  server_key: string;
}

/** Where the CA's and the server's certificate and key are kept. */
export function certificateFiles(layout: StateLayout): CertificateFiles {
  const file = (name: string): string => join(layout.certificates, name);
  return {
    ca_cert: file("ca.crt"),
    ca_key: file("ca.key"),
    server_cert: file("server.crt"),
    server_key: file("server.key"),
  };
}

/**
 * The local CA, which signs the server's certificate here and distributors' client certificates inside the
 * Worker, and the server's certificate for localhost, 127.0.0.1 and ::1. Both are made once and kept; the
 * server's is renewed in its last 30 days.
 */
export async function ensureCertificates(
  layout: StateLayout,
): Promise<{ ca: KeyedCertificate; server: KeyedCertificate }> {
  const files = certificateFiles(layout);
  const ca = read(files.ca_cert, files.ca_key) ?? keep(await newCa(), files.ca_cert, files.ca_key);
  const known = read(files.server_cert, files.server_key);
  const renew_at_ms = Date.now() + RENEW_DAYS * DAY_MS;
  const good = known && new x509.X509Certificate(known.cert_pem).notAfter.getTime() > renew_at_ms;
  const server = good ? known : keep(await newServerCertificate(ca), files.server_cert, files.server_key);
  return { ca, server };
}

/** A new P-256 key and a certificate request for it, both PEM: what a distributor makes on its own machine. */
export async function newClientRequest(common_name: string): Promise<{ key_pem: string; csr_pem: string }> {
  const keys = await newKeys();
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [common_name] }],
    keys,
    signingAlgorithm: ALGORITHM,
  });
  return { key_pem: await exportKey(keys.privateKey), csr_pem: `${request.toString("pem")}\n` };
}

/** A self-signed CA certificate with its key; `common_name` tells it from others. */
export async function newCa(common_name = "AltScore local CA"): Promise<KeyedCertificate> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: [{ CN: [common_name] }],
    ...validity(CA_DAYS),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert_pem: `${certificate.toString("pem")}\n`, key_pem: await exportKey(keys.privateKey) };
}

/** A client certificate signed by `ca`, valid between the two instants (ms since the epoch). */
export async function newClientCertificate(
  ca: KeyedCertificate,
  common_name: string,
  not_before_ms: number,
  not_after_ms: number,
): Promise<KeyedCertificate> {
  return await issue(ca, common_name, not_before_ms, not_after_ms, [
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
  ]);
}

async function newServerCertificate(ca: KeyedCertificate): Promise<KeyedCertificate> {
  const { notBefore, notAfter } = validity(SERVER_DAYS);
  return await issue(ca, "localhost", notBefore.getTime(), notAfter.getTime(), [
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    new x509.SubjectAlternativeNameExtension([
      { type: "dns", value: "localhost" },
      { type: "ip", value: "127.0.0.1" },
      { type: "ip", value: "::1" },
    ]),
  ]);
}

async function issue(
  ca: KeyedCertificate,
  common_name: string,
  not_before_ms: number,
  not_after_ms: number,
  extensions: x509.Extension[],
): Promise<KeyedCertificate> {
  const keys = await newKeys();
  const issuer = new x509.X509Certificate(ca.cert_pem);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: [{ CN: [common_name] }],
    issuer: issuer.subject,
    notBefore: new Date(not_before_ms),
    notAfter: new Date(not_after_ms),
    publicKey: keys.publicKey,
    signingKey: await importKey(ca.key_pem),
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      ...extensions,
    ],
  });
  return { cert_pem: `${certificate.toString("pem")}\n`, key_pem: await exportKey(keys.privateKey) };
}

async function newKeys(): Promise<CryptoKeyPair> {
  return (await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"])) as CryptoKeyPair;
}

async function exportKey(key: CryptoKey): Promise<string> {
  const der = Buffer.from((await crypto.subtle.exportKey("pkcs8", key)) as ArrayBuffer);
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" })
    .export({ format: "pem", type: "pkcs8" })
    .toString();
}

async function importKey(pem: string): Promise<CryptoKey> {
  const der = createPrivateKey(pem).export({ format: "der", type: "pkcs8" });
  return await crypto.subtle.importKey("pkcs8", new Uint8Array(der), ALGORITHM, false, ["sign"]);
}

/** 16 random bytes, positive and without a leading zero (RFC 5280 allows at most 20 octets). */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString("hex");
}

function validity(days: number): { notBefore: Date; notAfter: Date } {
  // A minute of slack for a client whose clock is behind.
  const start_ms = Date.now() - 60_000;
  return { notBefore: new Date(start_ms), notAfter: new Date(start_ms + days * DAY_MS) };
}

function read(cert_path: string, key_path: string): KeyedCertificate | null {
  if (!existsSync(cert_path) || !existsSync(key_path)) return null;
  return { cert_pem: readFileSync(cert_path, "utf8"), key_pem: readFileSync(key_path, "utf8") };
}

function keep(made: KeyedCertificate, cert_path: string, key_path: string): KeyedCertificate {
  writePrivate(key_path, made.key_pem);
  writePrivate(cert_path, made.cert_pem);
  return made;
}
