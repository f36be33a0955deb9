import type { Miniflare } from "miniflare";
import { readJson, writePrivateJson } from "../lib/files.ts";
import type { WorkerLog } from "./log.ts";

const EVERY_MINUTE = "* * * * *";
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** A daily job that is due at the start waits for the start's own work to settle. */
const FIRST_DAILY_MS = 20_000;

/**
 * Fires the Worker's cron triggers, which the simulator does not do by itself: every-minute ones each minute;
 * daily ones once in 24 hours of wall time, soon after the start if they are overdue, because a laptop is
 * seldom on at their minute. When they ran is kept in `path`. Returns a function that stops it.
 */
export function startSchedule(mf: Miniflare, crons: string[], path: string, log: WorkerLog): () => void {
  const daily = crons.filter((cron) => cron !== EVERY_MINUTE);
  const fire = async (cron: string): Promise<void> => {
    try {
      const worker = await mf.getWorker("altscore");
      await worker.scheduled({ cron, scheduledTime: new Date() });
    } catch (error) {
      log.write("error", `cron "${cron}" failed: ${String(error)}`);
    }
  };
  const fireDue = async (): Promise<void> => {
    const last_run_ms = readJson<Record<string, number>>(path, {});
    for (const cron of daily) {
      if (Date.now() - (last_run_ms[cron] ?? 0) < DAY_MS) continue;
      last_run_ms[cron] = Date.now();
      writePrivateJson(path, last_run_ms);
      await fire(cron);
    }
  };
  const timers = [
    setInterval(() => void (crons.includes(EVERY_MINUTE) && fire(EVERY_MINUTE)), MINUTE_MS),
    setInterval(() => void fireDue(), MINUTE_MS),
    setTimeout(() => void fireDue(), FIRST_DAILY_MS),
  ];
  for (const timer of timers) timer.unref();
  return () => {
    for (const timer of timers) clearTimeout(timer);
  };
}
