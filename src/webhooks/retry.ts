const MINUTE_S = 60;
const HOUR_S = 3600;

/** Seconds to wait after the first, second ... failed attempt, as Standard Webhooks recommends: ten attempts in 3 days. */
export const RETRY_DELAYS_S: readonly number[] = [
  5,
  5 * MINUTE_S,
  30 * MINUTE_S,
  2 * HOUR_S,
  5 * HOUR_S,
  10 * HOUR_S,
  14 * HOUR_S,
  20 * HOUR_S,
  24 * HOUR_S,
];

/** A webhook to which nothing got through for this long is paused at the next failed attempt. */
export const PAUSE_AFTER_MS = 72 * HOUR_S * 1000;

/** Share of a delay that jitter may add, so that what failed together does not come back together. */
const JITTER = 0.1;

/**
 * Ms to wait after `failures` failed attempts (from 1), or null if that was the last. `random` is in [0, 1).
 */
export function retryDelayMs(failures: number, random: number): number | null {
  const delay_s = RETRY_DELAYS_S[failures - 1];
  return delay_s === undefined ? null : Math.round(delay_s * 1000 * (1 + JITTER * random));
}
