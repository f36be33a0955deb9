import type { AuditLog } from "../durable-objects/audit-log.ts";
import type { DistributorLedger } from "../durable-objects/distributor-ledger.ts";
import type { LenderGate } from "../durable-objects/lender-gate.ts";
import type { RateLimiter } from "../durable-objects/rate-limiter.ts";
import type { EventEnvelope } from "./events/types.ts";
import type { ScoringMessage } from "./pipeline/types.ts";
import type { DeliveryMessage } from "./webhooks/types.ts";

/** The bindings of wrangler.toml and the secrets beside them. */
export interface Env {
  DB: D1Database;
  KV: KVNamespace;
  LENDER_GATE: DurableObjectNamespace<LenderGate>;
  DISTRIBUTOR_LEDGER: DurableObjectNamespace<DistributorLedger>;
  RATE_LIMITER: DurableObjectNamespace<RateLimiter>;
  AUDIT_LOG: DurableObjectNamespace<AuditLog>;
  EVENTS: Queue<EventEnvelope>;
  SCORING: Queue<ScoringMessage>;
  WEBHOOKS: Queue<DeliveryMessage>;
  ENVIRONMENT: string;
  KEY_ENCRYPTION_SECRET: string;
  GSTIN_INDEX_KEY: string;
  PHONE_PEPPER: string;
  QUARANTINE_KEY: string;
  WHATSAPP_APP_SECRET: string;
  WHATSAPP_VERIFY_TOKEN: string;
  WHATSAPP_ACCESS_TOKEN?: string;
  WHATSAPP_PHONE_NUMBER_ID?: string;
  /** Who answers for the data; AltScore's own by default. */
  DATA_FIDUCIARY_NAME?: string;
  DATA_FIDUCIARY_CONTACT?: string;
  DPO_CONTACT?: string;
  /** "true" lets webhooks go to local and plain-HTTP targets; refused in production. */
  WEBHOOKS_ALLOW_LOCAL?: string;
  CLIENT_CA_CERT?: string;
  CLIENT_CA_KEY?: string;
}
