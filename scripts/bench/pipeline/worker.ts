import type { Env } from "../../../src/env.ts";
import type { InvoiceRow, PaymentRow } from "../../../src/ingestion/types.ts";
import { istDay } from "../../../src/lib/days.ts";
import { newUuid } from "../../../src/lib/seams.ts";
import { scoringModels } from "../../../src/models/registry.ts";
import { RETAILERS_PER_MESSAGE } from "../../../src/pipeline/consumers.ts";
import { scoreRetailers, scoreRow } from "../../../src/pipeline/score-retailer.ts";
import { storeScores } from "../../../src/score/store.ts";
import { shopId, shopRows, shopStatement } from "./shops.ts";

export { AuditLog } from "../../../durable-objects/audit-log.ts";
export { DistributorLedger } from "../../../durable-objects/distributor-ledger.ts";
export { LenderGate } from "../../../durable-objects/lender-gate.ts";
export { RateLimiter } from "../../../durable-objects/rate-limiter.ts";

/** What one call does: `count` shops from number `from` on, each with `invoices` bills. */
export interface PipelineTask {
  lane: "fill" | "generate" | "rows" | "ledgers";
  from: number;
  count: number;
  invoices: number;
}

const SHOPS_PER_LEDGER = 200;
const RECORDS_PER_BATCH = 1_000;

const ledgerName = (shop: number) =>
  `dist_${Math.floor(shop / SHOPS_PER_LEDGER)
    .toString(16)
    .padStart(16, "0")}`;

/** Books and consents of the shops, put where a batch and a grant would have put them. */
async function fill(env: Env, { from, count, invoices }: PipelineTask, today: number): Promise<void> {
  const shops = Array.from({ length: count }, (_, i) => ({
    id: shopId(from + i),
    ledger: ledgerName(from + i),
  }));
  const json = JSON.stringify(shops);
  const each = "FROM json_each(?1)";
  await env.DB.batch(
    [
      `INSERT INTO retailers (retailer_id, provisional, created_at) SELECT value->>'$.id', 0, '2026-01-01' ${each}`,
      `INSERT INTO retailer_distributors SELECT value->>'$.id', value->>'$.ledger', '2026-01-01' ${each}`,
      `INSERT INTO consents (consent_id, retailer_id, chain_retailer_id, lender_id, purposes, status, grant_group,
         granted_at, expires_at)
       SELECT 'cns_' || (value->>'$.id'), value->>'$.id', value->>'$.id', 'lender_bench', '[]', 'ACTIVE', 'grp',
         '2026-01-01', '2099-01-01' ${each}`,
    ].map((text) => env.DB.prepare(text).bind(json)),
  );
  for (let shop = from; shop < from + count; shop++) {
    const rows = shopRows(shop, invoices, today);
    for (let at = 0; at < invoices; at += RECORDS_PER_BATCH / 2) {
      const bills = rows.invoices.slice(at, at + RECORDS_PER_BATCH / 2);
      await takeBatch(env, ledgerName(shop), bills, rows.payments.slice(at, at + RECORDS_PER_BATCH / 2));
    }
  }
}

async function takeBatch(
  env: Env,
  name: string,
  invoices: InvoiceRow[],
  payments: PaymentRow[],
): Promise<void> {
  const now_ms = Date.now();
  await env.DISTRIBUTOR_LEDGER.get(env.DISTRIBUTOR_LEDGER.idFromName(name)).accept({
    distributor_id: name,
    registered_erp_type: "tally_prime",
    erp_type: "tally_prime",
    external_batch_id: newUuid(),
    batch_seq: null,
    payload_sha256: "0".repeat(64),
    sync_from_ms: now_ms - 1_000,
    sync_to_ms: now_ms,
    batches_per_hour: 1_000_000,
    records_sent: invoices.length + payments.length,
    invoices_identified: invoices.length,
    invoices: JSON.stringify(invoices),
    payments: JSON.stringify(payments),
    quarantine: "[]",
    flags: "[]",
    aliases: "[]",
  });
}

/** Made-up statements, and with `store` their scores as rows of D1; the KV cache is left out. */
async function rows(env: Env, task: PipelineTask, today: number, store: boolean): Promise<void> {
  const { champion } = await scoringModels(env);
  const without_cache = { ...env, KV: { put: async () => {} } } as unknown as Env;
  for (let at = task.from; at < task.from + task.count; at += RETAILERS_PER_MESSAGE) {
    const gathered = Array.from(
      { length: Math.min(RETAILERS_PER_MESSAGE, task.from + task.count - at) },
      (_, i) => {
        const shop = shopRows(at + i, task.invoices, today);
        const statement = shopStatement(shop, ledgerName(at + i));
        const { retailer_id } = shop;
        const profile = { retailer_id, aliases: [retailer_id], distributor_ids: [], identity_verified: true };
        return { profile, statement, watermarks: { [ledgerName(at + i)]: 1 } };
      },
    );
    if (store)
      await storeScores(
        without_cache,
        gathered.map((one) => scoreRow(one, today, champion)),
      );
  }
}

async function ledgers(env: Env, { from, count }: PipelineTask): Promise<void> {
  for (let at = from; at < from + count; at += RETAILERS_PER_MESSAGE) {
    const size = Math.min(RETAILERS_PER_MESSAGE, from + count - at);
    await scoreRetailers(
      env,
      Array.from({ length: size }, (_, i) => shopId(at + i)),
    );
  }
}

export default {
  async fetch(request, env) {
    const task = (await request.json()) as PipelineTask;
    const today = istDay(Date.now());
    if (task.lane === "fill") await fill(env, task, today);
    else if (task.lane === "ledgers") await ledgers(env, task);
    else await rows(env, task, today, task.lane === "rows");
    return new Response(null, { status: 204 });
  },
  // The ledgers tell of their batches; nobody here listens.
  async queue() {},
} satisfies ExportedHandler<Env>;
