/** The events of api.md §8 and their data; ids only, nothing personal. */
export interface EventData {
  "ingestion.batch.complete": { distributor_id: string; batch_id: string };
  "score.computed": { retailer_id: string; score_id: string };
  "score.blocked": { retailer_id: string; cause: "no_consent" | "insufficient" | "unexplainable" };
  "consent.granted": { retailer_id: string; consent_ids: string[]; lender_ids: string[] };
  "consent.revoked": { retailer_id: string; consent_ids: string[]; lender_ids: string[] };
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
