import type { BatchItem } from "drizzle-orm/batch";
import { drizzle } from "drizzle-orm/d1";
import { signingKey } from "../auth/keys.ts";
import type { Env } from "../env.ts";
import { newEvent } from "../events/envelope.ts";
import { outboxInsert } from "../events/outbox.ts";
import type { EventType } from "../events/types.ts";
import { type ChainHead, type ChangeAct, changeContent, EMPTY_CHAIN, sealRecords } from "./record.ts";
import {
  type ConsentRow,
  grantRecordsOf,
  recordInserts,
  runBatch,
  type Standing,
  statusUpdate,
} from "./store.ts";

/** A change of consents of one retailer, read together with the heads of their chains. */
export interface ChangeInput {
  rows: readonly ConsentRow[];
  heads: Map<string, ChainHead>;
  event: Extract<EventType, `consent.${string}`>;
  actOn: (row: ConsentRow) => ChangeAct;
  /** Statements of the caller's own for the same transaction. */
  together?: BatchItem<"sqlite">[];
}

/**
 * Signs and appends a change, each record to the chain that holds its grant, with the projection and the event in one
 * transaction. Of two writers after the same head one fails with a unique violation, and sees what the other wrote
 * when it reads again. Returns where the consents stand now.
 */
export async function appendChange(env: Env, input: ChangeInput): Promise<Standing[]> {
  const { rows, heads, event, actOn, together = [] } = input;
  const consent_ids = rows.map((row) => row.consent_id);
  const [grants, signer] = await Promise.all([grantRecordsOf(env, consent_ids), signingKey(env, "ES256")]);
  const changes = rows.map((row) => ({ row, act: actOn(row) }));
  const chains = Map.groupBy(changes, ({ row }) => row.chain_retailer_id);
  const records = await Promise.all(
    [...chains].map(([chain_id, of_chain]) => {
      const contents = of_chain.map(({ row, act }) => {
        const grant = grants.get(row.consent_id);
        if (!grant) throw new Error(`consent ${row.consent_id} has no record of its grant`);
        return changeContent(grant, act);
      });
      return sealRecords(heads.get(chain_id) ?? EMPTY_CHAIN, contents, signer);
    }),
  );
  const seqs = new Map(records.flat().map(({ consent_id, seq }) => [consent_id, seq]));
  const { retailer_id } = rows[0] as ConsentRow;
  const lender_ids = [...new Set(rows.map((row) => row.lender_id))];
  const db = drizzle(env.DB);
  await runBatch(db, [
    ...together,
    ...recordInserts(db, records.flat()),
    ...changes.map(({ row, act }) => statusUpdate(db, row.consent_id, act)),
    outboxInsert(db, newEvent(event, retailer_id, { retailer_id, consent_ids, lender_ids })),
  ]);
  return changes.map(({ row, act }) => ({
    consent_id: row.consent_id,
    lender_id: row.lender_id,
    retailer_id: row.retailer_id,
    expires_at: row.expires_at,
    record_seq: seqs.get(row.consent_id) as number,
    active: act.status === "ACTIVE",
  }));
}
