/** Ranks from 1 of a list; equal values share the mean of their ranks. */
function ranksOf(values: readonly number[]): Float64Array {
  const order = Uint32Array.from(values.keys()).sort((i, j) => values[i]! - values[j]!);
  const ranks = new Float64Array(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    for (let i = start; i < end; i++) ranks[order[i]!] = (start + 1 + end) / 2;
    start = end;
  }
  return ranks;
}

/**
 * Spearman's rank correlation (1904) of two lists of the same length, ties by mean rank: Pearson's correlation of the
 * ranks, from -1 to 1. Null where it is not defined: under two values, or one list constant.
 */
export function rankCorrelation(left: readonly number[], right: readonly number[]): number | null {
  if (left.length !== right.length) throw new RangeError("lists of different length");
  const middle = (left.length + 1) / 2;
  const [a, b] = [ranksOf(left), ranksOf(right)];
  let [product, a_squares, b_squares] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]! - middle, b[i]! - middle];
    product += x * y;
    a_squares += x * x;
    b_squares += y * y;
  }
  return a_squares > 0 && b_squares > 0 ? product / Math.sqrt(a_squares * b_squares) : null;
}
