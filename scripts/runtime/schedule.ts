import type { Miniflare } from "miniflare";
import { OperationError } from "../lib/errors.ts";
import { readJson, writePrivateJson } from "../lib/files.ts";
import type { WorkerLog } from "./log.ts";

const EVERY_MINUTE = "* * * * *";
const DAILY = /^(\d{1,2}) (\d{1,2}) \* \* \*$/;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** A daily job that was missed waits for the start's own work to settle. */
const FIRST_LOOK_MS = 20_000;

/**
 * Fires the Worker's cron triggers, which the simulator does not do by itself: every-minute ones each minute;
 * daily ones at their minute (UTC), or soon after the start if the machine was off then. When they last ran is
 * kept in `path`. Returns a function that stops it. OperationError for a cron that is neither.
 */
export function startSchedule(mf: Miniflare, crons: string[], path: string, log: WorkerLog): () => void {
  const daily = crons.filter((cron) => cron !== EVERY_MINUTE);
  const unknown = daily.find((cron) => !DAILY.test(cron));
  if (unknown !== undefined) throw new OperationError(`The local runtime cannot fire the cron "${unknown}".`);
  // A new system has missed nothing.
  const last_run_ms = readJson<Record<string, number>>(path, {});
  for (const cron of daily) last_run_ms[cron] ??= Date.now();
  writePrivateJson(path, last_run_ms);

  const fire = async (cron: string): Promise<void> => {
    try {
      const worker = await mf.getWorker("altscore");
      await worker.scheduled({ cron, scheduledTime: new Date() });
    } catch (error) {
      log.write("error", `cron "${cron}" failed: ${String(error)}`);
    }
  };
  const fireDaily = async (): Promise<void> => {
    for (const cron of daily) {
      if (lastOccurrenceMs(cron, Date.now()) <= last_run_ms[cron]!) continue;
      last_run_ms[cron] = Date.now();
      writePrivateJson(path, last_run_ms);
      await fire(cron);
    }
  };
  const timers = [
    setInterval(() => {
      if (crons.includes(EVERY_MINUTE)) void fire(EVERY_MINUTE);
      void fireDaily();
    }, MINUTE_MS),
    setTimeout(() => void fireDaily(), FIRST_LOOK_MS),
  ];
  for (const timer of timers) timer.unref();
  return () => {
    for (const timer of timers) clearTimeout(timer);
  };
}

/** The newest instant (ms since the epoch) at or before `now_ms` that a daily cron names. */
export function lastOccurrenceMs(cron: string, now_ms: number): number {
  const [, minute, hour] = DAILY.exec(cron) ?? [];
  const midnight_ms = Math.floor(now_ms / DAY_MS) * DAY_MS;
  const today_ms = midnight_ms + (Number(hour) * 60 + Number(minute)) * MINUTE_MS;
  return today_ms <= now_ms ? today_ms : today_ms - DAY_MS;
}
