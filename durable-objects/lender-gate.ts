import { DurableObject } from "cloudflare:workers";
import schema from "../migrations/lender-gate/0001.sql";
import flushSchema from "../migrations/lender-gate/0002.sql";
import liftSchema from "../migrations/lender-gate/0003.sql";
import {
  type Admission,
  type AdmissionRequest,
  DEFAULT_LENDER_LIMITS,
  type Denial,
  type LenderLimits,
  type RateState,
  REPLAY_MS,
} from "../src/admission/types.ts";
import { EMPTY_HEAD, type Link, nextLink } from "../src/audit/chain.ts";
import {
  FLUSH_DELAY_MS,
  FLUSH_RETRY_MS,
  flushRows,
  hasUnflushed,
  type ObjectStream,
  readRows,
} from "../src/audit/object-stream.ts";
import { accessStream } from "../src/audit/rows.ts";
import type { Env } from "../src/env.ts";
import { nowMs } from "../src/lib/seams.ts";
import { SlidingWindow } from "../src/lib/sliding-window.ts";
import { EarliestAlarm } from "./alarm.ts";
import { migrate } from "./migrate.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const SWEEP_MS = 3_600_000;

/**
 * The one place that every Score API call of a lender visits, once: it counts the call in exact sliding windows,
 * refuses revoked tokens and revoked consents, replays answers, and writes the hash-chained access log. `admit` is
 * synchronous from its first read to its last write, so calls never interleave, and the runtime holds its
 * answer back until the row is durable: no score leaves without a record of it.
 */
export class LenderGate extends DurableObject<Env> {
  #minute = new SlidingWindow(MINUTE_MS);
  #day = new SlidingWindow(DAY_MS);
  #lookup_minute = new SlidingWindow(MINUTE_MS);
  #lookup_day = new SlidingWindow(DAY_MS);
  #limits: LenderLimits = DEFAULT_LENDER_LIMITS;
  readonly #rows: ObjectStream;
  #head = EMPTY_HEAD;
  #last_ms = 0;
  /** End of the blocked period that the access log already tells of: a flood writes one row, not thousands. */
  #limited_logged_until_ms = 0;
  readonly #alarm: EarliestAlarm;
  /** When to forget what has run out; at the first alarm after a start. */
  #sweep_ms = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#rows = { sql: ctx.storage.sql, stream: accessStream(ctx.id.name ?? ""), table: "access_log" };
    this.#alarm = new EarliestAlarm(ctx.storage);
    ctx.blockConcurrencyWhile(async () => {
      migrate(ctx.storage, [schema, flushSchema, liftSchema]);
      this.#load();
      if ((await ctx.storage.getAlarm()) === null) await ctx.storage.setAlarm(nowMs() + SWEEP_MS);
    });
  }

  #load(): void {
    const { sql } = this.ctx.storage;
    const rows = sql
      .exec<{ at_ms: number; counted_lookup: number }>(
        "SELECT at_ms, counted_lookup FROM access_log WHERE counted = 1 AND at_ms > ? ORDER BY at_ms, seq",
        nowMs() - DAY_MS,
      )
      .toArray();
    const all = rows.map((row) => row.at_ms);
    const lookups = rows.filter((row) => row.counted_lookup === 1).map((row) => row.at_ms);
    this.#minute = new SlidingWindow(MINUTE_MS, [...all]);
    this.#day = new SlidingWindow(DAY_MS, all);
    this.#lookup_minute = new SlidingWindow(MINUTE_MS, [...lookups]);
    this.#lookup_day = new SlidingWindow(DAY_MS, lookups);
    const stored = sql.exec<{ name: string; value: number }>("SELECT name, value FROM limits").toArray();
    this.#limits = {
      ...DEFAULT_LENDER_LIMITS,
      ...Object.fromEntries(stored.map((row) => [row.name, row.value])),
    };
    const last = sql
      .exec<{ seq: number; at_ms: number; row_hash: string }>(
        "SELECT seq, at_ms, row_hash FROM access_log ORDER BY seq DESC LIMIT 1",
      )
      .toArray()[0];
    if (last) {
      this.#head = { seq: last.seq, row_hash: last.row_hash };
      this.#last_ms = last.at_ms;
    }
  }

  /** Admits, replays or refuses one call and records it (api.md §3). */
  admit(request: AdmissionRequest): Admission {
    // A clock that steps back must not let a window forget what it admitted.
    const now_ms = Math.max(nowMs(), this.#last_ms);
    this.#last_ms = now_ms;
    try {
      const admission = this.ctx.storage.transactionSync(() => this.#decide(request, now_ms));
      this.#alarm.ringBy(nowMs() + FLUSH_DELAY_MS);
      return admission;
    } catch (cause) {
      // The transaction was rolled back: take the windows and the chain's head from what is stored.
      this.#load();
      throw cause;
    }
  }

  #decide(request: AdmissionRequest, now_ms: number): Admission {
    if (this.#tokenRevoked(request)) {
      this.#log(request, now_ms, {
        outcome: "TOKEN_REVOKED",
        cause: null,
        counted: false,
        counted_lookup: false,
      });
      return { kind: "revoked" };
    }
    const kept = request.replay ? this.#reply(request.request_id, now_ms) : null;
    if (kept && kept.body_sha256 === request.replay?.body_sha256) {
      if (!this.#denied({ consent_id: kept.consent_id, expires_ms: kept.consent_until_ms }, now_ms)) {
        this.#log(request, now_ms, {
          outcome: "REPLAYED",
          cause: null,
          counted: false,
          counted_lookup: false,
        });
        return { kind: "replayed", answer: kept.answer, language: kept.language, rate: this.#rate(now_ms) };
      }
    }
    const refused = request.retry ? null : this.#limited(request, now_ms);
    if (refused) return refused;
    const counted = !request.retry;
    const counted_lookup = counted && request.route === "lookup";
    if (kept && kept.body_sha256 !== request.replay?.body_sha256) {
      this.#log(request, now_ms, {
        outcome: "REQUEST_ID_REUSED",
        cause: null,
        counted: true,
        counted_lookup,
      });
      return { kind: "reused", rate: this.#rate(now_ms) };
    }
    const denied = request.consent !== null && this.#denied(request.consent, now_ms);
    const [outcome, cause] = denied
      ? ["CONSENT_NOT_GRANTED", "denied_at_gate"]
      : [request.outcome, request.cause];
    this.#log(request, now_ms, { outcome, cause, counted, counted_lookup });
    if (!denied) this.#keepReply(request, now_ms);
    return { kind: "admitted", denied, rate: this.#rate(now_ms) };
  }

  /**
   * Refuses every disclosure under these consents from now until their own expiry, or lifts a pause (spec/consent.md).
   * What is older by the number of its record than what the gate knows changes nothing, however late it comes.
   */
  deny(denials: Denial[]): void {
    for (const { consent_id, until_ms, record_seq, lifted } of denials) {
      this.ctx.storage.sql.exec(
        `INSERT INTO denials (consent_id, until_ms, record_seq, lifted) VALUES (?, ?, ?, ?)
         ON CONFLICT (consent_id) DO UPDATE SET until_ms = max(until_ms, excluded.until_ms),
           record_seq = excluded.record_seq, lifted = excluded.lifted
         WHERE excluded.record_seq >= record_seq`,
        consent_id,
        until_ms,
        record_seq,
        lifted ? 1 : 0,
      );
    }
  }

  /** Refuses a token (by jti) or every token of a client, until `until_ms`. */
  revoke(revocation: { kind: "jti" | "client"; value: string; until_ms: number }): void {
    this.ctx.storage.sql.exec(
      "INSERT INTO revocations VALUES (?, ?, ?) ON CONFLICT (kind, value) DO UPDATE SET until_ms = max(until_ms, excluded.until_ms)",
      revocation.kind,
      revocation.value,
      revocation.until_ms,
    );
  }

  /** Takes over the registry's numbers for this lender. */
  setLimits(limits: LenderLimits): void {
    this.ctx.storage.transactionSync(() => {
      for (const [name, value] of Object.entries(limits)) {
        this.ctx.storage.sql.exec(
          "INSERT INTO limits VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
          name,
          value,
        );
      }
    });
    this.#limits = { ...this.#limits, ...limits };
    this.#limited_logged_until_ms = 0;
  }

  /** A page of the access log, oldest first, from row `from_seq` on; at most 1,000 rows. */
  accessLog(from_seq: number): Link[] {
    return readRows(this.#rows, from_seq - 1, 1_000);
  }

  /** Copies new rows to D1, and once an hour forgets what has run out; idempotent. */
  override async alarm(): Promise<void> {
    const now_ms = nowMs();
    this.#alarm.rang();
    if (this.#sweep_ms <= now_ms) {
      this.#sweep_ms = now_ms + SWEEP_MS;
      for (const table of ["denials", "revocations", "replies"]) {
        this.ctx.storage.sql.exec(`DELETE FROM ${table} WHERE until_ms <= ?`, now_ms);
      }
    }
    this.#alarm.ringBy(this.#sweep_ms);
    if (hasUnflushed(this.#rows) && !(await flushRows(this.env, this.#rows)))
      this.#alarm.ringBy(nowMs() + FLUSH_RETRY_MS);
  }

  #tokenRevoked(request: AdmissionRequest): boolean {
    const { revoked } = this.ctx.storage.sql
      .exec<{ revoked: number }>(
        "SELECT EXISTS (SELECT 1 FROM revocations WHERE (kind = 'jti' AND value = ?1) OR (kind = 'client' AND value = ?2)) AS revoked",
        request.jti,
        request.client_id,
      )
      .one();
    return revoked === 1;
  }

  #denied(consent: { consent_id: string; expires_ms: number }, now_ms: number): boolean {
    if (consent.expires_ms <= now_ms) return true;
    return (
      this.ctx.storage.sql
        .exec("SELECT 1 FROM denials WHERE consent_id = ? AND lifted = 0", consent.consent_id)
        .toArray().length > 0
    );
  }

  #limited(request: AdmissionRequest, now_ms: number): Admission | null {
    const limits = this.#limits;
    const minute_free_ms = this.#minute.freeAt(limits.score_per_minute, now_ms);
    const day_free_ms = this.#day.freeAt(limits.score_per_day, now_ms);
    const score_free_ms = Math.max(minute_free_ms, day_free_ms);
    if (score_free_ms > now_ms) {
      if (score_free_ms > this.#limited_logged_until_ms) {
        this.#limited_logged_until_ms = score_free_ms;
        const refusal = {
          outcome: "RATE_LIMIT_EXCEEDED",
          cause: "score",
          counted: false,
          counted_lookup: false,
        };
        this.#log(request, now_ms, refusal);
      }
      return limited(
        { limit: limits.score_per_minute, free_ms: minute_free_ms },
        { limit: limits.score_per_day, free_ms: day_free_ms, used: this.#day.used(now_ms) },
        now_ms,
      );
    }
    if (request.route !== "lookup") return null;
    const lookup_minute_free_ms = this.#lookup_minute.freeAt(limits.lookup_per_minute, now_ms);
    const lookup_day_free_ms = this.#lookup_day.freeAt(limits.lookup_per_day, now_ms);
    if (Math.max(lookup_minute_free_ms, lookup_day_free_ms) <= now_ms) return null;
    // A look-up refused by its own limit counts against the Score limit all the same (api.md §3).
    const refusal = { outcome: "RATE_LIMIT_EXCEEDED", cause: "lookup", counted: true, counted_lookup: false };
    this.#log(request, now_ms, refusal);
    return limited(
      { limit: limits.lookup_per_minute, free_ms: lookup_minute_free_ms },
      { limit: limits.lookup_per_day, free_ms: lookup_day_free_ms, used: this.#lookup_day.used(now_ms) },
      now_ms,
    );
  }

  #rate(now_ms: number): RateState {
    const { score_per_minute, score_per_day } = this.#limits;
    const left = Math.min(
      score_per_minute - this.#minute.used(now_ms),
      score_per_day - this.#day.used(now_ms),
    );
    return {
      limit: score_per_minute,
      remaining: Math.max(0, left),
      reset_s: Math.ceil(this.#minute.oldestLeavesAt(now_ms) / 1000),
    };
  }

  #reply(request_id: string, now_ms: number) {
    return this.ctx.storage.sql
      .exec<{
        body_sha256: string;
        answer: string;
        language: string;
        consent_id: string;
        consent_until_ms: number;
      }>(
        "SELECT body_sha256, answer, language, consent_id, consent_until_ms FROM replies WHERE request_id = ? AND until_ms > ?",
        request_id,
        now_ms,
      )
      .toArray()[0];
  }

  #keepReply(request: AdmissionRequest, now_ms: number): void {
    const { replay, consent } = request;
    if (!replay?.answer || !consent) return;
    this.ctx.storage.sql.exec(
      "INSERT OR REPLACE INTO replies VALUES (?, ?, ?, ?, ?, ?, ?)",
      request.request_id,
      replay.body_sha256,
      replay.answer,
      replay.language,
      consent.consent_id,
      consent.expires_ms,
      now_ms + REPLAY_MS,
    );
  }

  #log(
    request: AdmissionRequest,
    now_ms: number,
    entry: { outcome: string; cause: string | null; counted: boolean; counted_lookup: boolean },
  ): void {
    const seq = this.#head.seq + 1;
    const link = nextLink(this.#head.row_hash, {
      stream: this.#rows.stream,
      seq,
      at: new Date(now_ms).toISOString(),
      route: request.route,
      request_id: request.request_id,
      client_id: request.client_id,
      retailer_id: request.retailer_id,
      purpose: request.purpose,
      consent_id: request.consent?.consent_id ?? null,
      score_id: request.score_id,
      outcome: entry.outcome,
      cause: entry.cause,
    });
    this.ctx.storage.sql.exec(
      "INSERT INTO access_log VALUES (?, ?, ?, ?, ?, ?)",
      seq,
      now_ms,
      entry.counted ? 1 : 0,
      entry.counted_lookup ? 1 : 0,
      link.canonical,
      link.row_hash,
    );
    this.#head = { seq, row_hash: link.row_hash };
    if (entry.counted) {
      this.#minute.add(now_ms);
      this.#day.add(now_ms);
    }
    if (entry.counted_lookup) {
      this.#lookup_minute.add(now_ms);
      this.#lookup_day.add(now_ms);
    }
  }
}

/** The refusal by a pair of windows of which at least one is full; a full day shows as the daily quota. */
function limited(
  minute: { limit: number; free_ms: number },
  day: { limit: number; free_ms: number; used: number },
  now_ms: number,
): Admission {
  const until_ms = Math.max(minute.free_ms, day.free_ms);
  const daily = day.free_ms > now_ms;
  return {
    kind: "limited",
    until_ms,
    rate: { limit: daily ? day.limit : minute.limit, remaining: 0, reset_s: Math.ceil(until_ms / 1000) },
    quota: daily
      ? { limit: day.limit, used: day.used, resets_at: new Date(day.free_ms).toISOString() }
      : null,
  };
}
