/** How many rows a ledger holds of one retailer; earlier versions are those that a correction replaced. */
export interface LedgerHoldings {
  invoices: number;
  credit_notes: number;
  payments: number;
  earlier_versions: number;
}

/** Counts the rows of a retailer (all its ids), whatever their dates. */
export function readHoldings(sql: SqlStorage, retailer_ids: readonly string[]): LedgerHoldings {
  return sql
    .exec<{ invoices: number; credit_notes: number; payments: number; earlier_versions: number }>(
      `WITH ids AS (SELECT value AS id FROM json_each(?))
       SELECT
         (SELECT count(*) FROM invoices WHERE retailer_id IN ids AND is_return = 0) AS invoices,
         (SELECT count(*) FROM invoices WHERE retailer_id IN ids AND is_return = 1) AS credit_notes,
         (SELECT count(*) FROM invoices i JOIN payments p ON p.invoice_id = i.invoice_id
          WHERE i.retailer_id IN ids) AS payments,
         (SELECT count(*) FROM versions WHERE retailer_id IN ids) AS earlier_versions`,
      JSON.stringify(retailer_ids),
    )
    .one();
}
