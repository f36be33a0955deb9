/**
 * The C library's `logf`, to the last bit. XGBoost turns base_score into a margin with it, and it is not the
 * correctly rounded logarithm that fround(Math.log(x)) gives: about one base score in a hundred would differ.
 * Method and constants: ARM optimized routines (MIT), as in glibc since 2.27: log(x) = k ln 2 + log(c) + log1p(r)
 * with c from a table of 16 and a cubic in r, all in float64.
 */

// Each interval's 1 / c and log(c).
const INVERSE_AND_LOG = [
  1.3989067621665226, -0.3357162856693053, 1.3403141896637998, -0.29290205123474596, 1.2864321843573434,
  -0.25188350186463446, 1.2367150393405, -0.21245296619345347, 1.1907024847435774, -0.1745432634243574,
  1.1479821020556429, -0.13800329390137125, 1.1082887254180215, -0.10275026854105596,
];

export const LOGF_TABLE = INVERSE_AND_LOG;
