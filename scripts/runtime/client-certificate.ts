import type { TLSSocket } from "node:tls";
import type { RevokedSerials } from "./revoked.ts";

/**
 * The members of Cloudflare's `request.cf.tlsClientAuth` that the Worker or its log may read. All are texts;
 * without a certificate everything but the three verdicts is "".
 */
export interface TlsClientAuth {
  certPresented: "0" | "1";
  /** `SUCCESS`, `NONE` or `FAILED:<reason>`. */
  certVerified: string;
  certRevoked: "0" | "1";
  certSubjectDN: string;
  certIssuerDN: string;
  certSerial: string;
  /** Lower-case hex of the DER's digest. */
  certFingerprintSHA256: string;
  certFingerprintSHA1: string;
  /** OpenSSL style, e.g. `Dec 22 19:39:00 2018 GMT`. */
  certNotBefore: string;
  certNotAfter: string;
}

/** OpenSSL's verdicts as Node names them, in Cloudflare's words. */
const FAILURES: Record<string, string> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: "self signed certificate",
  SELF_SIGNED_CERT_IN_CHAIN: "self signed certificate",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "unable to verify the first certificate",
  CERT_NOT_YET_VALID: "certificate is not yet valid",
  CERT_HAS_EXPIRED: "certificate has expired",
};

const NO_CERTIFICATE: TlsClientAuth = {
  certPresented: "0",
  certVerified: "NONE",
  certRevoked: "0",
  certSubjectDN: "",
  certIssuerDN: "",
  certSerial: "",
  certFingerprintSHA256: "",
  certFingerprintSHA1: "",
  certNotBefore: "",
  certNotAfter: "",
};

/**
 * Describes the certificate of a TLS connection in the form that Cloudflare gives a Worker. A revoked
 * certificate still verifies (`SUCCESS`), as it does there: `certRevoked` tells.
 */
export function describeClientCertificate(socket: TLSSocket, revoked: RevokedSerials): TlsClientAuth {
  const certificate = socket.getPeerX509Certificate();
  // On a resumed session without a certificate `socket.authorized` is true: only the certificate itself counts.
  if (certificate === undefined) return NO_CERTIFICATE;
  return {
    certPresented: "1",
    certVerified: socket.authorized ? "SUCCESS" : `FAILED:${failureReason(socket)}`,
    certRevoked: revoked.has(certificate.serialNumber) ? "1" : "0",
    certSubjectDN: oneLine(certificate.subject),
    certIssuerDN: oneLine(certificate.issuer),
    certSerial: certificate.serialNumber.toLowerCase(),
    certFingerprintSHA256: hex(certificate.fingerprint256),
    certFingerprintSHA1: hex(certificate.fingerprint),
    certNotBefore: certificate.validFrom,
    certNotAfter: certificate.validTo,
  };
}

function failureReason(socket: TLSSocket): string {
  // Typed as an Error, but a server's socket carries OpenSSL's code as text.
  const code = String(socket.authorizationError);
  return FAILURES[code] ?? "unable to get local issuer certificate";
}

const hex = (fingerprint: string): string => fingerprint.replaceAll(":", "").toLowerCase();
const oneLine = (name: string | undefined): string => (name ?? "").split("\n").join(",");
