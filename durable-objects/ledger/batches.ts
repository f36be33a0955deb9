import type { BatchStatus, QuarantineReason, RecordFlag, RecordKind } from "../../src/ingestion/types.ts";
import type { Completeness } from "../../src/scoring/types.ts";

/** What the pipeline has to do for a batch. */
export interface PendingWork {
  /** Retailers of the batch that are not scored yet; empty also for an unknown or held batch. */
  retailer_ids: string[];
  /** The newest `sync_to` over the distributor's batches, held ones apart; null if there is none. */
  sync_to: string | null;
}

/** State of a batch by its own id or the distributor's X-Batch-ID (lower case); null if there is none. */
export function readStatus(sql: SqlStorage, id: string): BatchStatus | null {
  const [batch] = sql
    .exec<{
      batch_no: number;
      batch_id: string;
      status: BatchStatus["status"];
      accepted: number;
      quarantined: number;
      duplicates: number;
      completeness: string;
    }>(
      `SELECT batch_no, batch_id, status, accepted, quarantined, duplicates, completeness FROM batches
       WHERE batch_id = ?1 OR external_batch_id = ?1`,
      id,
    )
    .toArray();
  if (!batch) return null;
  const { score, ...completeness } = JSON.parse(batch.completeness) as Completeness;
  const quarantine = sql
    .exec<{ kind: RecordKind; index: number; record_id: string | null; reason: QuarantineReason }>(
      `SELECT kind, record_index AS "index", record_id, reason FROM quarantine WHERE batch_no = ?
       ORDER BY kind, record_index`,
      batch.batch_no,
    )
    .toArray();
  const flags = sql
    .exec<{ index: number; record_id: string; flag: RecordFlag }>(
      `SELECT record_index AS "index", invoice_id AS record_id, flag FROM flags WHERE batch_no = ?
       ORDER BY record_index, flag`,
      batch.batch_no,
    )
    .toArray();
  return {
    batch_id: batch.batch_id,
    status: batch.status,
    written: batch.accepted,
    quarantined: batch.quarantined,
    duplicates: batch.duplicates,
    completeness_score: score,
    completeness,
    // The event is committed with the batch, so it will be sent; a held batch has none.
    pipeline_triggered: batch.status !== "held",
    quarantine,
    flags,
  };
}

/** What is left to do for a batch, and how far the distributor's data reach. */
export function readPendingWork(sql: SqlStorage, batch_id: string): PendingWork {
  const retailer_ids = sql
    .exec<{ retailer_id: string }>(
      `SELECT p.retailer_id FROM batches b JOIN pending_retailers p ON p.batch_no = b.batch_no
       WHERE b.batch_id = ? ORDER BY p.retailer_id`,
      batch_id,
    )
    .toArray()
    .map((row) => row.retailer_id);
  const { sync_to_ms } = sql
    .exec<{ sync_to_ms: number | null }>(
      "SELECT max(sync_to_ms) AS sync_to_ms FROM batches WHERE status <> 'held'",
    )
    .one();
  return { retailer_ids, sync_to: sync_to_ms === null ? null : new Date(sync_to_ms).toISOString() };
}

/** Takes retailers off a batch's list; the batch is complete when none is left. Idempotent. */
export function writeScored(sql: SqlStorage, batch_id: string, retailer_ids: readonly string[]): void {
  const [batch] = sql
    .exec<{ batch_no: number }>(
      "SELECT batch_no FROM batches WHERE batch_id = ? AND status = 'processing'",
      batch_id,
    )
    .toArray();
  if (!batch) return;
  sql.exec(
    "DELETE FROM pending_retailers WHERE batch_no = ? AND retailer_id IN (SELECT value FROM json_each(?))",
    batch.batch_no,
    JSON.stringify(retailer_ids),
  );
  sql.exec(
    `UPDATE batches SET status = 'complete', next_send_ms = NULL WHERE batch_no = ?1
       AND NOT EXISTS (SELECT 1 FROM pending_retailers WHERE batch_no = ?1)`,
    batch.batch_no,
  );
}
