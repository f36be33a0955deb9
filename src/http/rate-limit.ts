import type { RateLimit } from "../../durable-objects/rate-limiter.ts";
import type { Env } from "../env.ts";
import { sha256Hex } from "../lib/bytes.ts";
import { AppError, unavailable } from "./errors.ts";

/**
 * Counts one call under `key` in its exact sliding window and gives back how to take the count back. The object's
 * name is a digest, whatever the key holds. Throws RATE_LIMIT_EXCEEDED with Retry-After, or SERVICE_UNAVAILABLE if
 * it cannot be counted.
 */
export async function takeTurn(env: Env, key: string, limit: RateLimit): Promise<() => Promise<void>> {
  const limiter = env.RATE_LIMITER.get(env.RATE_LIMITER.idFromName(sha256Hex(key)));
  const decision = await limiter.take(limit).catch((cause: unknown) => {
    throw unavailable(cause);
  });
  if (!decision.allowed) {
    throw new AppError("RATE_LIMIT_EXCEEDED", { headers: { "Retry-After": String(decision.retry_after_s) } });
  }
  return async () => limiter.giveBack();
}
