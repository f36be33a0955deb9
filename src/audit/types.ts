/** Who did something: a party by its id, or nobody that could be told. */
export interface AuditActor {
  kind: "lender" | "service" | "distributor" | "system" | "retailer" | "anonymous";
  id: string | null;
}

/** One thing that happened, for the audit log; ids and outcomes only, nothing personal. */
export interface AuditEntry {
  /** Dotted, e.g. `consent.granted`, `grievance.filed`, `auth.failed`, `ingestion.accepted`. */
  type: string;
  actor: AuditActor;
  /** The opaque id it is about (`ret_`, `cns_`, `grv_`, `bat_` ...), by which it is found again. */
  subject: string | null;
  outcome: string;
  details: Record<string, string | number | boolean | null>;
  /** Id of the event it tells of: an entry that is appended again with the same id is there once. */
  event_id?: string;
}
