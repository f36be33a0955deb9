import type { Env } from "../env.ts";
import { sha256Hex } from "../lib/bytes.ts";
import { AUTH_FAILURES } from "./rows.ts";
import type { AuditEntry } from "./types.ts";

export type { AuditActor, AuditEntry } from "./types.ts";

/**
 * Appends entries to the audit log; durable when it resolves. Entries about one subject stand in one stream, in the
 * order of the calls. Throws if any could not be written; a repeat writes those with an `event_id` once, others again.
 */
export async function appendAudit(env: Env, entries: AuditEntry | AuditEntry[]): Promise<void> {
  const by_stream = Map.groupBy([entries].flat(), streamOf);
  await Promise.all(
    [...by_stream].map(([stream, part]) => env.AUDIT_LOG.get(env.AUDIT_LOG.idFromName(stream)).append(part)),
  );
}

/**
 * Notes that an authentication failed `times` times; durable when it resolves. It has a stream of its own, which
 * tells the same failure once a minute: no flood delays or fills the others.
 */
export async function appendAuthFailure(env: Env, entry: AuditEntry, times: number): Promise<void> {
  await env.AUDIT_LOG.get(env.AUDIT_LOG.idFromName(AUTH_FAILURES)).appendRepeated(entry, times);
}

/**
 * One of the 16 streams of the log, by what an entry is about: enough for parallel writers and for 10 GB each, few
 * enough to be anchored every day.
 */
function streamOf({ subject, actor, type }: AuditEntry): string {
  return `events:${sha256Hex(subject ?? actor.id ?? type).charAt(0)}`;
}
