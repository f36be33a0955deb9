import { env } from "cloudflare:workers";
import { EMPTY_HEAD, type Link, nextLink } from "../../src/audit/chain.ts";
import type { AuditEntry } from "../../src/audit/types.ts";
import { newId, newUuid } from "../../src/lib/seams.ts";

/** An entry about a subject of its own. */
export function entry(over: Partial<AuditEntry> = {}): AuditEntry {
  return {
    type: "grievance.filed",
    actor: { kind: "service", id: "client_0123456789abcdef" },
    subject: newId("grv"),
    outcome: "open",
    details: { category: "score" },
    ...over,
  };
}

/** The rows of a stream with these outcomes, as an object would write them. */
export function streamOf(stream: string, outcomes: readonly string[]): Link[] {
  const links: Link[] = [];
  for (const [index, outcome] of outcomes.entries()) {
    const row = {
      stream,
      seq: index + 1,
      at: "2026-11-20T12:00:00.000Z",
      ...entry({ subject: null, outcome }),
    };
    links.push(nextLink(links.at(-1)?.row_hash ?? EMPTY_HEAD.row_hash, { ...row }));
  }
  return links;
}

/** A stream of the audit log that no other test uses. */
export function newLog() {
  const stream = `events:${newUuid()}`;
  return { stream, log: env.AUDIT_LOG.get(env.AUDIT_LOG.idFromName(stream)) };
}
