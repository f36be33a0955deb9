import type { z } from "@hono/zod-openapi";
import { and, eq, isNotNull, isNull, type SQL, sql } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import { forgetDistributors } from "../auth/distributor.ts";
import { seal } from "../auth/seal.ts";
import { parseEnv } from "../config.ts";
import type { Env } from "../env.ts";
import { sha256Hex } from "../lib/bytes.ts";
import { newId, newUuid, nowIso, nowMs, randomHex } from "../lib/seams.ts";
import type { IssuedCertificate } from "./certificate-issuer.ts";
import { certificateIssuer } from "./certificates.ts";
import { checked, ProvisioningError } from "./errors.ts";
import { createDistributorInput, rotateDistributorInput, setDistributorLimitsInput } from "./schemas.ts";
import {
  distributorApiKeys,
  distributorCertificates,
  distributorSigningSecrets,
  distributors,
} from "./tables.ts";

/** API key and signing secret: 256 bits as hex. */
const SECRET_BYTES = 32;
/** How long replaced credentials stay valid (api.md §5). */
const OVERLAP_MS = 14 * 86_400_000;

/** An onboarded distributor; key and secret are shown here only. */
export interface CreatedDistributor {
  distributor_id: string;
  certificate_pem: string;
  ca_chain_pem: string;
  api_key: string;
  signing_secret: string;
}

function certificateRow(distributor_id: string, issued: IssuedCertificate) {
  const { fingerprint, serial, not_after } = issued;
  return { fingerprint, distributor_id, serial, not_after, created_at: nowIso() };
}

/** A new API key and signing secret with the statements that store the digest of one and the other sealed. */
async function newSecrets(env: Env, db: DrizzleD1Database, distributor_id: string) {
  const api_key = randomHex(SECRET_BYTES);
  const signing_secret = randomHex(SECRET_BYTES);
  const sealed = await seal(parseEnv(env), signing_secret, distributor_id);
  const created_at = nowIso();
  const statements = [
    db.insert(distributorApiKeys).values({ key_sha256: sha256Hex(api_key), distributor_id, created_at }),
    db.insert(distributorSigningSecrets).values({ secret_id: newUuid(), distributor_id, sealed, created_at }),
  ] as const;
  return { api_key, signing_secret, statements };
}

/**
 * Onboards a distributor: a 90-day client certificate from its CSR, an API key and a signing secret. Limits not
 * given are the published ones. Throws ProvisioningError CSR_INVALID, CA_UNAVAILABLE; nothing is stored then.
 */
export async function createDistributor(
  env: Env,
  given: z.input<typeof createDistributorInput>,
): Promise<CreatedDistributor> {
  const { name, erp_type, csr_pem, limits } = checked(createDistributorInput, given);
  const distributor_id = newId("dist");
  const issuer = await certificateIssuer(env);
  const issued = await issuer.issue(csr_pem, distributor_id);
  const db = drizzle(env.DB);
  const { api_key, signing_secret, statements } = await newSecrets(env, db, distributor_id);
  await db.batch([
    db.insert(distributors).values({ distributor_id, name, erp_type, created_at: nowIso(), ...limits }),
    db.insert(distributorCertificates).values(certificateRow(distributor_id, issued)),
    ...statements,
  ]);
  const { certificate_pem, ca_chain_pem } = issued;
  return { distributor_id, certificate_pem, ca_chain_pem, api_key, signing_secret };
}

/** New credentials after a rotation; `overlap_ends_at` is when the replaced ones stop working. */
export interface RotatedCredentials {
  distributor_id: string;
  api_key: string;
  signing_secret: string;
  overlap_ends_at: string;
  certificate_pem?: string;
  ca_chain_pem?: string;
}

type CredentialTable =
  | typeof distributorCertificates
  | typeof distributorApiKeys
  | typeof distributorSigningSecrets;

/**
 * What makes room for a new credential: one already in its overlap ends now, the current one goes into its overlap. So there
 * are never more than two (api.md §5), and rotating twice throws a leaked credential out at once.
 */
function makeRoom(
  db: DrizzleD1Database,
  table: CredentialTable,
  distributor_id: string,
  overlap_ends_at: string,
) {
  const set = (active_until: string | SQL, which: SQL) =>
    db
      .update(table)
      .set({ active_until })
      .where(and(eq(table.distributor_id, distributor_id), which));
  return [
    set(sql`min(${table.active_until}, ${nowIso()})`, isNotNull(table.active_until)),
    set(overlap_ends_at, isNull(table.active_until)),
  ] as const;
}

/**
 * Gives a distributor a new API key and signing secret, and with a CSR a new certificate. The old ones stay valid for 14
 * days; ones that were replaced before end now. Effective everywhere within 5 seconds. Throws ProvisioningError
 * DISTRIBUTOR_UNKNOWN, CSR_INVALID, CA_UNAVAILABLE; nothing is changed then.
 */
export async function rotateDistributorCredentials(
  env: Env,
  given: z.input<typeof rotateDistributorInput>,
): Promise<RotatedCredentials> {
  const { distributor_id, csr_pem } = checked(rotateDistributorInput, given);
  const db = drizzle(env.DB);
  const known = await db
    .select()
    .from(distributors)
    .where(eq(distributors.distributor_id, distributor_id))
    .get();
  if (!known) throw unknownDistributor(distributor_id);
  const issued =
    csr_pem === undefined ? null : await (await certificateIssuer(env)).issue(csr_pem, distributor_id);
  const overlap_ends_at = new Date(nowMs() + OVERLAP_MS).toISOString();
  const { api_key, signing_secret, statements } = await newSecrets(env, db, distributor_id);
  await db.batch([
    ...makeRoom(db, distributorApiKeys, distributor_id, overlap_ends_at),
    ...makeRoom(db, distributorSigningSecrets, distributor_id, overlap_ends_at),
    ...statements,
    ...(issued
      ? [
          ...makeRoom(db, distributorCertificates, distributor_id, overlap_ends_at),
          db.insert(distributorCertificates).values(certificateRow(distributor_id, issued)),
        ]
      : []),
  ]);
  forgetDistributors();
  return {
    distributor_id,
    api_key,
    signing_secret,
    overlap_ends_at,
    ...(issued ? { certificate_pem: issued.certificate_pem, ca_chain_pem: issued.ca_chain_pem } : {}),
  };
}

/**
 * Changes a distributor's limits, effective everywhere within 5 seconds. Limits not named stay. Returns all limits. Throws
 * ProvisioningError DISTRIBUTOR_UNKNOWN.
 */
export async function setDistributorLimits(
  env: Env,
  given: z.input<typeof setDistributorLimitsInput>,
): Promise<{ distributor_id: string; batches_per_hour: number; max_amount_inr: number }> {
  const { distributor_id, ...limits } = checked(setDistributorLimitsInput, given);
  const row = await drizzle(env.DB)
    .update(distributors)
    .set(limits)
    .where(eq(distributors.distributor_id, distributor_id))
    .returning()
    .get();
  if (!row) throw unknownDistributor(distributor_id);
  forgetDistributors();
  return { distributor_id, batches_per_hour: row.batches_per_hour, max_amount_inr: row.max_amount_inr };
}

function unknownDistributor(distributor_id: string): ProvisioningError {
  return new ProvisioningError("DISTRIBUTOR_UNKNOWN", `there is no distributor ${distributor_id}`);
}
