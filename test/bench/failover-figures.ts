/** What `npm run bench -- failover` found, as text and as a document. */
import type { Percentiles } from './join-figures.ts';

export interface FailoverRow {
  readonly name: string;
  readonly claim: string;
  /** What the percentiles are of. */
  readonly figure: string;
  readonly aimMs: number;
  readonly runs: number;
  /** First line of what went wrong, of each run that asserted something that did not hold. */
  readonly failures: readonly string[];
  /** Of all figures of all runs that did not fail: one for each pair of viewer and publisher. Undefined when every run failed. */
  readonly ms: (Percentiles & { readonly worst: number }) | undefined;
  /** Further figures, the median of each over the runs. */
  readonly also: Readonly<Record<string, number>>;
}

export interface FailoverFigures {
  readonly machine: string;
  readonly rows: readonly FailoverRow[];
}

/** Every run held its claims, and the 95th percentile is within the aim. */
export function isMet({ failures, ms, aimMs }: FailoverRow): boolean {
  return failures.length === 0 && ms !== undefined && ms.p95 <= aimMs;
}

export function meetsFailoverAims({ rows }: FailoverFigures): boolean {
  return rows.every(isMet);
}

const HEADINGS = ['scenario', 'runs', 'failed', 'p50', 'p95', 'worst', 'aim', 'met'] as const;

/** A table, and below it what else was measured and what went wrong. */
export function renderFailoverText({ rows }: FailoverFigures): string {
  const table = [HEADINGS.map(String), ...rows.map(cellsOf)];
  const widths = HEADINGS.map((_, column) => Math.max(...table.map(cells => cells[column]!.length)));
  const lines = table.map(cells =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
  const notes = rows.flatMap(row => [
    ...Object.entries(row.also).map(([name, value]) => `${row.name}: ${name} ${value.toFixed(0)} (p50)`),
    ...row.failures.map(failure => `${row.name}: FAILED: ${failure}`),
  ]);
  return `${[...lines, '', ...notes].join('\n').trimEnd()}\n`;
}

export function renderFailoverMarkdown({ machine, rows }: FailoverFigures): string {
  const missed = rows.filter(row => !isMet(row)).length;
  const lines = [
    '# Failure and change',
    '',
    `${machine}. Real processes: focuses, bridges, Redis; clients are @livekit/rtc-node, which share the machine with all of it.`,
    '',
    missed === 0 ? `All ${rows.length} aims are met.` : `${missed} of ${rows.length} aims are NOT met.`,
    '',
    '| scenario | what | runs | failed | p50 ms | p95 ms | worst ms | aim ms | met |',
    '|---|---|---|---|---|---|---|---|---|',
    ...rows.map(row => {
      const [name, ...figures] = cellsOf(row);
      return `| ${name} | ${row.claim} | ${figures.join(' | ')} |`;
    }),
    '',
    '| scenario | figure |',
    '|---|---|',
    ...rows.map(({ name, figure }) => `| ${name} | ${figure} |`),
    ...rows.flatMap(({ name, also }) =>
      Object.entries(also).map(([what, value]) => `| ${name} | ${what}, p50: ${value.toFixed(0)} |`),
    ),
    '',
    'Made by `npm run bench -- failover --docs`. What is measured how: `test/scenarios/README.md`.',
  ];
  return `${lines.join('\n')}\n`;
}

function cellsOf(row: FailoverRow): string[] {
  const { name, runs, failures, ms, aimMs } = row;
  const figures = [ms?.p50, ms?.p95, ms?.worst].map(value => (value === undefined ? '-' : value.toFixed(0)));
  return [name, String(runs), String(failures.length), ...figures, String(aimMs), isMet(row) ? 'yes' : 'NO'];
}
