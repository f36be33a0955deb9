import { createReadStream, readFileSync, statSync } from "node:fs";
import { type CsvRow, CsvSplitter } from "../lib/csv.ts";
import { OperationError } from "../lib/errors.ts";

/** One data row, its cells by column name. */
export class TableRow {
  readonly row: number;
  private readonly table: Table;
  private readonly cells: readonly string[];

  constructor(table: Table, { row, cells }: CsvRow) {
    this.table = table;
    this.row = row;
    this.cells = cells;
  }

  /** The cell as it stands; "" where it is empty. */
  text(column: string): string {
    return this.cells[this.table.position(column)]!;
  }

  /** An error that says where: file, row, column and, if given, what stands there. */
  refusal(column: string, what: string): OperationError {
    return new OperationError(`${this.table.path}: row ${this.row}, column ${column}: ${what}`);
  }
}

const SHOWN_CHARACTERS = 40;

/** A cell as an error shows it. */
export function shownCell(text: string): string {
  return JSON.stringify(text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}...` : text);
}

/**
 * A CSV file with a header, read row by row in constant memory (a pipe is kept in memory, so that it can be read
 * again). Everything wrong with it is an OperationError with file and row.
 */
export class Table {
  readonly path: string;
  private readonly columns: readonly string[];
  private readonly piped: Buffer | null;
  private positions = new Map<string, number>();

  /** `columns`: those the header must have; others are allowed. */
  constructor(path: string, columns: readonly string[]) {
    this.path = path;
    this.columns = columns;
    this.piped = readable(path, () => (statSync(path).isFile() ? null : readFileSync(path)));
  }

  /** Position of a column of the header. Throws RangeError for a column that was not asked for. */
  position(column: string): number {
    const position = this.positions.get(column);
    if (position === undefined) throw new RangeError(`no column ${column}`);
    return position;
  }

  /** The data rows, from the file's beginning at every call. Empty lines are left out. */
  async *rows(): AsyncGenerator<TableRow> {
    let header: string[] | null = null;
    for await (const line of this.lines()) {
      const { row, cells } = line;
      if (header === null) {
        header = cells;
        this.readHeader(cells);
        continue;
      }
      // In a table of one column an empty line is an empty cell.
      if (cells.length === 1 && cells[0] === "" && header.length > 1) continue;
      if (cells.length !== header.length) {
        throw new OperationError(
          `${this.path}: row ${row} has ${cells.length} cells, the header ${header.length}`,
        );
      }
      yield new TableRow(this, line);
    }
    if (header === null) throw new OperationError(`${this.path}: the file is empty`);
  }

  private readHeader(cells: readonly string[]): void {
    this.positions = new Map();
    for (const [position, name] of cells.entries()) {
      if (this.positions.has(name)) {
        throw new OperationError(`${this.path}: row 1: the column ${shownCell(name)} is there twice`);
      }
      this.positions.set(name, position);
    }
    const missing = this.columns.filter((name) => !this.positions.has(name));
    if (missing.length > 0) {
      const word = missing.length === 1 ? "column is" : "columns are";
      throw new OperationError(`${this.path}: row 1: the ${word} missing: ${missing.join(", ")}`);
    }
  }

  private async *lines(): AsyncGenerator<CsvRow> {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
    const splitter = new CsvSplitter();
    const pieces: Iterable<Buffer> | AsyncIterable<Buffer> =
      this.piped === null ? createReadStream(this.path) : [this.piped];
    try {
      for await (const piece of pieces) yield* splitter.push(decoder.decode(piece, { stream: true }));
      yield* splitter.push(decoder.decode());
      yield* splitter.end();
    } catch (error) {
      if (error instanceof RangeError) throw new OperationError(`${this.path}: ${error.message}`);
      throw fileError(this.path, error);
    }
  }
}

/** What `read` gives; OperationError if the file is not there or may not be read. */
export function readable<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw fileError(path, error);
  }
}

/** An error of reading a file in words; others come back as they are. */
function fileError(path: string, error: unknown): unknown {
  switch ((error as NodeJS.ErrnoException).code) {
    case "ENOENT":
      return new OperationError(`There is no file ${path}.`);
    case "EISDIR":
      return new OperationError(`${path} is a folder, not a file.`);
    case "EACCES":
    case "EPERM":
      return new OperationError(`${path} may not be read.`);
    case "ERR_ENCODING_INVALID_ENCODED_DATA":
      return new OperationError(`${path}: the text is not UTF-8`);
    default:
      return error;
  }
}
