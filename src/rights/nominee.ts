import { desc, inArray } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { auditStatement } from "../audit/statement.ts";
import { seal, unseal } from "../auth/seal.ts";
import { parseEnv } from "../config.ts";
import { orUnavailable } from "../consent/fail-safe.ts";
import type { Env } from "../env.ts";
import { nowIso } from "../lib/seams.ts";
import { listed } from "../lib/sql.ts";
import type { DataPrincipal } from "./retailer.ts";
import type { NomineeAnswer, NomineeBody } from "./schemas.ts";
import { nominees } from "./tables.ts";

const aadOf = (retailer_id: string) => `nominee/${retailer_id}`;

/** The first letter of each word, the rest hidden in a fixed width: neither a long nor a short name stands out. */
export function masked(name: string): string {
  const letters = new Intl.Segmenter("hi", { granularity: "grapheme" });
  return name
    .split(/\s+/)
    .map((word) => `${[...letters.segment(word)][0]?.segment ?? ""}•••`)
    .join(" ");
}

/** Sets or replaces the nominee, with its audit entry, in one transaction. Throws SERVICE_UNAVAILABLE if D1 fails. */
export function setNominee(
  env: Env,
  { retailer_id, aliases }: DataPrincipal,
  { name, relation, phone_hash }: NomineeBody,
  set_by: string,
): Promise<NomineeAnswer> {
  return orUnavailable(async () => {
    const set_at = nowIso();
    const sealed_name = await seal(parseEnv(env), name, aadOf(retailer_id));
    const db = drizzle(env.DB);
    await db.batch([
      // Nothing of the one before is kept, nor what was named before a merge.
      db.delete(nominees).where(inArray(nominees.retailer_id, listed(aliases))),
      db.insert(nominees).values({ retailer_id, sealed_name, relation, phone_hash, set_by, set_at }),
      auditStatement(db, {
        type: "rights.nominee_set",
        actor: { kind: "service", id: set_by },
        subject: retailer_id,
        outcome: "recorded",
        details: { relation },
      }),
    ]);
    return { name: masked(name), relation, set_at };
  });
}

/** The nominee, masked; null if there is none. Throws SERVICE_UNAVAILABLE if D1 fails. */
export function findNominee(env: Env, { aliases }: DataPrincipal): Promise<NomineeAnswer | null> {
  return orUnavailable(async () => {
    const row = await drizzle(env.DB)
      .select()
      .from(nominees)
      .where(inArray(nominees.retailer_id, listed(aliases)))
      .orderBy(desc(nominees.set_at))
      .limit(1)
      .get();
    if (!row) return null;
    const name = await unseal(parseEnv(env), row.sealed_name, aadOf(row.retailer_id));
    return { name: masked(name), relation: row.relation as NomineeAnswer["relation"], set_at: row.set_at };
  });
}
