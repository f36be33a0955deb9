import { anchorAudit } from "./audit/anchor.ts";
import { keySchedule } from "./auth/keys.ts";
import { purgeRevokedTokens } from "./auth/revocation.ts";
import { expireConsents } from "./consent/expiry.ts";
import { remindOfExpiry } from "./consent/reminders.ts";
import type { Env } from "./env.ts";
import { purgeHandledEvents, relayOutbox } from "./events/outbox.ts";
import { escalateDue } from "./grievance/steps.ts";
import { reportDrift } from "./models/monthly.ts";
import { purgeNotices } from "./notifications/service.ts";
import { rescoreAll } from "./pipeline/rescore.ts";
import { purgeDeliveries, relayDeliveries } from "./webhooks/deliveries.ts";
import { purgeInbox } from "./whatsapp/inbox.ts";
import { purgeWaiting } from "./whatsapp/outbox.ts";
import { workInbox } from "./whatsapp/work.ts";

type Job = (env: Env) => Promise<unknown>;

/** What each cron of wrangler.toml runs. */
const jobs: Record<string, Job[]> = {
  "* * * * *": [expireConsents, relayOutbox, relayDeliveries, workInbox, escalateDue],
  // Just after midnight in India, because days past due grow without any new row arriving.
  "35 18 * * *": [rescoreAll],
  "10 2 * * *": [
    keySchedule,
    remindOfExpiry,
    anchorAudit,
    purgeRevokedTokens,
    purgeHandledEvents,
    purgeDeliveries,
    purgeNotices,
    purgeInbox,
    purgeWaiting,
  ],
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
