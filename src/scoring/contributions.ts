/** How one score came about, in log odds of default: a bias, one term per feature, and one for what is not known. */
export interface Contributions {
  /** Terms in the order of the feature table; above 0 raises the risk. */
  features: Float64Array;
  bias: number;
  /** Added because there is too little data: the upper end of the interval, or a cold start's allowance. */
  uncertainty: number;
}
