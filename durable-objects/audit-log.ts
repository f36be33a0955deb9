import { DurableObject } from "cloudflare:workers";
import schema from "../migrations/audit-log/0001.sql";
import type { Link } from "../src/audit/chain.ts";
import {
  appendRow,
  FLUSH_DELAY_MS,
  FLUSH_RETRY_MS,
  flushRows,
  hasUnflushed,
  type ObjectStream,
  readRows,
} from "../src/audit/object-stream.ts";
import type { AuditEntry } from "../src/audit/types.ts";
import type { Env } from "../src/env.ts";
import { canonicalJson } from "../src/lib/jcs.ts";
import { nowMs } from "../src/lib/seams.ts";
import { EarliestAlarm } from "./alarm.ts";
import { migrate } from "./migrate.ts";

const REPEAT_MS = 60_000;
/** Different failures that get rows of their own within a minute; what is beyond is told in one row. */
const MAX_KINDS = 60;
const BEYOND: AuditEntry = {
  type: "auth.failed",
  actor: { kind: "anonymous", id: null },
  subject: null,
  outcome: "VARIOUS",
  details: {},
};

/**
 * One stream of the audit log, named by it (src/audit/rows.ts). Every method is one synchronous transaction, so
 * parallel writers get their places one after the other, and the runtime holds an answer back until it is durable.
 */
export class AuditLog extends DurableObject<Env> {
  readonly #rows: ObjectStream;
  readonly #alarm: EarliestAlarm;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    migrate(ctx.storage, [schema]);
    this.#alarm = new EarliestAlarm(ctx.storage);
    this.#rows = { sql: ctx.storage.sql, stream: ctx.id.name ?? "", table: "audit_log" };
  }

  /** Appends all of the entries or, if it throws, none; one whose `event_id` is known is left out. */
  append(entries: AuditEntry[]): void {
    this.ctx.storage.transactionSync(() => {
      for (const entry of entries) if (this.#isNews(entry.event_id)) appendRow(this.#rows, entry);
    });
    this.#alarm.ringBy(nowMs() + FLUSH_DELAY_MS);
  }

  /**
   * Appends a failure that happened `times` times, unless it has its row already: then it is only counted, and the
   * count is told once a minute. So a flood writes one row a minute and kind, and at most 60 kinds are told apart.
   */
  appendRepeated(entry: AuditEntry, times: number): void {
    this.ctx.storage.transactionSync(() => this.#repeat(entry, times));
    this.#alarm.ringBy(nowMs() + FLUSH_DELAY_MS);
  }

  /** The rows after row `after`, in order; at most 1,000. */
  rows(after: number): Link[] {
    return readRows(this.#rows, after, 1_000);
  }

  /** Tells the counts of what was repeated, and copies new rows to D1. */
  override async alarm(): Promise<void> {
    this.#alarm.rang();
    this.ctx.storage.transactionSync(() => this.#tellRepeats(nowMs()));
    const { next_ms } = this.#rows.sql
      .exec<{ next_ms: number | null }>("SELECT min(until_ms) AS next_ms FROM repeats")
      .one();
    if (next_ms !== null) this.#alarm.ringBy(next_ms);
    if (hasUnflushed(this.#rows) && !(await flushRows(this.env, this.#rows)))
      this.#alarm.ringBy(nowMs() + FLUSH_RETRY_MS);
  }

  #isNews(event_id: string | undefined): boolean {
    if (event_id === undefined) return true;
    const { rowsWritten } = this.#rows.sql.exec("INSERT OR IGNORE INTO event_ids VALUES (?)", event_id);
    return rowsWritten > 0;
  }

  #repeat(entry: AuditEntry, times: number): void {
    const { sql } = this.#rows;
    const key = canonicalJson(entry);
    const { rowsWritten } = sql.exec("UPDATE repeats SET times = times + ? WHERE entry = ?", times, key);
    if (rowsWritten > 0) return;
    const { kinds } = sql.exec<{ kinds: number }>("SELECT count(*) AS kinds FROM repeats").one();
    if (kinds >= MAX_KINDS && entry !== BEYOND) {
      this.#repeat(BEYOND, times);
      return;
    }
    appendRow(this.#rows, { ...entry, details: { ...entry.details, times } });
    sql.exec("INSERT INTO repeats VALUES (?, ?, 0)", key, nowMs() + REPEAT_MS);
  }

  #tellRepeats(now_ms: number): void {
    const { sql } = this.#rows;
    const over = sql
      .exec<{ entry: string; times: number }>("SELECT entry, times FROM repeats WHERE until_ms <= ?", now_ms)
      .toArray();
    for (const { entry: key, times } of over) {
      if (times === 0) {
        sql.exec("DELETE FROM repeats WHERE entry = ?", key);
        continue;
      }
      const entry = JSON.parse(key) as AuditEntry;
      appendRow(this.#rows, { ...entry, details: { ...entry.details, times } });
      sql.exec("UPDATE repeats SET until_ms = ?, times = 0 WHERE entry = ?", now_ms + REPEAT_MS, key);
    }
  }
}
