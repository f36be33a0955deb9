import { CsvSplitter } from "../lib/csv.ts";

/**
 * The rows of a CSV text (RFC 4180), one record per data row keyed by the header's names; empty lines are left out.
 * Throws RangeError with the row's number if a quote is left open or misplaced or a row has another number of
 * fields than the header.
 */
export function parseCsv(text: string): { header: string[]; rows: Record<string, string>[] } {
  const splitter = new CsvSplitter();
  const whole = text.startsWith("\ufeff") ? text.slice(1) : text;
  const [header, ...rest] = [...splitter.push(whole), ...splitter.end()].filter(
    ({ cells }) => cells.length > 1 || cells[0] !== "",
  );
  if (header === undefined) throw new RangeError("the file is empty");
  const names = header.cells;
  const rows = rest.map(({ row, cells }) => {
    if (cells.length !== names.length) {
      throw new RangeError(`row ${row} has ${cells.length} fields, the header ${names.length}`);
    }
    return Object.fromEntries(names.map((name, column) => [name, cells[column]!]));
  });
  return { header: names, rows };
}
