/** What the queue `altscore-webhooks` carries: make this attempt of this delivery. Attempts count from 1. */
export interface DeliveryMessage {
  webhook_id: string;
  message_id: string;
  attempt: number;
}

/** A message for every webhook of a lender. `message_id` becomes its `webhook-id`; `body` is sent as it is. */
export interface WebhookMessage {
  message_id: string;
  lender_id: string;
  type: string;
  body: string;
}

/** The type of the message that a lender sends to itself; it is tried once. */
export const TEST_TYPE = "webhook.test";

/** Why an attempt failed, as the delivery log tells it. */
export const FAILURE_CLASSES = [
  "status",
  "redirect",
  "timeout",
  "network",
  "name_lookup",
  "target_refused",
] as const;
export type FailureClass = (typeof FAILURE_CLASSES)[number];

/** How an attempt ended; `status` is the receiver's answer, if there was one. */
export interface AttemptOutcome {
  status: number | null;
  /** Null if it succeeded. */
  failure: FailureClass | null;
  duration_ms: number;
}
