import { DurableObject } from "cloudflare:workers";
import schema from "../migrations/distributor-ledger/0001.sql";
import type { Env } from "../src/env.ts";
import type { EventEnvelope } from "../src/events/types.ts";
import type {
  AcceptInput,
  AcceptResult,
  BatchKey,
  BatchRefusal,
  BatchStatus,
} from "../src/ingestion/types.ts";
import { nowMs } from "../src/lib/seams.ts";
import { keyedHash } from "../src/retailers/blind-index.ts";
import { acceptBatch, refusalOf } from "./ledger/accept.ts";
import { type PendingWork, readPendingWork, readStatus, writeScored } from "./ledger/batches.ts";
import { claimDueEvents, FIRST_LEASE_MS, nextSendMs } from "./ledger/outbox.ts";
import {
  type LedgerFigures,
  type LedgerStatements,
  readFigures,
  readStatement,
  type StatementQuery,
} from "./ledger/statement.ts";
import { migrate } from "./migrate.ts";

/**
 * One distributor's ledger: its batches exactly once, its invoices and payments with their lineage, pseudonymised
 * before they come here. Named by the distributor_id. Every method is one synchronous transaction, so a request
 * sees either all of another or nothing.
 */
export class DistributorLedger extends DurableObject<Env> {
  readonly #sql: SqlStorage;
  /** When the alarm will ring at the latest; unknown (0) after a start. */
  #alarm_ms = 0;
  #figures: { as_of_day: number; value: LedgerFigures } | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    migrate(ctx.storage, [schema]);
    this.#sql = ctx.storage.sql;
  }

  /**
   * Takes a batch: dedupe, quarantine, books, answer and event in one transaction. A known X-Batch-ID gives the
   * first answer; more batches than the registry allows in any 60 minutes give the wait.
   */
  accept(input: AcceptInput): AcceptResult {
    const { result, event } = this.ctx.storage.transactionSync(() =>
      acceptBatch(this.#sql, input, (value) => keyedHash(this.env.QUARANTINE_KEY, value)),
    );
    if (event) {
      this.#figures = null;
      // Set in the same turn as the writes, so it is durable together with them.
      this.#armAlarm(nowMs(), FIRST_LEASE_MS);
      this.ctx.waitUntil(this.#send([event]));
    }
    return result;
  }

  /** Why `accept` would not take this batch at present; null if it would. */
  refusal(batch: BatchKey): BatchRefusal | null {
    return refusalOf(this.#sql, batch, nowMs());
  }

  /** State of a batch by `bat_` id or X-Batch-ID (lower case); null if this ledger has none such. */
  batchStatus(id: string): BatchStatus | null {
    return readStatus(this.#sql, id);
  }

  /** The retailers of a batch that still await scoring, and the newest `sync_to` of the distributor. */
  pendingWork(batch_id: string): PendingWork {
    return readPendingWork(this.#sql, batch_id);
  }

  /**
   * Notes that retailers of a batch were scored (or found not to be scorable). The batch is complete when none is
   * left, which an empty list states for a batch that changed nobody's books. Idempotent.
   */
  markScored(batch_id: string, retailer_ids: string[]): void {
    this.ctx.storage.transactionSync(() => writeScored(this.#sql, batch_id, retailer_ids));
  }

  /** The rows of some retailers as of a day, each with the ledger's own figures as of that day; one snapshot. */
  statements({ retailers, as_of_day }: StatementQuery): LedgerStatements {
    if (this.#figures?.as_of_day !== as_of_day) {
      this.#figures = { as_of_day, value: readFigures(this.#sql, as_of_day) };
    }
    const figures = this.#figures.value;
    const distributor_id = this.ctx.id.name ?? "";
    return {
      revision: figures.revision,
      statements: retailers.map((ids) => readStatement(this.#sql, distributor_id, ids, as_of_day, figures)),
    };
  }

  /** Sends again what is not known to be done. */
  override async alarm(): Promise<void> {
    const events = this.ctx.storage.transactionSync(() => claimDueEvents(this.#sql, nowMs()));
    const next_ms = nextSendMs(this.#sql);
    this.#alarm_ms = next_ms ?? 0;
    if (next_ms !== null) void this.ctx.storage.setAlarm(next_ms);
    if (events.length > 0) await this.#send(events);
  }

  #armAlarm(now_ms: number, delay_ms: number): void {
    const at_ms = now_ms + delay_ms;
    if (this.#alarm_ms > now_ms && this.#alarm_ms <= at_ms) return;
    this.#alarm_ms = at_ms;
    void this.ctx.storage.setAlarm(at_ms);
  }

  /** Sends events; a failure is left to the alarm, which holds a lease on them. */
  async #send(events: EventEnvelope[]): Promise<void> {
    try {
      await this.env.EVENTS.sendBatch(events.map((body) => ({ body })));
    } catch (cause) {
      console.error(
        JSON.stringify({ object: "DistributorLedger", task: "send events", cause: String(cause) }),
      );
    }
  }
}
