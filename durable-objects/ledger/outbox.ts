import type { EventEnvelope } from "../../src/events/types.ts";

/**
 * The ledger's outbox: the event of a batch is part of its row and is sent again and again, with growing pauses,
 * until every retailer of the batch is scored. So neither a lost message nor a crash can strand a batch.
 */

export const FIRST_LEASE_MS = 20_000;
const MAX_LEASE_MS = 600_000;
/** What a queue takes in one call. */
const MAX_EVENTS = 100;

/** The events that are due, each leased to this sending. Must run inside a transaction. */
export function claimDueEvents(sql: SqlStorage, now_ms: number): EventEnvelope[] {
  const due = sql
    .exec<{ batch_no: number; event: string; send_attempts: number }>(
      "SELECT batch_no, event, send_attempts FROM batches WHERE next_send_ms <= ? ORDER BY next_send_ms LIMIT ?",
      now_ms,
      MAX_EVENTS,
    )
    .toArray();
  for (const { batch_no, send_attempts } of due) {
    const lease_ms = Math.min(MAX_LEASE_MS, FIRST_LEASE_MS * 2 ** send_attempts);
    sql.exec(
      "UPDATE batches SET next_send_ms = ?, send_attempts = send_attempts + 1 WHERE batch_no = ?",
      now_ms + lease_ms,
      batch_no,
    );
  }
  return due.map(({ event }) => JSON.parse(event) as EventEnvelope);
}

/** When the next event is due (Unix ms); null if all batches are complete or held. */
export function nextSendMs(sql: SqlStorage): number | null {
  return sql
    .exec<{ next_ms: number | null }>(
      "SELECT min(next_send_ms) AS next_ms FROM batches WHERE next_send_ms IS NOT NULL",
    )
    .one().next_ms;
}
