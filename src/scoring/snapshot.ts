import { sha256Hex } from "../lib/bytes.ts";
import { FEATURE_COUNT } from "./feature-table.ts";

/** The one NaN that stands for null, whatever bits an engine would write for NaN. */
const NULL_BITS = 0x7ff8_0000_0000_0000n;

/**
 * Hex SHA-256 of a feature vector: 42 float64, little-endian, in the order of the feature table, null as the quiet
 * NaN 7ff8000000000000. Throws RangeError for another length.
 */
export function featureSnapshotHash(features: readonly (number | null)[]): string {
  if (features.length !== FEATURE_COUNT) throw new RangeError(`not ${FEATURE_COUNT} features`);
  const bytes = new Uint8Array(8 * FEATURE_COUNT);
  const view = new DataView(bytes.buffer);
  features.forEach((value, i) => {
    if (value === null) view.setBigUint64(8 * i, NULL_BITS, true);
    else view.setFloat64(8 * i, value, true);
  });
  return sha256Hex(bytes);
}
