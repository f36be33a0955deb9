/** Days a client certificate is valid (api.md §7). */
export const CERTIFICATE_DAYS = 90;

/** A client certificate as it is given to a distributor and kept in the registry. */
export interface IssuedCertificate {
  certificate_pem: string;
  /** The certificates above it, leaf's issuer first. */
  ca_chain_pem: string;
  /** Lower-case hex SHA-256 of the DER. */
  fingerprint: string;
  /** Hex. */
  serial: string;
  /** ISO 8601 UTC. */
  not_after: string;
}

/** Makes client certificates from signing requests; the private key never leaves the distributor. */
export interface CertificateIssuer {
  /**
   * A certificate for the request's public key with our own subject: the distributor_id. Throws ProvisioningError
   * CSR_INVALID (unreadable, bad signature, SHA-1, a key that is neither RSA of 2048 bits or more nor EC P-256).
   */
  issue(csr_pem: string, distributor_id: string): Promise<IssuedCertificate>;
}
