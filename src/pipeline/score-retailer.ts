import { retailersWithConsent } from "../consent/lookup.ts";
import type { Env } from "../env.ts";
import { newEvent } from "../events/envelope.ts";
import { writeEvents } from "../events/outbox.ts";
import { sha256Hex } from "../lib/bytes.ts";
import { istDay } from "../lib/days.ts";
import { canonicalJson } from "../lib/jcs.ts";
import { newId, nowIso, nowMs } from "../lib/seams.ts";
import { scoringModels } from "../models/registry.ts";
import { shadowRows } from "../models/shadow.ts";
import { profilesOf, type RetailerProfile } from "../retailers/store.ts";
import { storeScores } from "../score/store.ts";
import type { NewScore } from "../score/tables.ts";
import { type CompiledChampion, ENGINE_VERSION, scoreStatement } from "../scoring/engine.ts";
import { type Gathered, gatherStatements } from "./statements.ts";

/**
 * Scores those of the retailers that have a consent of at least one lender, from their ledgers as they stand
 * now; the others get an event `score.blocked` and nothing is computed. Repeating it with unchanged ledgers
 * changes nothing. The round trips do not grow with the number of retailers, but for one write to KV each.
 */
export async function scoreRetailers(env: Env, retailer_ids: string[]): Promise<void> {
  const profiles = await profilesOf(env, retailer_ids);
  const consented = await retailersWithConsent(
    env,
    profiles.map((profile) => profile.retailer_id),
  );
  const blocked = profiles.filter(({ retailer_id }) => !consented.has(retailer_id));
  await writeEvents(
    env,
    blocked.map(({ retailer_id }) =>
      newEvent("score.blocked", retailer_id, { retailer_id, cause: "no_consent" }),
    ),
  );
  const allowed = profiles.filter(({ retailer_id }) => consented.has(retailer_id));
  const as_of_day = istDay(nowMs());
  const gathered = await gatherStatements(env, allowed, as_of_day);
  // A consent may come before the first invoice: nothing to score yet, nothing to store.
  const scorable = gathered.filter(({ statement }) => statement.invoices.length > 0);
  if (scorable.length === 0) return;
  const { champion, challengers } = await scoringModels(env);
  const rows = scorable.map((one) => scoreRow(one, as_of_day, champion));
  await storeScores(env, rows, shadowRows(rows, challengers));
}

/** A statement's score as a row of the store. */
export function scoreRow(
  { profile, statement, watermarks }: Gathered,
  as_of_day: number,
  model: CompiledChampion,
): NewScore {
  const { card, replay_inputs } = scoreStatement(statement, as_of_day, model);
  const scored = card.status === "scored" ? card : null;
  return {
    score_id: newId("scr"),
    retailer_id: profile.retailer_id,
    input_hash: inputHash(profile, watermarks, as_of_day, model),
    as_of_day,
    ledger_revision: Object.values(watermarks).reduce((sum, revision) => sum + revision, 0),
    watermarks: JSON.stringify(watermarks),
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
  };
}

/** What a score depends on, as one hash: the same inputs are stored once. */
function inputHash(
  { aliases, identity_verified }: RetailerProfile,
  watermarks: Record<string, number>,
  as_of_day: number,
  { identity }: CompiledChampion,
): string {
  const inputs = {
    aliases,
    identity_verified,
    watermarks,
    as_of_day,
    model: identity.sha256,
    engine: ENGINE_VERSION,
  };
  return sha256Hex(canonicalJson(inputs));
}
