/** One row of a CSV text; the header is row 1, and a line break inside a quoted field begins no row. */
export interface CsvRow {
  row: number;
  cells: string[];
}

/** Longer rows are taken for a quote that nobody closed, so that a damaged file cannot fill the memory. */
const MAX_ROW_CHARACTERS = 1 << 20;

/**
 * Splits a CSV text that comes in pieces (RFC 4180: quoted fields, doubled quotes, CRLF or LF) into rows, an empty
 * line being a row of one empty cell. `push` and `end` throw RangeError with the row's number for an open quote and
 * for a quote where none may stand.
 */
export class CsvSplitter {
  private pending = "";
  private row = 0;

  /** The rows that are complete with this piece. */
  *push(text: string): Generator<CsvRow> {
    yield* this.split(this.pending + text, false);
    if (this.pending.length > MAX_ROW_CHARACTERS) throw this.refusal("is too long: is a quote left open?");
  }

  /** The last row, if the text does not end with a line break. */
  *end(): Generator<CsvRow> {
    yield* this.split(this.pending, true);
  }

  private refusal(what: string): RangeError {
    return new RangeError(`row ${this.row + 1} ${what}`);
  }

  private *split(text: string, is_last: boolean): Generator<CsvRow> {
    let at = 0;
    while (at < text.length) {
      const line_end = text.indexOf("\n", at);
      if (line_end < 0 && !is_last) break;
      const stop = line_end < 0 ? text.length : line_end;
      const line = text.slice(at, text[stop - 1] === "\r" && stop > at ? stop - 1 : stop);
      if (!line.includes('"')) {
        yield { row: ++this.row, cells: line.split(",") };
        at = stop + 1;
        continue;
      }
      const quoted = this.quotedRow(text, at, is_last);
      if (quoted === null) break;
      yield { row: ++this.row, cells: quoted.cells };
      at = quoted.next;
    }
    this.pending = text.slice(at);
  }

  /** The row that begins at `at`, and where the next one begins; null if the text ends within it. */
  private quotedRow(text: string, at: number, is_last: boolean): { cells: string[]; next: number } | null {
    const cells: string[] = [];
    let next = at;
    for (;;) {
      let cell_end: number;
      if (text[next] === '"') {
        const close = closingQuote(text, next + 1);
        if (close < 0 || (close + 1 === text.length && !is_last)) {
          if (is_last) throw new RangeError(`a quote is left open in row ${this.row + 1}`);
          return null;
        }
        cells.push(text.slice(next + 1, close).replaceAll('""', '"'));
        cell_end = close + 1;
      } else {
        cell_end = next;
        while (cell_end < text.length && text[cell_end] !== "," && text[cell_end] !== "\n") cell_end++;
        if (cell_end === text.length && !is_last) return null;
        const cell = text.slice(
          next,
          text[cell_end] === "," ? cell_end : withoutReturn(text, next, cell_end),
        );
        if (cell.includes('"')) throw this.refusal("has a quote inside a field that does not begin with one");
        cells.push(cell);
      }
      if (text[cell_end] === ",") {
        next = cell_end + 1;
        continue;
      }
      if (text[cell_end] === "\r") cell_end++;
      if (cell_end >= text.length) return is_last ? { cells, next: cell_end } : null;
      if (text[cell_end] !== "\n") throw this.refusal("has text after a closing quote");
      return { cells, next: cell_end + 1 };
    }
  }
}

/** Position of the quote that closes a field whose text begins at `from`; -1 without one. */
function closingQuote(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 2)) {
    if (text[at + 1] !== '"') return at;
  }
  return -1;
}

function withoutReturn(text: string, from: number, end: number): number {
  return end > from && text[end - 1] === "\r" ? end - 1 : end;
}

/** A text as a cell: quoted where it has to be. */
export function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
