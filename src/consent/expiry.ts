import type { Env } from "../env.ts";
import { nowIso } from "../lib/seams.ts";
import { appendChange } from "./change.ts";
import { runOutChains } from "./ending.ts";
import { enforce } from "./enforce.ts";
import { retryWhileContended } from "./fail-safe.ts";
import type { ChangeAct } from "./record.ts";
import { consentsWithHeads } from "./store.ts";

const PAGE = 100;
/** Chains worked on at once. */
const LANES = 8;

/**
 * The scheduled run: appends an EXPIRED record for each consent that ran out, with the event that tells its lender.
 * No disclosure waits for it: every read and every gate goes by `expires_at` itself. Safe to repeat and to run
 * beside itself; a chain that fails holds up no other, and is thrown at the end as an AggregateError.
 */
export async function expireConsents(env: Env): Promise<void> {
  const failures: unknown[] = [];
  let after = "";
  for (;;) {
    const page = await runOutChains(env, after, PAGE);
    if (page.length === 0) break;
    after = page.at(-1) as string;
    const rest = page.values();
    const lane = async () => {
      for (const chain_id of rest) {
        await retryWhileContended(() => expireChain(env, chain_id)).catch((cause) => failures.push(cause));
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  }
  if (failures.length > 0)
    throw new AggregateError(failures, `${failures.length} chain(s) could not be expired`);
}

async function expireChain(env: Env, chain_retailer_id: string): Promise<void> {
  const { rows, heads } = await consentsWithHeads(env, { chain_retailer_id });
  const signed_at = nowIso();
  const run_out = rows.filter((row) => row.revoked_at === null && row.expires_at <= signed_at);
  if (run_out.length === 0) return;
  const standings = await appendChange(env, {
    rows: run_out,
    heads,
    event: "consent.expired",
    actOn: (row): ChangeAct => ({
      status: "EXPIRED",
      at: row.expires_at,
      by: "system",
      channel: "schedule",
      reason: null,
      evidence: null,
      signed_at,
    }),
  });
  await enforce(env, standings);
}
