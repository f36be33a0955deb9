import type { Env } from "../env.ts";
import { nowIso } from "../lib/seams.ts";

/** A signing secret at rest; the aad it was sealed with is the distributor_id. */
export interface SealedSecret {
  secret_id: string;
  sealed: string;
}

/** What the registry knows about a certificate and an API key that came in together. */
export interface DistributorCredentials {
  distributor_id: string;
  erp_type: "tally_prime" | "sap_b1" | "csv";
  batches_per_hour: number;
  max_amount_inr: number;
  /** True if the API key is active and belongs to the certificate's distributor. */
  key_matches: boolean;
  secrets: SealedSecret[];
}

interface Row {
  distributor_id: string;
  erp_type: DistributorCredentials["erp_type"];
  batches_per_hour: number;
  max_amount_inr: number;
  key_matches: number;
  secrets: string;
}

/**
 * Looks certificate, API key and signing secrets up in one query. `fingerprint` is the lower-case hex SHA-256 of
 * the certificate's DER, `api_key_sha256` the hex digest of the key's text. Null if the certificate is not active;
 * "active" means: in date and not past the end of its rotation overlap.
 */
export async function findDistributorCredentials(
  env: Env,
  fingerprint: string,
  api_key_sha256: string,
): Promise<DistributorCredentials | null> {
  const row = await env.DB.prepare(
    `SELECT d.distributor_id, d.erp_type, d.batches_per_hour, d.max_amount_inr,
       EXISTS (SELECT 1 FROM distributor_api_keys k
         WHERE k.key_sha256 = ?2 AND k.distributor_id = d.distributor_id
           AND (k.active_until IS NULL OR k.active_until > ?3)) AS key_matches,
       (SELECT json_group_array(json_object('secret_id', s.secret_id, 'sealed', s.sealed))
         FROM distributor_signing_secrets s
         WHERE s.distributor_id = d.distributor_id
           AND (s.active_until IS NULL OR s.active_until > ?3)) AS secrets
     FROM distributor_certificates c JOIN distributors d ON d.distributor_id = c.distributor_id
     WHERE c.fingerprint = ?1 AND c.not_after > ?3 AND (c.active_until IS NULL OR c.active_until > ?3)`,
  )
    .bind(fingerprint, api_key_sha256, nowIso())
    .first<Row>();
  if (!row) return null;
  return { ...row, key_matches: row.key_matches === 1, secrets: JSON.parse(row.secrets) as SealedSecret[] };
}
