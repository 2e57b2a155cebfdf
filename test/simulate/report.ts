/** The figures of the compared deployments as a table: a line for each figure, a column for each deployment. */
import type { Result } from './simulate.ts';

type Line = readonly [name: string, of: (result: Result) => string];

const LINES: readonly Line[] = [
  ['people at the busiest moment', ({ peopleMax }) => whole(peopleMax)],
  ['served in their own region', ({ figures }) => percent(figures.inRegionShare)],
  ['fullest bridge / mean of its region', ({ imbalanceMean }) => imbalanceText(imbalanceMean)],
  ['most people ever on bridges past capacity', ({ overloadedShareMax }) => percent(overloadedShareMax)],
  ['pairs of people with an extra hop', ({ figures }) => percent(figures.extraHopShare)],
  ['round trip to the bridge, mean', ({ figures }) => ms(figures.bridgeRttMsMean)],
  ['round trip to the bridge, p95', ({ figures }) => ms(figures.bridgeRttMsP95)],
  ['round trip between people, mean', ({ figures }) => ms(figures.peopleRttMsMean)],
  ['round trip between people, p95', ({ figures }) => ms(figures.peopleRttMsP95)],
  ['between regions, bridge to bridge', ({ figures }) => terabytes(figures.relayedInterRegionBytes)],
  ['between regions, people to bridges', ({ figures }) => terabytes(figures.accessInterRegionBytes)],
  [
    'between regions, all',
    ({ figures }) => terabytes(figures.relayedInterRegionBytes + figures.accessInterRegionBytes),
  ],
  ['placed again (lost or drained bridges)', ({ totals }) => whole(totals.moves)],
  ['refused', ({ totals }) => whole(totals.refused)],
  ['placements', ({ totals }) => whole(totals.placements)],
  ['CPU of it all: placements, reports, people', ({ cpuMs }) => `${whole(cpuMs / 1000)} s`],
  ['placements per second of that', result => whole(placementsPerSecond(result))],
  ['most memory of the process until then', ({ memoryPeakBytes }) => `${whole(memoryPeakBytes / 1e6)} MB`],
];

function placementsPerSecond({ totals, cpuMs }: Result): number {
  return cpuMs === 0 ? 0 : (totals.placements / cpuMs) * 1000;
}

export function renderTable(results: readonly Result[]): string {
  const rows = [
    ['', ...results.map(({ deployment }) => deployment)],
    ...LINES.map(([name, of]) => [name, ...results.map(of)]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)));
  return `${rows.map(row => alignRow(row, widths)).join('\n')}\n`;
}

function alignRow(row: readonly string[], widths: readonly number[]): string {
  return row
    .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
    .join('  ');
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function percent(value: number): string {
  return `${(value * 100).toFixed(1)} %`;
}

function imbalanceText(value: number): string {
  return value.toFixed(2);
}

function ms(value: number): string {
  return `${value.toFixed(0)} ms`;
}

function terabytes(bytes: number): string {
  return `${(bytes / 1e12).toFixed(2)} TB`;
}
