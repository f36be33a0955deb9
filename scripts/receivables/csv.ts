/**
 * The rows of a CSV text (RFC 4180: quoted fields, doubled quotes, CRLF or LF), one record per data row keyed by
 * the header's names; empty lines are left out. Throws RangeError with the row's number if a quote is left
 * open or a row has another number of fields than the header.
 */
export function parseCsv(text: string): { header: string[]; rows: Record<string, string>[] } {
  const [header, ...rest] = splitRows(text.startsWith("\ufeff") ? text.slice(1) : text);
  if (header === undefined) throw new RangeError("the file is empty");
  const rows = rest.map((fields, i) => {
    if (fields.length !== header.length) {
      throw new RangeError(`row ${i + 2} has ${fields.length} fields, the header ${header.length}`);
    }
    return Object.fromEntries(header.map((name, column) => [name, fields[column]!]));
  });
  return { header, rows };
}

function splitRows(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let field = "";
  let quoted = false;
  const endRow = (): void => {
    row.push(field);
    field = "";
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
  };
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (quoted) {
      if (character !== '"') field += character;
      else if (text[i + 1] === '"') field += text[++i];
      else quoted = false;
    } else if (character === '"') {
      quoted = true;
    } else if (character === ",") {
      row.push(field);
      field = "";
    } else if (character === "\n") {
      endRow();
    } else if (character !== "\r") {
      field += character;
    }
  }
  if (quoted) throw new RangeError(`a quote is left open in row ${rows.length + 1}`);
  if (field !== "" || row.length > 0) endRow();
  return rows;
}
