import { keySchedule } from "./auth/keys.ts";
import { purgeRevokedTokens } from "./auth/revocation.ts";
import { consentedRetailers } from "./consent/lookup.ts";
import type { Env } from "./env.ts";
import { purgeHandledEvents, relayOutbox } from "./events/outbox.ts";
import { sendScoring } from "./pipeline/consumers.ts";

const PAGE = 1_000;

type Job = (env: Env) => Promise<unknown>;

/** What each cron of wrangler.toml runs. */
const jobs: Record<string, Job[]> = {
  "* * * * *": [relayOutbox],
  "35 18 * * *": [rescoreAll],
  "10 2 * * *": [keySchedule, purgeRevokedTokens, purgeHandledEvents],
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

/**
 * Just after midnight in India: puts every consented retailer on the scoring queue, because days past due grow
 * without any new row arriving.
 */
async function rescoreAll(env: Env): Promise<void> {
  let after = "";
  for (;;) {
    const page = await consentedRetailers(env, after, PAGE);
    if (page.length === 0) return;
    await sendScoring(env, null, page);
    after = page.at(-1) as string;
  }
}
