/** What happened over time, one panel for each figure and one line for each deployment. SVG, no dependencies. */
import type { Moment, Result } from './simulate.ts';

const WIDTH = 820;
const LEFT = 70;
const RIGHT = 20;
const PANEL = 130;
const GAP = 46;
const TOP = 70;
const COLOURS = ['#2f6f9f', '#8e44ad', '#c0392b', '#7f8c3a'];
const INK = '#333333';
const GRID = '#dddddd';

interface Panel {
  readonly title: string;
  readonly of: (moment: Moment) => number;
  readonly label: (value: number) => string;
}

const PANELS: readonly Panel[] = [
  { title: 'People in meetings', of: ({ people }) => people, label: value => value.toLocaleString('en-US') },
  { title: 'Served in their own region, %', of: ({ inRegionShare }) => inRegionShare * 100, label: String },
  { title: 'Round trip between people, mean, ms', of: ({ peopleRttMsMean }) => peopleRttMsMean, label: String },
  { title: 'Fullest bridge / mean of its region', of: ({ imbalance }) => imbalance, label: String },
  {
    title: 'People on bridges past capacity, %',
    of: ({ overloadedShare }) => overloadedShare * 100,
    label: String,
  },
  { title: 'Between regions, Gbit/s', of: ({ interRegionBps }) => interRegionBps / 1e9, label: String },
];

export function plotResults(results: readonly Result[], about: string): string {
  const height = TOP + PANELS.length * (PANEL + GAP);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif">`,
    '<title>Placement around the world, over time</title>',
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(8, 20, about, 13),
    ...results.map(({ deployment }, index) => legend(index, deployment)),
    ...PANELS.flatMap((panel, index) => drawPanel(panel, results, TOP + index * (PANEL + GAP))),
    '</svg>',
    '',
  ].join('\n');
}

function drawPanel(panel: Panel, results: readonly Result[], top: number): string[] {
  const hours = Math.max(0.1, ...results.flatMap(({ moments }) => moments.map(({ hour }) => hour)));
  const largest = Math.max(1e-9, ...results.flatMap(({ moments }) => moments.map(panel.of)));
  const step = niceStep(largest / 4);
  const most = Math.ceil(largest / step) * step;
  const x = (hour: number) => round(LEFT + (hour / hours) * (WIDTH - LEFT - RIGHT));
  const y = (value: number) => round(top + PANEL - (value / most) * PANEL);
  const parts = [text(LEFT, top - 8, panel.title, 12)];
  for (let index = 0; index * step <= most * 1.001; index++) {
    const value = Number((index * step).toPrecision(6));
    parts.push(`<line x1="${LEFT}" y1="${y(value)}" x2="${WIDTH - RIGHT}" y2="${y(value)}" stroke="${GRID}"/>`);
    parts.push(text(LEFT - 6, y(value) + 4, panel.label(value), 10, 'end'));
  }
  const hourStep = Math.max(1, Math.ceil(hours / 12));
  for (let hour = 0; hour <= hours; hour += hourStep)
    parts.push(text(x(hour), top + PANEL + 14, `${hour} h`, 10, 'middle'));
  for (const [index, { moments }] of results.entries()) {
    const points = moments.map(moment => `${x(moment.hour)},${y(panel.of(moment))}`).join(' ');
    parts.push(
      `<polyline points="${points}" fill="none" stroke="${COLOURS[index % COLOURS.length]}" stroke-width="1.5"/>`,
    );
  }
  return parts;
}

function legend(index: number, name: string): string {
  const x = LEFT + index * 170;
  const colour = COLOURS[index % COLOURS.length];
  return `<line x1="${x}" y1="38" x2="${x + 20}" y2="38" stroke="${colour}" stroke-width="3"/>${text(x + 26, 42, name, 12)}`;
}

/** 1, 2 or 5 times a power of ten. */
function niceStep(about: number): number {
  const power = 10 ** Math.floor(Math.log10(about));
  return power * (about / power <= 1 ? 1 : about / power <= 2 ? 2 : about / power <= 5 ? 5 : 10);
}

function text(x: number, y: number, content: string, size: number, anchor = 'start'): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${round(x)}" y="${round(y)}" font-size="${size}" fill="${INK}" text-anchor="${anchor}">${escaped}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
