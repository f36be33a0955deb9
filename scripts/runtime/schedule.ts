import type { Miniflare } from "miniflare";
import { OperationError } from "../lib/errors.ts";
import { readJson, writePrivateJson } from "../lib/files.ts";
import type { WorkerLog } from "./log.ts";

const EVERY_MINUTE = "* * * * *";
/** Minute, hour and, for a monthly one, the day of the month. */
const DAILY_OR_MONTHLY = /^(\d{1,2}) (\d{1,2}) (\*|[1-9]|[12]\d|3[01]) \* \*$/;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** A job that was missed waits for the start's own work to settle. */
const FIRST_LOOK_MS = 20_000;

/**
 * Fires the Worker's cron triggers, which the simulator does not do by itself: every-minute ones each minute;
 * daily and monthly ones at their minute (UTC), or soon after the start if the machine was off then. When they last
 * ran is kept in `path`. Returns a function that stops it. OperationError for any other cron.
 */
export function startSchedule(mf: Miniflare, crons: string[], path: string, log: WorkerLog): () => void {
  const timed = crons.filter((cron) => cron !== EVERY_MINUTE);
  const unknown = timed.find((cron) => !DAILY_OR_MONTHLY.test(cron));
  if (unknown !== undefined) throw new OperationError(`The local runtime cannot fire the cron "${unknown}".`);
  // A new system has missed nothing.
  const last_run_ms = readJson<Record<string, number>>(path, {});
  for (const cron of timed) last_run_ms[cron] ??= Date.now();
  writePrivateJson(path, last_run_ms);

  const fire = async (cron: string): Promise<void> => {
    try {
      const worker = await mf.getWorker("altscore");
      await worker.scheduled({ cron, scheduledTime: new Date() });
    } catch (error) {
      log.write("error", `cron "${cron}" failed: ${String(error)}`);
    }
  };
  const fireTimed = async (): Promise<void> => {
    for (const cron of timed) {
      if (lastOccurrenceMs(cron, Date.now()) <= last_run_ms[cron]!) continue;
      last_run_ms[cron] = Date.now();
      writePrivateJson(path, last_run_ms);
      await fire(cron);
    }
  };
  const timers = [
    setInterval(() => {
      if (crons.includes(EVERY_MINUTE)) void fire(EVERY_MINUTE);
      void fireTimed();
    }, MINUTE_MS),
    setTimeout(() => void fireTimed(), FIRST_LOOK_MS),
  ];
  for (const timer of timers) timer.unref();
  return () => {
    for (const timer of timers) clearTimeout(timer);
  };
}

/** The newest instant (ms since the epoch) at or before `now_ms` that a daily or monthly cron names. */
export function lastOccurrenceMs(cron: string, now_ms: number): number {
  const [, minute, hour, day] = DAILY_OR_MONTHLY.exec(cron) ?? [];
  const midnight_ms = Math.floor(now_ms / DAY_MS) * DAY_MS;
  const at_ms = (Number(hour) * 60 + Number(minute)) * MINUTE_MS;
  for (let days_ago = 0; ; days_ago++) {
    const candidate_ms = midnight_ms - days_ago * DAY_MS + at_ms;
    const is_named = day === "*" || new Date(candidate_ms).getUTCDate() === Number(day);
    if (candidate_ms <= now_ms && is_named) return candidate_ms;
  }
}
