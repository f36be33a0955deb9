/**
 * The C library's `logf` to the last bit. XGBoost turns base_score into a margin with it, and it is not always the
 * correctly rounded logarithm that fround(Math.log(x)) gives. Method and constants: ARM optimized routines (MIT
 * licence), as in glibc since 2.27: log x = k ln 2 + log c + log1p(r) with c from a table of 16 and a cubic in r,
 * all in float64.
 */

const INVERSE_C = [
  1.398907162146528, 1.3403141896637998, 1.286432210124115, 1.2367150214269895, 1.1906977166711752,
  1.1479821020556429, 1.1082251448272158, 1.0711297413057381, 1.036437278977283, 1, 0.9492859795739057,
  0.8951049428609004, 0.8476821620351103, 0.8050314851692001, 0.7664671008843108, 0.731428603316328,
];
const LOG_C = [
  -0.33569133332882284, -0.2929040563774074, -0.2518726580937369, -0.21245868807117255, -0.17453945183745634,
  -0.1380057072319758, -0.10275976698545139, -0.06871392447020525, -0.0357891387398228, 0,
  0.05204517742929496, 0.11081431298787942, 0.1652495223695143, 0.21687389031699977, 0.2659635028121397,
  0.3127556664073557,
];
const CUBIC = [-0.25089342214237154, 0.333456765744066, -0.4999997485802103] as const;
/** Bits of the float where the table's interval around 1 begins. */
const TABLE_ORIGIN_BITS = 0x3f330000;
const MANTISSA_BITS = 23;

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

/** float32 natural logarithm of a positive, normal float32. */
export function logf(x: number): number {
  float[0] = x;
  const offset = (bits[0]! - TABLE_ORIGIN_BITS) | 0;
  const entry = (offset >> (MANTISSA_BITS - 4)) & 15;
  const exponent = offset >> MANTISSA_BITS;
  bits[0] = bits[0]! - (offset & (0x1ff << MANTISSA_BITS));
  const r = float[0] * INVERSE_C[entry]! - 1;
  const r2 = r * r;
  const tail = CUBIC[0] * r2 + (CUBIC[1] * r + CUBIC[2]);
  return Math.fround(tail * r2 + (LOG_C[entry]! + exponent * Math.LN2 + r));
}

/** An int32 that compares with other such keys as the float32 does with theirs; not for NaN. */
export function orderKey(x: number): number {
  // Adding 0 makes 0 of -0. Below 0, larger bits mean a smaller float: all but the sign is turned over.
  float[0] = x + 0;
  return bits[0]! ^ ((bits[0]! >> 31) & 0x7fffffff);
}

/** XGBoost's margin of a probability: -logf(1 / p - 1), every step in float32. */
export function logit32(probability: number): number {
  const odds_against = Math.fround(Math.fround(1 / Math.fround(probability)) - 1);
  // 0 - keeps a probability of one half at 0 rather than -0.
  return 0 - logf(odds_against);
}
