import { unseal } from "../auth/seal.ts";
import { type Config, parseEnv } from "../config.ts";
import type { Env } from "../env.ts";
import { nowIso, nowMs } from "../lib/seams.ts";
import { type Claim, claimAttempt, settleAttempt, type WebhookRow } from "./deliveries.ts";
import { signedHeaders } from "./signature.ts";
import { checkTarget, TargetRefused, targetRules } from "./target.ts";
import type { AttemptOutcome, DeliveryMessage, FailureClass } from "./types.ts";

const TIME_LIMIT_MS = 10_000;

/**
 * Makes the attempt that a message of the queue asks for, once however often the message comes. Dying after the POST
 * leaves the attempt without an outcome: a minute later the next one sends the same message with the same `webhook-id`.
 * Returns null if there was nothing to do.
 */
export async function deliver(env: Env, message: DeliveryMessage): Promise<AttemptOutcome | null> {
  const claim = await claimAttempt(env, message);
  if (!claim) return null;
  const outcome = await attempt(parseEnv(env), claim);
  await settleAttempt(env, claim, outcome);
  return outcome;
}

async function attempt(config: Config, { delivery, webhook }: Claim): Promise<AttemptOutcome> {
  const started_ms = nowMs();
  const ended = (status: number | null, failure: FailureClass | null): AttemptOutcome => ({
    status,
    failure,
    duration_ms: nowMs() - started_ms,
  });
  // Names may have come to point elsewhere since the webhook was registered.
  const refusal = await checkTarget(webhook.url, targetRules(config)).then(
    () => null,
    (error: unknown): FailureClass => (error instanceof TargetRefused ? "target_refused" : "name_lookup"),
  );
  if (refusal) return ended(null, refusal);
  const signed = await signedHeaders(await secretsOf(config, webhook), {
    id: delivery.message_id,
    timestamp_s: Math.floor(nowMs() / 1000),
    body: delivery.body,
  });
  try {
    const response = await fetch(webhook.url, {
      method: "POST",
      headers: { ...signed, "content-type": "application/json", "user-agent": "AltScore-Webhooks/1" },
      body: delivery.body,
      // A redirect could lead to where the check would not have let us go.
      redirect: "manual",
      signal: AbortSignal.timeout(TIME_LIMIT_MS),
    });
    // What a receiver says beyond its status is of no use, so none of it is read.
    await response.body?.cancel();
    return ended(response.status, failureOf(response.status));
  } catch (error) {
    return ended(null, (error as Error).name === "TimeoutError" ? "timeout" : "network");
  }
}

function failureOf(status: number): FailureClass | null {
  if (status >= 200 && status < 300) return null;
  return status >= 300 && status < 400 ? "redirect" : "status";
}

/** The secrets in force, the newest first; after a rotation the one before it for a day. */
async function secretsOf(config: Config, webhook: WebhookRow): Promise<string[]> {
  const { secret_sealed, previous_secret_sealed, previous_secret_until } = webhook;
  const overlap = previous_secret_sealed !== null && (previous_secret_until ?? "") > nowIso();
  const sealed = overlap ? [secret_sealed, previous_secret_sealed] : [secret_sealed];
  return Promise.all(sealed.map((value) => unseal(config, value, webhook.webhook_id)));
}
