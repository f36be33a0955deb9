import { orderFeatures } from "./families/order.ts";
import { paymentFeatures } from "./families/payment.ts";
import { relationshipFeatures } from "./families/relationship.ts";
import { crostonRate, seasonalFeatures } from "./families/seasonal.ts";
import { trajectoryFeatures } from "./families/trajectory.ts";
import { FEATURE_COUNT, FEATURE_INDEX } from "./feature-table.ts";
import { type MonthlySeries, monthlySeries } from "./monthly.ts";
import { routeOf } from "./routing.ts";
import { type LedgerView, ledgerView } from "./settlement.ts";
import { requireStatement } from "./statement-check.ts";
import type { Route, Statement } from "./types.ts";

export interface ComputedFeatures {
  /** The 42 values in the order of the feature table; null where undefined. */
  values: (number | null)[];
  route: Route;
  view: LedgerView;
  series: MonthlySeries;
}

/**
 * The 42 features of a statement at the end of `as_of_day` (features.md). Rows dated later do not exist, the order
 * of rows never shows. Null for a retailer without an invoice in the 36 months up to that day: it has no row. Throws
 * StatementRefusedError for what no door lets in.
 */
export function computeFeatures(statement: Statement, as_of_day: number): ComputedFeatures | null {
  requireStatement(statement, as_of_day);
  const view = ledgerView(statement, as_of_day);
  if (view === null) return null;
  const series = monthlySeries(view);
  const out = new Float64Array(FEATURE_COUNT).fill(Number.NaN);
  paymentFeatures(view, out);
  orderFeatures(view, series, out);
  trajectoryFeatures(view, series, out);
  seasonalFeatures(view, series, out);
  relationshipFeatures(view, series, out);
  const route = routeOf(series, out[FEATURE_INDEX.seasonal_amplitude]!);
  if (route === "sparse") out[FEATURE_INDEX.croston_demand_rate] = crostonRate(series);
  // Adding 0 turns -0 into 0: JSON cannot keep -0, and a stored vector must hash as the fresh one did.
  const values = Array.from(out, (value) => (Number.isNaN(value) ? null : value + 0));
  return { values, route, view, series };
}
