import type { DrizzleD1Database } from "drizzle-orm/d1";
import { newEvent } from "../events/envelope.ts";
import { outboxInsert } from "../events/outbox.ts";
import { nowIso } from "../lib/seams.ts";
import type { AuditEntry } from "./types.ts";

/**
 * The statement that puts an entry on its way to the audit log, for the batch of the change it tells of: the entry
 * is appended exactly if the change is made, seconds later and once. `details.occurred_at` gives the time of the change.
 */
export function auditStatement(db: DrizzleD1Database, entry: AuditEntry, occurred_at: string = nowIso()) {
  const details = { ...entry.details, occurred_at };
  return outboxInsert(db, newEvent("audit_event", entry.subject ?? entry.type, { ...entry, details }));
}
