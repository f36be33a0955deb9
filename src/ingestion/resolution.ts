import { drizzle } from "drizzle-orm/d1";
import { moveConsentsStatements } from "../consent/lookup.ts";
import type { Env } from "../env.ts";
import { AppError, unavailable } from "../http/errors.ts";
import { newId } from "../lib/seams.ts";
import { type Identity, isSettled, planIdentities } from "../retailers/identity.ts";
import {
  type Alias,
  identityReads,
  identityWrites,
  mergeWrites,
  readFacts,
} from "../retailers/identity-store.ts";

type FactRows = Parameters<typeof readFacts>[2];

/** A merge is a handful of statements; so many fit well into one D1 batch. */
const MERGES_PER_ROUND = 100;
/** Each round does part of the work or loses it to another writer, who then has done it. */
const MAX_ROUNDS = 20;

/** The retailers of a batch's identities. */
export interface Resolution {
  /** One per identity; null where a phone alone names several retailers. */
  retailer_ids: (string | null)[];
  /** IDENTITY_CONFLICT, one per identity. */
  conflicts: boolean[];
  /** Retailers that were merged into any of these. */
  aliases: Alias[];
  /** Whether the identity of each counts as verified (by a GSTIN or a phone that gave a consent). */
  verified: boolean[];
}

/**
 * Finds or makes the retailer of each (distinct) identity, notes the relationship with the distributor, and merges
 * provisional retailers into those of GSTINs: identifiers, relationships and consents in one D1 batch. One round
 * trip when all is known, two when something is new. Concurrent batches converge on the same retailers.
 * `beforeWriting` is called once if something is to be written; an AppError it throws stops that. Throws
 * SERVICE_UNAVAILABLE if D1 fails; what was written till then is whole and will be found next time.
 */
export async function resolveRetailers(
  env: Env,
  distributor_id: string,
  identities: readonly Identity[],
  beforeWriting: () => Promise<void>,
): Promise<Resolution> {
  if (identities.length === 0) return { retailer_ids: [], conflicts: [], aliases: [], verified: [] };
  try {
    return await settle(env, distributor_id, identities, beforeWriting);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw unavailable(cause);
  }
}

async function settle(
  env: Env,
  distributor_id: string,
  identities: readonly Identity[],
  beforeWriting: () => Promise<void>,
): Promise<Resolution> {
  const db = drizzle(env.DB);
  const gstins = distinct(identities.map((identity) => identity.gstin_index));
  const phones = distinct(identities.map((identity) => identity.phone_index));
  const reads = identityReads(db, distributor_id, gstins, phones);
  const conflicts = identities.map(() => false);
  let facts = readFacts(gstins, phones, await db.batch(reads));
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const plan = planIdentities(identities, facts.snapshot, () => newId("ret"));
    const settled = isSettled(plan);
    // A phone linked in an earlier round names two retailers now; only what came before it is a conflict.
    if (round === 0 || !settled) {
      for (const [index, conflict] of plan.conflicts.entries()) conflicts[index] ||= conflict;
    }
    if (settled) {
      const { retailer_ids } = plan;
      const verified = retailer_ids.map((id) => id !== null && facts.verified.has(id));
      return { retailer_ids, conflicts, aliases: facts.aliases, verified };
    }
    if (round === 0) await beforeWriting();
    const merges = plan.changes.merges.slice(0, MERGES_PER_ROUND);
    const [first, ...rest] = [
      ...identityWrites(db, distributor_id, plan.changes),
      ...merges.flatMap(({ from, into }) => [
        ...mergeWrites(db, from, into),
        ...moveConsentsStatements(db, from, into),
      ]),
      ...reads,
    ];
    const results: unknown[] = await db.batch([first, ...rest]);
    // A batch of unknown length loses its types; its last results are those of the reads, in their order.
    const [named_by_gstin, named_by_phone, aliases] = results.slice(-reads.length);
    facts = readFacts(gstins, phones, [named_by_gstin, named_by_phone, aliases] as FactRows);
  }
  throw new Error(`identities did not settle in ${MAX_ROUNDS} rounds`);
}

function distinct(indexes: readonly (string | null)[]): string[] {
  const found = new Set<string>();
  for (const index of indexes) if (index !== null) found.add(index);
  return [...found];
}
