import { seal } from "../auth/seal.ts";
import { type Config, parseEnv } from "../config.ts";
import type { Env } from "../env.ts";
import { AppError, unavailable } from "../http/errors.ts";
import { takeTurn } from "../http/rate-limit.ts";
import { invalid } from "../http/validation.ts";
import { newId, nowIso, nowMs } from "../lib/seams.ts";
import { deliver } from "./deliver.ts";
import type { WebhookRow } from "./deliveries.ts";
import type { DeliveriesAnswer, TestAnswer, WebhookAnswer, WebhookWithSecret } from "./schemas.ts";
import { newSecret } from "./signature.ts";
import {
  deleteWebhook,
  deliveriesPage,
  findWebhook,
  hastenDeliveries,
  insertDelivery,
  insertWebhook,
  newWebhookRow,
  type OwnWebhook,
  replaceSecret,
  reviveDelivery,
  updateWebhook,
  webhooksOf,
} from "./store.ts";
import { checkTarget, TargetRefused, targetRules } from "./target.ts";
import { TEST_TYPE } from "./types.ts";

export const MAX_WEBHOOKS_PER_LENDER = 5;
/** How long the secret before a rotation signs as well. */
const OVERLAP_MS = 24 * 3_600_000;
/** Calls that make us reach out or seal a secret, per lender. */
const ACTION_LIMIT = { limit: 30, window_ms: 60_000 };

/**
 * Registers a webhook; its secret is in this answer only. Throws WEBHOOK_TARGET_REFUSED, WEBHOOK_LIMIT_REACHED,
 * RATE_LIMIT_EXCEEDED, and SERVICE_UNAVAILABLE if the host's name cannot be looked up.
 */
export async function registerWebhook(
  env: Env,
  lender_id: string,
  given: string,
): Promise<WebhookWithSecret> {
  await takeTurn(env, `webhooks:${lender_id}`, ACTION_LIMIT);
  const config = parseEnv(env);
  const url = await checkedTarget(config, given);
  const webhook_id = newId("whk");
  const secret = newSecret();
  const secret_sealed = await seal(config, secret, webhook_id);
  const row = newWebhookRow({ webhook_id, lender_id, url, secret_sealed });
  if (!(await insertWebhook(env, row, MAX_WEBHOOKS_PER_LENDER))) {
    throw new AppError("WEBHOOK_LIMIT_REACHED");
  }
  return { ...shown(row), secret };
}

async function checkedTarget(config: Config, url: string): Promise<string> {
  try {
    return await checkTarget(url, targetRules(config));
  } catch (error) {
    if (error instanceof TargetRefused)
      throw new AppError("WEBHOOK_TARGET_REFUSED", { detail: error.message });
    throw unavailable(error, "The host name cannot be looked up just now.");
  }
}

/** A lender's webhooks, oldest first; never their secrets. */
export async function listWebhooks(env: Env, lender_id: string): Promise<WebhookAnswer[]> {
  return (await webhooksOf(env, lender_id)).map(shown);
}

/**
 * Gives a webhook a new secret, shown in this answer only. For 24 hours the one before signs as well; one before that
 * ends now. Throws NOT_FOUND, RATE_LIMIT_EXCEEDED.
 */
export async function rotateSecret(env: Env, own: OwnWebhook): Promise<WebhookWithSecret> {
  await takeTurn(env, `webhooks:${own.lender_id}`, ACTION_LIMIT);
  const secret = newSecret();
  const sealed = await seal(parseEnv(env), secret, own.webhook_id);
  const until = new Date(nowMs() + OVERLAP_MS).toISOString();
  return { ...shown(found(await replaceSecret(env, own, sealed, until))), secret };
}

/** Stops sending; what comes meanwhile waits. Throws NOT_FOUND. */
export async function pauseWebhook(env: Env, own: OwnWebhook): Promise<WebhookAnswer> {
  return shown(found(await updateWebhook(env, own, { status: "paused", paused_reason: "requested" })));
}

/** Sends again, first of all what has waited. Throws NOT_FOUND. */
export async function resumeWebhook(env: Env, own: OwnWebhook): Promise<WebhookAnswer> {
  const active = { status: "active", paused_reason: null, failing_since_ms: null } as const;
  const row = found(await updateWebhook(env, own, active));
  await hastenDeliveries(env, own.webhook_id);
  return shown(row);
}

/** Deletes a webhook and its log. Throws NOT_FOUND. */
export async function removeWebhook(env: Env, own: OwnWebhook): Promise<void> {
  found(await findWebhook(env, own));
  await deleteWebhook(env, own.webhook_id);
}

/** Sends a message of type `webhook.test` now, once, to a paused webhook too. Throws NOT_FOUND, RATE_LIMIT_EXCEEDED. */
export async function testWebhook(env: Env, own: OwnWebhook): Promise<TestAnswer> {
  const { webhook_id } = found(await findWebhook(env, own));
  await takeTurn(env, `webhooks:${own.lender_id}`, ACTION_LIMIT);
  const message_id = newId("ntc");
  const created_at = nowIso();
  const body = { notice_id: message_id, type: TEST_TYPE, timestamp: created_at, data: { webhook_id } };
  await insertDelivery(env, {
    webhook_id,
    message_id,
    type: TEST_TYPE,
    body: JSON.stringify(body),
    state: "pending",
    attempts: 0,
    earlier_attempts: 0,
    // Not due before this call has long made its one attempt, so that no relay makes it too.
    next_attempt_ms: nowMs() + 60_000,
    created_at,
  });
  const outcome = await deliver(env, { webhook_id, message_id, attempt: 1 });
  if (!outcome) throw new AppError("NOT_FOUND");
  return { delivery_id: message_id, delivered: outcome.failure === null, ...outcome };
}

/** A page of a webhook's deliveries with their attempts, newest first. Throws NOT_FOUND; INVALID_REQUEST for a bad cursor. */
export async function listDeliveries(
  env: Env,
  own: OwnWebhook,
  { cursor, limit }: { cursor: string | null; limit: number },
): Promise<DeliveriesAnswer> {
  const webhook = found(await findWebhook(env, own));
  const page = await deliveriesPage(env, own.webhook_id, { cursor, limit: limit + 1 });
  if (!page) throw invalid("cursor", "is not one of this list");
  const attempts = Map.groupBy(page.attempts, (row) => row.message_id);
  const rows = page.rows.slice(0, limit);
  const waits = webhook.status === "active";
  return {
    data: rows.map(({ message_id, type, state, created_at, next_attempt_ms }) => ({
      delivery_id: message_id,
      type,
      state,
      created_at,
      next_attempt_at: state === "pending" && waits ? new Date(next_attempt_ms).toISOString() : null,
      attempts: (attempts.get(message_id) ?? []).map(
        ({ attempt, started_at, duration_ms, status, failure }) => ({
          attempt,
          started_at,
          duration_ms,
          status,
          failure,
        }),
      ),
    })),
    next_cursor: page.rows.length > limit ? (rows.at(-1)?.message_id ?? null) : null,
  };
}

/** Sends a delivery again, whatever became of it, with the same `webhook-id`. Throws NOT_FOUND, RATE_LIMIT_EXCEEDED. */
export async function replayDelivery(env: Env, own: OwnWebhook, delivery_id: string): Promise<void> {
  found(await findWebhook(env, own));
  await takeTurn(env, `webhooks:${own.lender_id}`, ACTION_LIMIT);
  if (!(await reviveDelivery(env, own.webhook_id, delivery_id))) throw new AppError("NOT_FOUND");
}

/** Another lender's webhook is as unknown as none. */
function found(row: WebhookRow | undefined): WebhookRow {
  if (!row) throw new AppError("NOT_FOUND");
  return row;
}

function shown(row: WebhookRow): WebhookAnswer {
  const { webhook_id, url, status, paused_reason, previous_secret_until, failing_since_ms, created_at } = row;
  return {
    webhook_id,
    url,
    status,
    paused_reason,
    failing_since: failing_since_ms === null ? null : new Date(failing_since_ms).toISOString(),
    previous_secret_until,
    created_at,
  };
}
