import { ModelRefusedError } from "./model-json.ts";

/** Platt scaling of a model's margin: ln(PD / (1 - PD)) = a * margin + b. */
export interface Calibration {
  a: number;
  b: number;
}

/** Checks a calibration; throws ModelRefusedError unless it is finite and keeps the margin's order (a > 0). */
export function requireCalibration(calibration: Calibration): Calibration {
  const { a, b } = calibration;
  if (!(a > 0) || !Number.isFinite(a) || !Number.isFinite(b)) {
    throw new ModelRefusedError("the calibration needs a finite a above 0 and a finite b");
  }
  return { a, b };
}

/** Calibrated log odds of default of a margin. */
export function defaultLogOdds(calibration: Calibration, margin: number): number {
  return calibration.a * margin + calibration.b;
}
