import type { AuditEntry } from "../audit/types.ts";

/** The events of api.md §8 and their data; ids only, nothing personal. */
export interface EventData {
  "ingestion.batch.complete": { distributor_id: string; batch_id: string };
  "score.computed": { retailer_id: string; score_id: string };
  "score.blocked": { retailer_id: string; cause: "no_consent" | "insufficient" | "unexplainable" };
  "consent.granted": { retailer_id: string; consent_ids: string[]; lender_ids: string[] };
  "consent.revoked": { retailer_id: string; consent_ids: string[]; lender_ids: string[] };
  "consent.paused": { retailer_id: string; consent_ids: string[]; lender_ids: string[] };
  "consent.resumed": { retailer_id: string; consent_ids: string[]; lender_ids: string[] };
  "consent.expired": { retailer_id: string; consent_ids: string[]; lender_ids: string[] };
  "grievance.filed": { retailer_id: string; grievance_id: string };
  "grievance.escalated": { retailer_id: string; grievance_id: string };
  /** What a grievance or a correction request complained of was put right: the score has to be computed again. */
  "correction.made": { retailer_id: string; about: string };
  /** Something for the audit log that happened in D1. */
  audit_event: AuditEntry;
}

export type EventType = keyof EventData;

/** CloudEvents 1.0 in structured JSON form. */
export interface EventEnvelope<T extends EventType = EventType> {
  specversion: "1.0";
  /** Minted when the state changes: what consumers deduplicate on. */
  id: string;
  source: string;
  type: T;
  subject: string;
  time: string;
  datacontenttype: "application/json";
  data: EventData[T];
}
