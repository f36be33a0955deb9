import { retailersWithConsent } from "../consent/lookup.ts";
import type { Env } from "../env.ts";
import { newEvent } from "../events/envelope.ts";
import { writeEvents } from "../events/outbox.ts";
import { sha256Hex } from "../lib/bytes.ts";
import { istDay } from "../lib/days.ts";
import { canonicalJson } from "../lib/jcs.ts";
import { newId, nowIso, nowMs } from "../lib/seams.ts";
import { aliasesOf, canonicalRetailer, distributorsOf, identityVerified } from "../retailers/store.ts";
import { storeScore } from "../score/store.ts";
import { ENGINE_VERSION, scoreStatement } from "../scoring/engine.ts";
import type { Statement } from "../scoring/types.ts";
import { champion } from "./champion.ts";

/**
 * Scores those of the retailers that have a consent of at least one lender, from their ledgers as they stand
 * now; the others get an event `score.blocked` and nothing is computed. Repeating it with unchanged ledgers
 * changes nothing.
 */
export async function scoreRetailers(env: Env, retailer_ids: string[]): Promise<void> {
  const canonical = new Set<string>();
  for (const retailer_id of retailer_ids) {
    const followed = await canonicalRetailer(env, retailer_id);
    if (followed) canonical.add(followed);
  }
  const consented = await retailersWithConsent(env, [...canonical]);
  const blocked = [...canonical].filter((retailer_id) => !consented.has(retailer_id));
  await writeEvents(
    env,
    blocked.map((retailer_id) =>
      newEvent("score.blocked", retailer_id, { retailer_id, cause: "no_consent" }),
    ),
  );
  for (const retailer_id of consented) await scoreRetailer(env, retailer_id);
}

async function scoreRetailer(env: Env, retailer_id: string): Promise<void> {
  const as_of_day = istDay(nowMs());
  const gathered = await gatherStatement(env, retailer_id, as_of_day);
  // A consent may come before the first invoice: nothing to score yet, nothing to store.
  if (gathered.statement.invoices.length === 0) return;
  const model = champion();
  const { card, replay_inputs } = scoreStatement(gathered.statement, as_of_day, model);
  const scored = card.status === "scored" ? card : null;
  await storeScore(env, {
    score_id: newId("scr"),
    retailer_id,
    input_hash: sha256Hex(
      canonicalJson({
        aliases: gathered.aliases,
        identity_verified: gathered.statement.identity_verified,
        watermarks: gathered.watermarks,
        as_of_day,
        model: model.identity.sha256,
        engine: ENGINE_VERSION,
      }),
    ),
    as_of_day,
    ledger_revision: Object.values(gathered.watermarks).reduce((sum, revision) => sum + revision, 0),
    watermarks: JSON.stringify(gathered.watermarks),
    model_id: model.identity.model_id,
    model_sha256: model.identity.sha256,
    engine_version: ENGINE_VERSION,
    score_version: `${model.identity.version}+engine.${ENGINE_VERSION}`,
    status: card.status,
    altscore: scored?.altscore ?? null,
    risk_band: scored?.risk_band ?? null,
    probability_of_default: scored?.probability_of_default ?? null,
    replay_inputs: JSON.stringify(replay_inputs),
    scorecard: JSON.stringify(card),
    scored_at: nowIso(),
  });
}

interface Gathered {
  statement: Statement;
  /** The retailer and those merged into it, sorted. */
  aliases: string[];
  /** Revision of each distributor's ledger that the statement was read at. */
  watermarks: Record<string, number>;
}

/** The retailer's statement over all its distributors as of a day, read from their ledgers side by side. */
async function gatherStatement(env: Env, retailer_id: string, as_of_day: number): Promise<Gathered> {
  const aliases = (await aliasesOf(env, retailer_id)).sort();
  const distributor_ids = (await distributorsOf(env, aliases)).sort();
  const parts = await Promise.all(
    distributor_ids.map((distributor_id) => {
      const ledger = env.DISTRIBUTOR_LEDGER.get(env.DISTRIBUTOR_LEDGER.idFromName(distributor_id));
      return ledger.statement({ retailer_ids: aliases, as_of_day });
    }),
  );
  return {
    statement: {
      retailer_id,
      sources: parts.map((part) => part.source),
      invoices: parts.flatMap((part) => part.invoices),
      payments: parts.flatMap((part) => part.payments),
      identity_verified: await identityVerified(env, retailer_id),
    },
    aliases,
    watermarks: Object.fromEntries(
      parts.map((part, index) => [distributor_ids[index] as string, part.revision]),
    ),
  };
}
