/**
 * Which of a batch's rows enter the books (api.md §5, Duplicates), as pure logic. A row is a tuple
 * `[index, id, ...content]`; two rows of one id are the same if their contents are.
 */

export type LedgerRow = readonly [index: number, id: string, ...content: (string | number | null)[]];

/** A row with the newest `sync_to` that confirmed it and the batch that brought it. */
export interface Version<Row extends LedgerRow> {
  row: Row;
  sync_to_ms: number;
  batch_no: number;
}

export interface CorrectionPlan<Row extends LedgerRow> {
  accepted: number;
  duplicates: number;
  /** What holds after the batch, by id: of all ids of the batch. */
  current: Map<string, Version<Row>>;
  /** Rows of this batch that hold after it: to be written. */
  writes: Row[];
  /** Versions that go to the lineage: replaced ones, and rows that came after a newer version. */
  superseded: Version<Row>[];
  /** Stored ids whose unchanged row this batch confirmed with a newer `sync_to`. */
  confirmed: string[];
}

/**
 * Applies rows in their order to the versions that hold now. The newest `sync_to` wins, an equal one goes to the
 * later received. A changed row counts as accepted even if it is older than what holds (it goes to the lineage);
 * one that is in the books or the lineage already is a duplicate. A duplicate raises the `sync_to` of the row that
 * holds, so that the outcome does not depend on the order in which batches arrive.
 * `isKept` tells whether the lineage has this row.
 */
export function planCorrections<Row extends LedgerRow>(
  rows: readonly Row[],
  stored: Map<string, Version<Row>>,
  batch: { sync_to_ms: number; batch_no: number },
  isKept: (row: Row) => boolean,
): CorrectionPlan<Row> {
  const current = stored;
  const superseded: Version<Row>[] = [];
  const confirmed = new Set<string>();
  let accepted = 0;
  let duplicates = 0;
  for (const row of rows) {
    const version = { row, sync_to_ms: batch.sync_to_ms, batch_no: batch.batch_no };
    const holding = current.get(row[1]);
    if (!holding) {
      current.set(row[1], version);
      accepted++;
    } else if (sameContent(holding.row, row)) {
      duplicates++;
      if (batch.sync_to_ms > holding.sync_to_ms) {
        holding.sync_to_ms = batch.sync_to_ms;
        confirmed.add(row[1]);
      }
    } else if (batch.sync_to_ms >= holding.sync_to_ms) {
      superseded.push(holding);
      current.set(row[1], version);
      accepted++;
    } else if (isKept(row) || superseded.some((older) => sameRow(older.row, row))) {
      duplicates++;
    } else {
      superseded.push(version);
      accepted++;
    }
  }
  const writes: Row[] = [];
  for (const version of current.values()) {
    if (version.batch_no === batch.batch_no) writes.push(version.row);
  }
  return {
    accepted,
    duplicates,
    current,
    writes,
    superseded,
    confirmed: [...confirmed].filter((id) => current.get(id)?.batch_no !== batch.batch_no),
  };
}

function sameRow(a: LedgerRow, b: LedgerRow): boolean {
  return a[1] === b[1] && sameContent(a, b);
}

/** True if two rows say the same, wherever in their batches they stood. */
export function sameContent(a: LedgerRow, b: LedgerRow): boolean {
  for (let i = 2; i < a.length; i++) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}
