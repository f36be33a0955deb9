import type { z } from "@hono/zod-openapi";
import { asc, eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { latestAnchor } from "../audit/anchor.ts";
import { type ExportPage, exportStream } from "../audit/export.ts";
import type { Anchor } from "../audit/verify.ts";
import { rotateKeys } from "../auth/keys.ts";
import * as revocation from "../auth/revocation.ts";
import type { Env } from "../env.ts";
import * as lifecycle from "../models/lifecycle.ts";
import { type Replays, replayMany, replayNewest } from "../pipeline/replay.ts";
import { rescoreAll } from "../pipeline/rescore.ts";
import { checked, ProvisioningError } from "./errors.ts";
import { exportAuditInput, replayInput, revokeClientInput, revokeTokenInput } from "./schemas.ts";
import { clients, distributorCertificates, distributors, lenders } from "./tables.ts";

export { freezeModel, listModels, registerModel, retireModel } from "../models/lifecycle.ts";
/**
 * The one way into the registry of parties: start-up, command line and admin plane all call these functions. Each takes one
 * plain object, checks it, and throws ProvisioningError for what it refuses.
 */
export {
  createDistributor,
  rotateDistributorCredentials,
  setDistributorLimits,
} from "./distributors.ts";
export { createLender, createServiceClient, setLenderLimits } from "./lenders.ts";
export { publishNotice, withdrawNotice } from "./notices.ts";

/** Promotes a challenger (models/lifecycle.ts) and puts every consented retailer on the queue, to be scored by it. */
export async function promoteModel(
  env: Env,
  given: Parameters<typeof lifecycle.promoteModel>[1],
): ReturnType<typeof lifecycle.promoteModel> {
  const promoted = await lifecycle.promoteModel(env, given);
  // If this breaks off, the nightly run does it.
  await rescoreAll(env);
  return promoted;
}

/** Replays one stored score, or the newest ones (pipeline/replay.ts). */
export async function replay(env: Env, given: z.input<typeof replayInput>): Promise<Replays> {
  const { score_id, last } = checked(replayInput, given);
  return score_id === undefined ? replayNewest(env, last!) : replayMany(env, [score_id]);
}

/** Replaces both signing keys now; the old ones stay published for 14 days. Returns the kids now active. */
export async function rotateSigningKeys(env: Env): Promise<{ active: string[] }> {
  return rotateKeys(env);
}

/** Revokes one access token, effective on the next request; one that has expired needs nothing. */
export async function revokeToken(
  env: Env,
  given: z.input<typeof revokeTokenInput>,
): Promise<{ revoked: true }> {
  const result = await revocation.revokeToken(env, checked(revokeTokenInput, given).token);
  return revoked(result);
}

/** Revokes a client and every token it holds, effective on the next request. */
export async function revokeClient(
  env: Env,
  given: z.input<typeof revokeClientInput>,
): Promise<{ revoked: true }> {
  const result = await revocation.revokeClient(env, checked(revokeClientInput, given).client_id);
  return revoked(result);
}

function revoked(result: revocation.RevocationResult): { revoked: true } {
  if (result.ok) return { revoked: true };
  const message =
    result.code === "TOKEN_INVALID" ? "this is no access token of ours" : "there is no such client";
  throw new ProvisioningError(result.code, message);
}

/** A page of an audit stream, oldest first, as lines of canonical JSON for `npm run verify:audit`. */
export async function exportAudit(env: Env, given: z.input<typeof exportAuditInput>): Promise<ExportPage> {
  const { stream, after, limit } = checked(exportAuditInput, given);
  const page = await exportStream(env, stream, after, limit);
  if (after === 0 && page.lines.length === 0) {
    throw new ProvisioningError("AUDIT_STREAM_UNKNOWN", `there is no row of ${stream}`);
  }
  return page;
}

/** The newest signed anchor of the audit streams. */
export async function exportAnchor(env: Env): Promise<Anchor> {
  const anchor = await latestAnchor(env);
  if (!anchor)
    throw new ProvisioningError("AUDIT_NOT_ANCHORED", "there is no anchor yet: the first comes at night");
  return anchor;
}

/** Every party with its limits and the state of its credentials; never a secret or its digest. */
export async function listParties(env: Env) {
  const db = drizzle(env.DB);
  const clientColumns = {
    client_id: clients.client_id,
    scope: clients.scope,
    created_at: clients.created_at,
    revoked_at: clients.revoked_at,
  };
  const [lender_rows, lender_clients, services, distributor_rows, certificates] = await db.batch([
    db.select().from(lenders).orderBy(asc(lenders.lender_id)),
    db
      .select({ subject: clients.subject, ...clientColumns })
      .from(clients)
      .where(eq(clients.kind, "lender")),
    db.select(clientColumns).from(clients).where(eq(clients.kind, "service")).orderBy(asc(clients.client_id)),
    db.select().from(distributors).orderBy(asc(distributors.distributor_id)),
    db.select().from(distributorCertificates).orderBy(asc(distributorCertificates.created_at)),
  ]);
  const clientsOf = Map.groupBy(lender_clients, (row) => row.subject);
  const certificatesOf = Map.groupBy(certificates, (row) => row.distributor_id);
  return {
    lenders: lender_rows.map((lender) => ({
      ...lender,
      clients: (clientsOf.get(lender.lender_id) ?? []).map(({ subject: _, ...client }) => client),
    })),
    services,
    distributors: distributor_rows.map((distributor) => ({
      ...distributor,
      certificates: (certificatesOf.get(distributor.distributor_id) ?? []).map(
        ({ fingerprint, serial, not_after, active_until }) => ({
          fingerprint,
          serial,
          not_after,
          active_until,
        }),
      ),
    })),
  };
}
