import type { RetailerRows } from "../scripts/lib/statements.ts";
import type { SyntheticLedger } from "../src/synthetic/types.ts";

/** The rows of a made-up ledger by retailer index. */
export function rowsOfLedger(ledger: SyntheticLedger): Map<number, RetailerRows> {
  const retailers = new Map<number, RetailerRows>();
  const owners = new Map<string, RetailerRows>();
  for (const { distributor_index, retailer_index, ...invoice } of ledger.invoices) {
    let rows = retailers.get(retailer_index);
    if (rows === undefined) {
      rows = { invoices: [], payments: [] };
      retailers.set(retailer_index, rows);
    }
    rows.invoices.push({ distributor_id: `distributor-${distributor_index}`, ...invoice });
    owners.set(`${distributor_index}/${invoice.invoice_id}`, rows);
  }
  for (const { distributor_index, payment_method: _method, ...payment } of ledger.payments) {
    const rows = owners.get(`${distributor_index}/${payment.invoice_id}`);
    rows?.payments.push({ distributor_id: `distributor-${distributor_index}`, ...payment });
  }
  return retailers;
}
