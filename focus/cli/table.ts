/** A column: its heading, and what stands in it for a row. */
export interface Column<Row> {
  readonly heading: string;
  readonly cell: (row: Row) => string;
  /** Numbers end at the same place. */
  readonly isRight?: boolean;
}

/** Rows as text, a heading first, columns as wide as their widest cell; control characters, which names may hold, shown as such. */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const lines = [
    columns.map(({ heading }) => heading),
    ...rows.map(row => columns.map(({ cell }) => shown(cell(row)))),
  ];
  const widths = columns.map((_, index) => Math.max(...lines.map(line => line[index].length)));
  return lines
    .map(line => line.map((cell, index) => pad(cell, widths[index], columns[index].isRight === true)).join('  '))
    .map(line => `${line.trimEnd()}\n`)
    .join('');
}

function pad(cell: string, width: number, isRight: boolean): string {
  return isRight ? cell.padStart(width) : cell.padEnd(width);
}

/** A terminal obeys what is between the lines. */
export function shown(text: string): string {
  return text.replace(/\p{Cc}/gu, character => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
