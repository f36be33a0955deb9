/**
 * Share of invoices by days late, as published receivables behaviour has it (scoring.md §9).
 * `last_day` is the bucket's latest day; the last bucket is open-ended and gets 365.
 */
export const DELAY_SHARES: readonly { first_day: number; last_day: number; share: number }[] = [
  { first_day: 0, last_day: 0, share: 0.58 },
  { first_day: 1, last_day: 3, share: 0.27 },
  { first_day: 4, last_day: 7, share: 0.08 },
  { first_day: 8, last_day: 15, share: 0.032 },
  { first_day: 16, last_day: 30, share: 0.014 },
  { first_day: 31, last_day: 60, share: 0.016 },
  { first_day: 61, last_day: 90, share: 0.004 },
  // 0.1 % as published; what the published shares leave to 100 % (0.3 %) is spread by normalising.
  { first_day: 91, last_day: 365, share: 0.001 },
];
const SHARE_SUM = DELAY_SHARES.reduce((sum, bucket) => sum + bucket.share, 0);
/** Of the invoices more than 90 days late, this share is never paid. */
const NEVER_PAID_SHARE = 0.4;
/** The earliest tenth pay almost this share of the term ahead of the due day. */
const EARLIEST_TERM_SHARE = 0.8;
/** Of the invoices in the first bucket, this share is paid before the due day. */
const EARLY_SHARE = 0.6;

/**
 * Days late for the invoice at a place (0-1) in the order from the readiest to the latest payer; negative is
 * early, null is never paid.
 */
export function delayAtPlace(place: number, term_days: number): number | null {
  let start = 0;
  for (const bucket of DELAY_SHARES) {
    const width = bucket.share / SHARE_SUM;
    if (place < start + width || bucket === DELAY_SHARES.at(-1)) {
      const within = Math.min(1 - 1e-9, (place - start) / width);
      if (bucket.last_day === 0) {
        const earliness = Math.max(0, 1 - within / EARLY_SHARE);
        // + 0 turns -0 into 0
        return -Math.round(EARLIEST_TERM_SHARE * term_days * earliness ** 2) + 0;
      }
      if (bucket.last_day === 365 && within >= 1 - NEVER_PAID_SHARE) return null;
      return bucket.first_day + Math.floor(within * (bucket.last_day - bucket.first_day + 1));
    }
    start += width;
  }
  return null;
}

/**
 * Turns latent lateness (any unit, higher pays later) into days late: the invoices are ranked and the ranks
 * mapped through the published distribution, which the book therefore follows as a whole, whatever its
 * retailers are like.
 */
export function assignDelays(
  invoices: readonly { lateness: number; term_days: number }[],
): (number | null)[] {
  const order = invoices.map((_, index) => index);
  order.sort((a, b) => invoices[a]!.lateness - invoices[b]!.lateness || a - b);
  const delays = new Array<number | null>(invoices.length).fill(null);
  for (const [rank, index] of order.entries()) {
    delays[index] = delayAtPlace((rank + 0.5) / invoices.length, invoices[index]!.term_days);
  }
  return delays;
}
