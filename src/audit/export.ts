import type { Env } from "../env.ts";
import type { Link } from "./chain.ts";
import { accessStream, exportedLine, ledgerStream } from "./rows.ts";

/** A page of an exported stream: lines of canonical JSON; `next` is the number to go on after, null at the end. */
export interface ExportPage {
  lines: string[];
  next: number | null;
}

/** Small enough for one message of the local control socket. */
const MAX_LIMIT = 100;

/**
 * The rows of a stream after row `after`, at most `limit` (up to 100): read from the object that writes it, not from
 * the copies in D1. A stream that nobody writes has none.
 */
export async function exportStream(
  env: Env,
  stream: string,
  after: number,
  limit: number = MAX_LIMIT,
): Promise<ExportPage> {
  const links = (await rowsOf(env, stream, after)).slice(0, limit);
  const next = links.length === Math.min(limit, MAX_LIMIT) ? after + links.length : null;
  return { lines: links.map(exportedLine), next };
}

async function rowsOf(env: Env, stream: string, after: number): Promise<Link[]> {
  const id = stream.slice(stream.indexOf(":") + 1);
  switch (stream) {
    case accessStream(id):
      return env.LENDER_GATE.get(env.LENDER_GATE.idFromName(id)).accessLog(after + 1);
    case ledgerStream(id):
      return env.DISTRIBUTOR_LEDGER.get(env.DISTRIBUTOR_LEDGER.idFromName(id)).auditRows(after);
    default:
      return env.AUDIT_LOG.get(env.AUDIT_LOG.idFromName(stream)).rows(after);
  }
}
