import { app } from "./app.ts";
import { parseEnv } from "./config.ts";
import type { Env } from "./env.ts";
import { consumeQueue } from "./queues.ts";
import { runSchedule } from "./schedule.ts";

export { AuditLog } from "../durable-objects/audit-log.ts";
export { DistributorLedger } from "../durable-objects/distributor-ledger.ts";
export { LenderGate } from "../durable-objects/lender-gate.ts";
export { RateLimiter } from "../durable-objects/rate-limiter.ts";
export { Provisioning } from "./parties/entrypoint.ts";

export default {
  fetch: (request, env, ctx) => app.fetch(request, env, ctx),
  queue: (batch, env, ctx) => {
    parseEnv(env);
    return consumeQueue(batch, env, ctx);
  },
  scheduled: (controller, env) => {
    parseEnv(env);
    return runSchedule(controller.cron, env);
  },
} satisfies ExportedHandler<Env>;
