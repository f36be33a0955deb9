import type { Env } from "../env.ts";
import type { RetailerProfile } from "../retailers/store.ts";
import type { Statement } from "../scoring/types.ts";
import { openInvoices, openPayments } from "./ledger-rows.ts";

/** A retailer with its statement over all its distributors. */
export interface Gathered {
  profile: RetailerProfile;
  statement: Statement;
  /** Revision of each distributor's ledger that the statement was read at. */
  watermarks: Record<string, number>;
}

/**
 * The statements of some retailers as of a day, in the order given: one call to each ledger that holds any of them,
 * side by side.
 */
export async function gatherStatements(
  env: Env,
  profiles: readonly RetailerProfile[],
  as_of_day: number,
): Promise<Gathered[]> {
  const gathered = profiles.map((profile) => ({
    profile,
    statement: {
      retailer_id: profile.retailer_id,
      sources: [],
      invoices: [],
      payments: [],
      identity_verified: profile.identity_verified,
    } as Statement,
    watermarks: {} as Record<string, number>,
  }));
  const distributor_ids = [...new Set(profiles.flatMap((profile) => profile.distributor_ids))].sort();
  const answers = await Promise.all(
    distributor_ids.map(async (distributor_id) => {
      const held = gathered.filter(({ profile }) => profile.distributor_ids.includes(distributor_id));
      const ledger = env.DISTRIBUTOR_LEDGER.get(env.DISTRIBUTOR_LEDGER.idFromName(distributor_id));
      const retailers = held.map(({ profile }) => profile.aliases);
      return { distributor_id, held, ...(await ledger.statements({ retailers, as_of_day })) };
    }),
  );
  // Put together after all have answered, so that the order never depends on which was faster.
  for (const { distributor_id, held, revision, statements } of answers) {
    for (const [i, { statement, watermarks }] of held.entries()) {
      const part = statements[i]!;
      statement.sources.push(part.source);
      for (const row of openInvoices(part.invoices, distributor_id)) statement.invoices.push(row);
      for (const row of openPayments(part.payments, distributor_id)) statement.payments.push(row);
      watermarks[distributor_id] = revision;
    }
  }
  return gathered;
}
