import { appendAuthFailure } from "../audit/log.ts";
import type { AppContext } from "../http/context.ts";
import { ERRORS, type ErrorCode } from "../http/errors.ts";
import { causeText } from "../lib/cause.ts";
import { canonicalJson } from "../lib/jcs.ts";
import { nowMs } from "../lib/seams.ts";

/** Authenticated, but as somebody else than the request says, or without the right. */
const FORBIDDEN: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "SCOPE_INSUFFICIENT",
  "DISTRIBUTOR_MISMATCH",
  "VERIFY_TOKEN_INVALID",
]);
const REPEAT_MS = 60_000;
const MAX_KINDS = 1_000;

/** What this isolate has told the audit log lately, and how often the same happened since. */
const told = new Map<string, { until_ms: number; times: number }>();

/** Drops the isolate's memory; the next failure of any kind is told. */
export function forgetFailures(): void {
  told.clear();
}

/**
 * Puts a failed authentication into the audit log, after the answer has left. The same failure of the same party is
 * told once a minute with its count, so that a flood costs neither calls nor rows; the counts of an isolate that
 * ends are lost, the failure itself is not. Errors that are no failed authentication are left alone.
 */
export function noteAuthFailure(c: AppContext, code: ErrorCode): void {
  if (ERRORS[code].status !== 401 && !FORBIDDEN.has(code)) return;
  const { subject, distributor_id, auth_failure, route } = c.get("log");
  const entry = {
    type: "auth.failed",
    actor: actorOf(subject, distributor_id),
    subject: null,
    outcome: code,
    details: { cause: auth_failure ?? null, route: route ?? null },
  };
  const key = canonicalJson(entry);
  const now_ms = nowMs();
  const known = told.get(key);
  if (known && now_ms < known.until_ms) {
    known.times++;
    return;
  }
  if (told.size >= MAX_KINDS) told.clear();
  told.set(key, { until_ms: now_ms + REPEAT_MS, times: 0 });
  c.executionCtx.waitUntil(
    appendAuthFailure(c.env, entry, 1 + (known?.times ?? 0)).catch((cause: unknown) => {
      told.delete(key);
      console.error(JSON.stringify({ task: "audit of a failed authentication", cause: causeText(cause) }));
    }),
  );
}

type LogField = string | number | boolean | null | undefined;

/** The party whose credentials were named, as far as they are known to be those of one. */
function actorOf(subject: LogField, distributor_id: LogField) {
  if (typeof distributor_id === "string") return { kind: "distributor" as const, id: distributor_id };
  if (typeof subject !== "string") return { kind: "anonymous" as const, id: null };
  return { kind: subject.startsWith("lender_") ? ("lender" as const) : ("service" as const), id: subject };
}
