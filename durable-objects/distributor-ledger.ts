import { DurableObject } from "cloudflare:workers";
import schema from "../migrations/distributor-ledger/0001.sql";
import auditSchema from "../migrations/distributor-ledger/0002.sql";
import type { Link } from "../src/audit/chain.ts";
import {
  FLUSH_DELAY_MS,
  FLUSH_RETRY_MS,
  flushRows,
  hasUnflushed,
  type ObjectStream,
  readRows,
} from "../src/audit/object-stream.ts";
import { ledgerStream } from "../src/audit/rows.ts";
import type { Env } from "../src/env.ts";
import type { EventEnvelope } from "../src/events/types.ts";
import type {
  AcceptInput,
  AcceptResult,
  BatchKey,
  BatchRefusal,
  BatchStatus,
} from "../src/ingestion/types.ts";
import { causeText } from "../src/lib/cause.ts";
import { nowMs } from "../src/lib/seams.ts";
import { keyedHash } from "../src/retailers/blind-index.ts";
import { EarliestAlarm } from "./alarm.ts";
import { acceptBatch, refusalOf } from "./ledger/accept.ts";
import { type PendingWork, readPendingWork, readStatus, writeScored } from "./ledger/batches.ts";
import { type LedgerHoldings, readHoldings } from "./ledger/holdings.ts";
import { claimDueEvents, nextSendMs } from "./ledger/outbox.ts";
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
  readonly #audit: ObjectStream;
  readonly #alarm: EarliestAlarm;
  #figures: { as_of_day: number; value: LedgerFigures } | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    migrate(ctx.storage, [schema, auditSchema]);
    this.#sql = ctx.storage.sql;
    this.#alarm = new EarliestAlarm(ctx.storage);
    this.#audit = { sql: this.#sql, stream: ledgerStream(ctx.id.name ?? ""), table: "audit_log" };
  }

  /**
   * Takes a batch: dedupe, quarantine, books, answer, audit row and event in one transaction. A known X-Batch-ID gives the
   * first answer; more batches than the registry allows in any 60 minutes give the wait.
   */
  accept(input: AcceptInput): AcceptResult {
    const { result, event } = this.ctx.storage.transactionSync(() =>
      acceptBatch(this.#sql, this.#audit, input, (value) => keyedHash(this.env.QUARANTINE_KEY, value)),
    );
    // Early enough for the event as well: its lease is longer.
    if (result.kind === "accepted") this.#alarm.ringBy(nowMs() + FLUSH_DELAY_MS);
    if (event) {
      this.#figures = null;
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

  /** How many rows of a retailer (all its ids) the ledger holds. */
  holdings(retailer_ids: string[]): LedgerHoldings {
    return readHoldings(this.#sql, retailer_ids);
  }

  /** The rows of the audit stream after row `after`, in order; at most 1,000. */
  auditRows(after: number): Link[] {
    return readRows(this.#audit, after, 1_000);
  }

  /** Sends again what is not known to be done, and copies new audit rows to D1. */
  override async alarm(): Promise<void> {
    this.#alarm.rang();
    const events = this.ctx.storage.transactionSync(() => claimDueEvents(this.#sql, nowMs()));
    const next_ms = nextSendMs(this.#sql);
    if (next_ms !== null) this.#alarm.ringBy(next_ms);
    await Promise.all([events.length > 0 ? this.#send(events) : null, this.#flush()]);
  }

  async #flush(): Promise<void> {
    if (!hasUnflushed(this.#audit)) return;
    if (!(await flushRows(this.env, this.#audit))) this.#alarm.ringBy(nowMs() + FLUSH_RETRY_MS);
  }

  /** Sends events; a failure is left to the alarm, which holds a lease on them. */
  async #send(events: EventEnvelope[]): Promise<void> {
    try {
      await this.env.EVENTS.sendBatch(events.map((body) => ({ body })));
    } catch (cause) {
      console.error(
        JSON.stringify({ object: "DistributorLedger", task: "send events", cause: causeText(cause) }),
      );
    }
  }
}
