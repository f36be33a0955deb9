import type { Env } from "./env.ts";
import { keepDeadLetter } from "./events/dead-letters.ts";
import { relaySoon } from "./events/outbox.ts";
import type { EventEnvelope } from "./events/types.ts";
import { causeText } from "./lib/cause.ts";
import { handleEvent, handleScoring } from "./pipeline/consumers.ts";
import type { ScoringMessage } from "./pipeline/types.ts";
import { deliver } from "./webhooks/deliver.ts";
import { relayDeliveriesSoon } from "./webhooks/deliveries.ts";
import type { DeliveryMessage } from "./webhooks/types.ts";

const MAX_RETRY_DELAY_S = 300;

type MessageHandler = (env: Env, message: Message<unknown>) => Promise<void>;

const handlers: Record<string, MessageHandler> = {
  "altscore-events": (env, message) => handleEvent(env, message.body as EventEnvelope),
  "altscore-scoring": (env, message) => handleScoring(env, message.body as ScoringMessage, message.attempts),
  "altscore-webhooks": async (env, message) => {
    await deliver(env, message.body as DeliveryMessage);
  },
  "altscore-events-dlq": (env, message) => keepDeadLetter(env, "altscore-events", message),
  "altscore-scoring-dlq": (env, message) => keepDeadLetter(env, "altscore-scoring", message),
  "altscore-webhooks-dlq": (env, message) => keepDeadLetter(env, "altscore-webhooks", message),
};

/**
 * Handles a batch message by message: each is acknowledged or retried (with growing delay) on its own, so that
 * one bad message holds up nobody. After the last retry a message goes to its dead-letter queue.
 */
export async function consumeQueue(
  batch: MessageBatch<unknown>,
  env: Env,
  ctx: Pick<ExecutionContext, "waitUntil">,
): Promise<void> {
  const handler = handlers[batch.queue];
  if (!handler) throw new Error(`no consumer for queue ${batch.queue}`);
  for (const message of batch.messages) {
    try {
      await handler(env, message);
      message.ack();
    } catch (cause) {
      console.error(
        JSON.stringify({
          queue: batch.queue,
          message_id: message.id,
          attempts: message.attempts,
          cause: causeText(cause),
        }),
      );
      message.retry({ delaySeconds: Math.min(MAX_RETRY_DELAY_S, 2 ** message.attempts) });
    }
  }
  // What was handled may have written events and notices of its own.
  ctx.waitUntil(Promise.all([relaySoon(env), relayDeliveriesSoon(env)]));
}
