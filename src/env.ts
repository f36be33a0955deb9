import type { DistributorLedger } from "../durable-objects/distributor-ledger.ts";
import type { LenderGate } from "../durable-objects/lender-gate.ts";
import type { RateLimiter } from "../durable-objects/rate-limiter.ts";
import type { EventEnvelope } from "./events/types.ts";
import type { ScoringMessage } from "./pipeline/types.ts";

/** The bindings of wrangler.toml and the secrets beside them. */
export interface Env {
  DB: D1Database;
  KV: KVNamespace;
  LENDER_GATE: DurableObjectNamespace<LenderGate>;
  DISTRIBUTOR_LEDGER: DurableObjectNamespace<DistributorLedger>;
  RATE_LIMITER: DurableObjectNamespace<RateLimiter>;
  EVENTS: Queue<EventEnvelope>;
  SCORING: Queue<ScoringMessage>;
  ENVIRONMENT: string;
  KEY_ENCRYPTION_SECRET: string;
  GSTIN_INDEX_KEY: string;
  PHONE_PEPPER: string;
  QUARANTINE_KEY: string;
  CLIENT_CA_CERT?: string;
  CLIENT_CA_KEY?: string;
}
