/** Points and weights such that sum(weights[q] * p(points[q])) is the integral of p from 0 to 1. */
export interface Quadrature {
  points: Float64Array;
  weights: Float64Array;
}

const NEWTON_STEPS = 100;

/** The Legendre polynomial of a degree from 1 and its derivative, at x inside (-1, 1). */
function legendre(degree: number, x: number): { value: number; slope: number } {
  let before = 1;
  let value = x;
  for (let n = 2; n <= degree; n++) {
    [before, value] = [value, ((2 * n - 1) * x * value - (n - 1) * before) / n];
  }
  return { value, slope: (degree * (before - x * value)) / (1 - x * x) };
}

/** Gauss-Legendre with `count` points (from 1): exact for polynomials of degree 2 count - 1. */
export function gaussLegendre(count: number): Quadrature {
  const points = new Float64Array(count);
  const weights = new Float64Array(count);
  for (let q = 0; q < count; q++) {
    let x = Math.cos((Math.PI * (q + 0.75)) / (count + 0.5));
    for (let step = 0; step < NEWTON_STEPS; step++) {
      const { value, slope } = legendre(count, x);
      const next = x - value / slope;
      if (next === x) break;
      x = next;
    }
    const { slope } = legendre(count, x);
    // From [-1, 1] to [0, 1].
    points[q] = (1 - x) / 2;
    weights[q] = 1 / ((1 - x * x) * slope * slope);
  }
  return { points, weights };
}
