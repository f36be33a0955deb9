import { DurableObject } from "cloudflare:workers";
import init from "../migrations/rate-limiter/0000_init.sql";
import type { Env } from "../src/env.ts";
import { nowMs } from "../src/lib/seams.ts";
import { migrate } from "./migrate.ts";

/** A limit: at most `limit` admitted calls in any span of `window_ms`. */
export interface RateLimit {
  limit: number;
  window_ms: number;
}

/** The answer to one call; `reset_ms` is the Unix ms at which the oldest counted call leaves the window. */
export interface RateDecision {
  allowed: boolean;
  remaining: number;
  reset_ms: number;
  /** Whole seconds until a call can be admitted again; 0 if this one was. */
  retry_after_s: number;
}

/**
 * An exact sliding window for one key, in one place for all colos. Only admitted calls count, so a
 * caller that keeps knocking is let in again as soon as the window allows. Rows are durable, so an eviction forgets
 * nothing; when the last one has expired an alarm empties the object, which then costs nothing.
 */
export class RateLimiter extends DurableObject<Env> {
  #ready = false;

  /** Counts one call if the window has room for it. */
  take({ limit, window_ms }: RateLimit): RateDecision {
    const { sql } = this.#open();
    const now_ms = nowMs();
    sql.exec("DELETE FROM hits WHERE expires_ms <= ?", now_ms);
    const { used } = sql.exec<{ used: number }>("SELECT count(*) AS used FROM hits").one();
    const allowed = used < limit;
    if (allowed) {
      sql.exec("INSERT INTO hits (expires_ms) VALUES (?)", now_ms + window_ms);
      // Every admitted call moves the alarm to its own end, so it runs once, when all have expired.
      void this.ctx.storage.setAlarm(now_ms + window_ms);
    }
    return {
      allowed,
      remaining: Math.max(0, limit - used - (allowed ? 1 : 0)),
      reset_ms: this.#expiry(0) ?? now_ms + window_ms,
      retry_after_s: allowed ? 0 : this.#secondsUntilRoom(used - limit, now_ms, window_ms),
    };
  }

  /** Takes one counted call back: what it was counted for did not come about. */
  giveBack(): void {
    this.#open().sql.exec("DELETE FROM hits WHERE rowid = (SELECT max(rowid) FROM hits)");
  }

  /** Removes what has expired; the object's whole storage if nothing is left. Safe to run at any time. */
  override async alarm(): Promise<void> {
    const { sql } = this.#open();
    sql.exec("DELETE FROM hits WHERE expires_ms <= ?", nowMs());
    const { last_ms } = sql
      .exec<{ last_ms: number | null }>("SELECT max(expires_ms) AS last_ms FROM hits")
      .one();
    if (last_ms !== null) {
      await this.ctx.storage.setAlarm(last_ms);
      return;
    }
    this.#ready = false;
    await this.ctx.storage.deleteAll();
  }

  #open(): DurableObjectStorage {
    if (!this.#ready) migrate(this.ctx.storage, [init]);
    this.#ready = true;
    return this.ctx.storage;
  }

  /** When the n-th oldest counted call (from 0) leaves the window. */
  #expiry(n: number): number | undefined {
    return this.ctx.storage.sql
      .exec<{ expires_ms: number }>("SELECT expires_ms FROM hits ORDER BY expires_ms LIMIT 1 OFFSET ?", n)
      .toArray()[0]?.expires_ms;
  }

  #secondsUntilRoom(excess: number, now_ms: number, window_ms: number): number {
    const free_ms = this.#expiry(excess) ?? now_ms + window_ms;
    return Math.max(1, Math.ceil((free_ms - now_ms) / 1000));
  }
}
