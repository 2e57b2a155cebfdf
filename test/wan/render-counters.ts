/** What `npm run wan` prints of a path's counters. Pure. */
import type { ProxyCounters } from './io/departures.ts';

export interface DirectionCounters {
  /** 'path 1 forth' */
  readonly name: string;
  readonly counters: Readonly<ProxyCounters>;
}

/** What happened between two looks at the counters, in a line: those at zero are left out, except what went through. */
export function renderProgress(seconds: number, before: DirectionCounters[], now: DirectionCounters[]): string {
  const parts = now.map(({ name, counters }, index) => {
    const earlier = before[index].counters;
    const kbps = Math.round(((counters.sentBytes - earlier.sentBytes) * 8) / 1000);
    const drops = DROPS.map(({ key, title }) => ({ title, count: counters[key] - earlier[key] }))
      .filter(({ count }) => count > 0)
      .map(({ title, count }) => `, ${title} ${count}`);
    return `${name} ${kbps} kbit ${counters.sent - earlier.sent} sent${drops.join('')}`;
  });
  return `${seconds.toFixed(0).padStart(5)} s  ${parts.join(' | ')}`;
}

const DROPS = [
  { key: 'lost', title: 'lost' },
  { key: 'lostRandomly', title: 'lost at random' },
  { key: 'queueFull', title: 'queue full' },
  { key: 'cut', title: 'cut' },
  { key: 'overLimit', title: 'over limit' },
  { key: 'strangers', title: 'strangers' },
  { key: 'sendErrors', title: 'send errors' },
] as const;

const COLUMNS = [
  { key: 'offered', title: 'offered' },
  { key: 'sent', title: 'sent' },
  ...DROPS,
  { key: 'heldBack', title: 'held back' },
  { key: 'duplicated', title: 'duplicated' },
  { key: 'delivered', title: 'delivered' },
] as const;

/** A row per counter, a column per direction. */
export function renderTable(directions: readonly DirectionCounters[]): string {
  const rows = [
    ['datagrams', ...directions.map(({ name }) => name)],
    ...COLUMNS.map(({ key, title }) => [title, ...directions.map(({ counters }) => String(counters[key]))]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map(row => row[column].length)));
  const pad = (cell: string, column: number) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]));
  return rows.map(row => row.map(pad).join('  ')).join('\n');
}
