import { AppError, unavailable } from "../http/errors.ts";
import { randomHex } from "../lib/seams.ts";
import { isUniqueViolation } from "./store.ts";

/** Runs a read; whatever goes wrong that is not an AppError (D1, a gate, a key) becomes SERVICE_UNAVAILABLE. */
export async function orUnavailable<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw cause instanceof AppError ? cause : unavailable(cause);
  }
}

/** Writers of one chain or one message take turns; each round lets at least one through. */
const MAX_ATTEMPTS = 40;
const MAX_PAUSE_MS = 50;

/**
 * Runs an act that reads, signs and appends, and runs it again from the start if another writer was first (a
 * unique violation), after a short random pause. After 40 attempts, and for anything else that is not an
 * AppError (D1, a gate, a key), throws SERVICE_UNAVAILABLE: an act that is in doubt was not answered.
 */
export async function retryWhileContended<T>(act: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await act();
    } catch (cause) {
      if (cause instanceof AppError) throw cause;
      if (!isUniqueViolation(cause) || attempt === MAX_ATTEMPTS) throw unavailable(cause);
      await scheduler.wait(randomFraction() * Math.min(MAX_PAUSE_MS, 5 * attempt));
    }
  }
}

/** Spreads contenders over the pause: 0 to almost 1. */
function randomFraction(): number {
  return Number.parseInt(randomHex(1), 16) / 256;
}
