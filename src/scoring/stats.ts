/** Small statistics over arrays; every sum runs in the order given, so the caller fixes the last bit. */

type Numbers = ArrayLike<number>;

/** Arithmetic mean; NaN for no values. */
export function mean(values: Numbers): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** Population standard deviation (two passes); NaN for no values. */
export function populationSd(values: Numbers): number {
  const centre = mean(values);
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const deviation = values[i]! - centre;
    sum += deviation * deviation;
  }
  return Math.sqrt(sum / values.length);
}

/** Percentile `q` in 0-1 of ascending values, interpolating linearly exactly as numpy's default does; NaN for no values. */
export function percentileOfSorted(ascending: Numbers, q: number): number {
  const n = ascending.length;
  if (n === 0) return Number.NaN;
  const position = (n - 1) * q;
  const below = Math.floor(position);
  const low = ascending[below]!;
  const high = ascending[Math.min(below + 1, n - 1)]!;
  const fraction = position - below;
  // numpy interpolates from the nearer end, which decides the last bit.
  return fraction >= 0.5 ? high - (high - low) * (1 - fraction) : low + (high - low) * fraction;
}

/** Median of ascending values; NaN for no values. */
export function medianOfSorted(ascending: Numbers): number {
  const n = ascending.length;
  if (n === 0) return Number.NaN;
  const middle = n >> 1;
  return n % 2 === 1 ? ascending[middle]! : (ascending[middle - 1]! + ascending[middle]!) / 2;
}

/** Ordinary least squares slope of values against 0, 1, 2, ...; NaN for fewer than two. */
export function olsSlope(values: Numbers): number {
  const n = values.length;
  if (n < 2) return Number.NaN;
  const centre_x = (n - 1) / 2;
  const centre_y = mean(values);
  let covariance = 0;
  let variance = 0;
  for (let i = 0; i < n; i++) {
    const dx = i - centre_x;
    covariance += dx * (values[i]! - centre_y);
    variance += dx * dx;
  }
  return covariance / variance;
}
