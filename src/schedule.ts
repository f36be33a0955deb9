import { keySchedule } from "./auth/keys.ts";
import { purgeRevokedTokens } from "./auth/revocation.ts";
import type { Env } from "./env.ts";
import { purgeHandledEvents, relayOutbox } from "./events/outbox.ts";
import { reportDrift } from "./models/monthly.ts";
import { rescoreAll } from "./pipeline/rescore.ts";

type Job = (env: Env) => Promise<unknown>;

/** What each cron of wrangler.toml runs. */
const jobs: Record<string, Job[]> = {
  "* * * * *": [relayOutbox],
  // Just after midnight in India, because days past due grow without any new row arriving.
  "35 18 * * *": [rescoreAll],
  "10 2 * * *": [keySchedule, purgeRevokedTokens, purgeHandledEvents],
  // After the month's last day in India.
  "30 3 1 * *": [reportDrift],
};

/** Runs a cron's jobs; one that fails does not keep the others from running, but fails the run. */
export async function runSchedule(cron: string, env: Env): Promise<void> {
  const due = jobs[cron];
  if (!due) throw new Error(`no job for cron ${cron}`);
  const results = await Promise.allSettled(due.map((job) => job(env)));
  const failures = results.filter((result) => result.status === "rejected").map((result) => result.reason);
  if (failures.length > 0)
    throw new AggregateError(failures, `cron ${cron}: ${failures.length} job(s) failed`);
}
