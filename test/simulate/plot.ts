/** What happened over time, one panel for each figure and one line for each deployment. SVG, no dependencies. */
import type { Moment, Result } from './simulate.ts';

const WIDTH = 820;
const LEFT = 70;
const RIGHT = 20;
const PANEL = 130;
const GAP = 46;
const TOP = 92;
/** Deployments are often alike: a thin or broken line lies over a broad one, so that all are seen. */
const STROKES = [
  'stroke="#8fbfe0" stroke-width="5"',
  'stroke="#5b2c83" stroke-width="1.5"',
  'stroke="#c0392b" stroke-width="1.5"',
  'stroke="#5f7a12" stroke-width="2" stroke-dasharray="2 4"',
];
const INK = '#333333';
const GRID = '#dddddd';
const MARK = '#999999';
/** Between two labels of the time axis, in minutes. */
const TIME_STEPS = [5, 10, 15, 30, 60, 120, 180, 240, 360];
const TIME_LABELS_MAX = 13;

/** Something that happened to all deployments. */
export interface PlotMark {
  readonly hour: number;
  readonly label: string;
}

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

export function plotResults(results: readonly Result[], about: string, marks: readonly PlotMark[] = []): string {
  const height = TOP + PANELS.length * (PANEL + GAP);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif">`,
    '<title>Placement around the world, over time</title>',
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(8, 20, about, 13),
    ...results.map(({ deployment }, index) => legend(index, deployment)),
    ...PANELS.flatMap((panel, index) => drawPanel(panel, results, marks, TOP + index * (PANEL + GAP))),
    '</svg>',
    '',
  ].join('\n');
}

function drawPanel(panel: Panel, results: readonly Result[], marks: readonly PlotMark[], top: number): string[] {
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
  const minutes = hours * 60;
  const minuteStep = TIME_STEPS.find(each => minutes / each < TIME_LABELS_MAX) ?? TIME_STEPS.at(-1)!;
  for (let minute = 0; minute <= minutes + 0.5; minute += minuteStep) {
    parts.push(text(x(minute / 60), top + PANEL + 14, clock(minute), 10, 'middle'));
  }
  for (const { hour, label } of marks) {
    parts.push(
      `<line x1="${x(hour)}" y1="${top}" x2="${x(hour)}" y2="${top + PANEL}" stroke="${MARK}" stroke-dasharray="1 3"/>`,
    );
    // Once for all panels, and clear of their titles.
    if (top === TOP) parts.push(text(x(hour), top - 26, label, 10, 'middle'));
  }
  for (const [index, { moments }] of results.entries()) {
    const points = moments.map(moment => `${x(moment.hour)},${y(panel.of(moment))}`).join(' ');
    parts.push(`<polyline points="${points}" fill="none" ${strokeOf(index)}/>`);
  }
  return parts;
}

function legend(index: number, name: string): string {
  const x = LEFT + index * 170;
  return `<line x1="${x}" y1="38" x2="${x + 30}" y2="38" ${strokeOf(index)}/>${text(x + 36, 42, name, 12)}`;
}

function strokeOf(index: number): string {
  return STROKES[index % STROKES.length]!;
}

/** `1:30`: hours and minutes since the beginning. */
function clock(minutes: number): string {
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}`;
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
