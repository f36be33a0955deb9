import { canonicalJson } from "../lib/jcs.ts";
import { contentOf, type Link } from "./chain.ts";
import type { AuditActor } from "./types.ts";

/**
 * The names of the streams: `access:` and a lender_id (written by its gate), `ledger:` and a distributor_id (by its
 * ledger), `events:` and a hex digit, `auth:failures` (both by the AuditLog objects).
 */
export const AUTH_FAILURES = "auth:failures";
export const accessStream = (lender_id: string): string => `access:${lender_id}`;
export const ledgerStream = (distributor_id: string): string => `ledger:${distributor_id}`;

/** A row as D1 holds it for queries; `canonical` and `row_hash` are the evidence, the rest is read out of it. */
export interface AuditEvent extends Link {
  stream: string;
  seq: number;
  /** ISO 8601 UTC. */
  at: string;
  type: string;
  actor_kind: AuditActor["kind"];
  actor_id: string | null;
  subject: string | null;
  outcome: string;
}

/** What the rows of a lender's access log say; all other rows are an AuditEntry with its place in the stream. */
interface AccessRow {
  stream: string;
  seq: number;
  at: string;
  route: string;
  retailer_id: string | null;
  outcome: string;
}

interface EntryRow {
  stream: string;
  seq: number;
  at: string;
  type: string;
  actor: AuditActor;
  subject: string | null;
  outcome: string;
}

/** The row for D1 of a link that one of our objects wrote. */
export function auditEventOf(link: Link): AuditEvent {
  const row = contentOf(link) as unknown as AccessRow | EntryRow;
  const { stream, seq, at, outcome } = row;
  const place = { stream, seq, at, outcome, canonical: link.canonical, row_hash: link.row_hash };
  if ("route" in row) {
    const actor_id = stream.slice(accessStream("").length);
    return {
      ...place,
      type: `access.${row.route}`,
      actor_kind: "lender",
      actor_id,
      subject: row.retailer_id,
    };
  }
  return {
    ...place,
    type: row.type,
    actor_kind: row.actor.kind,
    actor_id: row.actor.id,
    subject: row.subject,
  };
}

/** A row as exported: one line of canonical JSON, its content with its hash. */
export function exportedLine(link: Link): string {
  return canonicalJson({ ...contentOf(link), row_hash: link.row_hash });
}

/** The row of an exported line; null if the line is not exactly what an export prints. */
export function readExportedLine(line: string): Link | null {
  try {
    const parsed = JSON.parse(line) as Record<string, unknown> | null;
    if (typeof parsed?.row_hash !== "string" || canonicalJson(parsed) !== line) return null;
    const { row_hash, ...content } = parsed;
    return { canonical: canonicalJson(content), row_hash };
  } catch {
    return null;
  }
}
