import type { z } from "@hono/zod-openapi";
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { DEFAULT_LENDER_LIMITS, type LenderLimits } from "../admission/types.ts";
import type { Env } from "../env.ts";
import { sha256Hex } from "../lib/bytes.ts";
import { nowIso, randomHex } from "../lib/seams.ts";
import { checked, ProvisioningError } from "./errors.ts";
import {
  createLenderInput,
  createServiceClientInput,
  LENDER_SCOPE,
  setLenderLimitsInput,
} from "./schemas.ts";
import { clients, lenders } from "./tables.ts";

/** Bytes of a client secret: 256 bits, shown once, only its SHA-256 is kept. */
const SECRET_BYTES = 32;

function slugOf(name: string): string {
  const slug = name
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 32);
  return slug.replace(/-+$/, "");
}

async function tellGate(env: Env, lender_id: string, limits: LenderLimits): Promise<void> {
  await env.LENDER_GATE.get(env.LENDER_GATE.idFromName(lender_id)).setLimits(limits);
}

/**
 * A new lender with one OAuth client; limits not given are the published ones. Without `lender_id` it is `lender_` + a slug
 * of the name. The secret is in this answer only. Throws ProvisioningError LENDER_EXISTS.
 */
export async function createLender(
  env: Env,
  given: z.input<typeof createLenderInput>,
): Promise<{ lender_id: string; client_id: string; client_secret: string }> {
  const input = checked(createLenderInput, given);
  const lender_id = input.lender_id ?? `lender_${slugOf(input.name) || randomHex(4)}`;
  const client_id = `client_${randomHex(8)}`;
  const client_secret = randomHex(SECRET_BYTES);
  const created_at = nowIso();
  const db = drizzle(env.DB);
  const existing = await db.select().from(lenders).where(eq(lenders.lender_id, lender_id)).get();
  if (existing) throw new ProvisioningError("LENDER_EXISTS", `there is a lender ${lender_id} already`);
  const limits = { ...DEFAULT_LENDER_LIMITS, ...input.limits };
  // The gate first: should it fail, there is no lender yet whose secret nobody has seen.
  if (input.limits) await tellGate(env, lender_id, limits);
  await db.batch([
    db.insert(lenders).values({ lender_id, name: input.name, created_at, ...limits }),
    db.insert(clients).values({
      client_id,
      kind: "lender",
      subject: lender_id,
      secret_sha256: sha256Hex(client_secret),
      scope: LENDER_SCOPE,
      created_at,
    }),
  ]);
  return { lender_id, client_id, client_secret };
}

/**
 * Changes a lender's limits in the registry and in its gate, effective on the next request. Limits not named stay.
 * Safe to repeat if it throws. Returns all limits. Throws ProvisioningError LENDER_UNKNOWN.
 */
export async function setLenderLimits(
  env: Env,
  given: z.input<typeof setLenderLimitsInput>,
): Promise<{ lender_id: string } & LenderLimits> {
  const { lender_id, ...limits } = checked(setLenderLimitsInput, given);
  const row = await drizzle(env.DB)
    .update(lenders)
    .set(limits)
    .where(eq(lenders.lender_id, lender_id))
    .returning()
    .get();
  if (!row) throw new ProvisioningError("LENDER_UNKNOWN", `there is no lender ${lender_id}`);
  const { score_per_minute, score_per_day, lookup_per_minute, lookup_per_day } = row;
  const all = { score_per_minute, score_per_day, lookup_per_minute, lookup_per_day };
  await tellGate(env, lender_id, all);
  return { lender_id, ...all };
}

/**
 * A new OAuth client of an internal service, e.g. the WhatsApp handler; `scope` is a space-separated part of SERVICE_SCOPES.
 * Its id tells the service's name. The secret is in this answer only.
 */
export async function createServiceClient(
  env: Env,
  given: z.input<typeof createServiceClientInput>,
): Promise<{ client_id: string; client_secret: string; scope: string }> {
  const { name, scope } = checked(createServiceClientInput, given);
  const client_id = ["svc", slugOf(name), randomHex(4)].filter((part) => part !== "").join("_");
  const client_secret = randomHex(SECRET_BYTES);
  await drizzle(env.DB)
    .insert(clients)
    .values({
      client_id,
      kind: "service",
      subject: client_id,
      secret_sha256: sha256Hex(client_secret),
      scope,
      created_at: nowIso(),
    });
  return { client_id, client_secret, scope };
}
