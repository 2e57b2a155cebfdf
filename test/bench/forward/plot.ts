/** CPU per forwarded packet as horizontal bars, one group per case: portable, fast (user and system), and the floor as a line. SVG, no dependencies. */
import type { CaseFigures } from './measure-case.ts';
import type { PacketCost } from './packet-cost.ts';

const WIDTH = 760;
const LEFT = 130;
const RIGHT = 60;
const TOP = 56;
const BAR = 14;
const GROUP_GAP = 14;

const COLOURS = { user: '#2f6f9f', system: '#8fb8d4', floor: '#c0392b', text: '#333333', grid: '#dddddd' };

export function plotCosts(cases: readonly CaseFigures[]): string {
  const rows = cases.map(figures => ({
    figures,
    bars: (['fast', 'portable'] as const).flatMap(name => {
      const cost = figures[name]?.busy.cost;
      return cost === undefined ? [] : [{ name, cost }];
    }),
  }));
  const largest = Math.max(1, ...rows.flatMap(({ bars }) => bars.map(({ cost }) => cost.totalUs)));
  const step = niceStep(largest / 6);
  const scale = (WIDTH - LEFT - RIGHT) / (Math.ceil(largest / step) * step);
  const parts: string[] = [];
  let y = TOP;
  for (const { figures, bars } of rows) {
    const height = bars.length * BAR;
    parts.push(text(8, y + height / 2 + 4, figures.name, 12));
    for (const [index, { name, cost }] of bars.entries()) parts.push(bar(y + index * BAR, name, cost, scale));
    if (figures.floor !== null) parts.push(floorLine(y, height, figures.floor.total, scale));
    y += height + GROUP_GAP;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 24}" font-family="sans-serif">`,
    `<title>CPU per forwarded packet, by case</title>`,
    `<rect width="${WIDTH}" height="${y + 24}" fill="#ffffff"/>`,
    text(8, 20, 'CPU per packet forwarded to a subscriber, µs', 14),
    ...legend(),
    ...gridLines(step, scale, y),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function bar(y: number, name: string, { userUs, systemUs, totalUs }: PacketCost, scale: number): string {
  const end = LEFT + totalUs * scale;
  return [
    rect(LEFT, y, userUs * scale, COLOURS.user),
    rect(LEFT + userUs * scale, y, systemUs * scale, COLOURS.system),
    text(end + 4, y + BAR - 4, `${totalUs.toFixed(1)} ${name}`, 10),
  ].join('');
}

function floorLine(y: number, height: number, totalUs: number, scale: number): string {
  const x = round(LEFT + totalUs * scale);
  return `<line x1="${x}" y1="${y - 3}" x2="${x}" y2="${y + height + 2}" stroke="${COLOURS.floor}" stroke-width="2"/>`;
}

function gridLines(step: number, scale: number, bottom: number): string[] {
  const lines: string[] = [];
  for (let value = 0; LEFT + value * scale <= WIDTH - RIGHT + 1; value += step) {
    const x = round(LEFT + value * scale);
    lines.push(`<line x1="${x}" y1="${TOP - 6}" x2="${x}" y2="${bottom}" stroke="${COLOURS.grid}"/>`);
    lines.push(text(x - 4, bottom + 14, String(value), 10));
  }
  return lines;
}

function legend(): string[] {
  const entries = [
    ['user', COLOURS.user],
    ['system', COLOURS.system],
    ['floor: bare send and encryption', COLOURS.floor],
  ] as const;
  let x = LEFT;
  return entries.flatMap(([name, colour]) => {
    const at = x;
    x += 40 + name.length * 6;
    return [rect(at, 30, 10, colour, 10), text(at + 14, 39, name, 11)];
  });
}

/** 1, 2 or 5 times a power of ten. */
function niceStep(about: number): number {
  const power = 10 ** Math.floor(Math.log10(about));
  return power * (about / power <= 1 ? 1 : about / power <= 2 ? 2 : about / power <= 5 ? 5 : 10);
}

function rect(x: number, y: number, width: number, fill: string, height = BAR - 2): string {
  return `<rect x="${round(x)}" y="${y}" width="${round(width)}" height="${height}" fill="${fill}"/>`;
}

function text(x: number, y: number, content: string, size: number): string {
  return `<text x="${round(x)}" y="${round(y)}" font-size="${size}" fill="${COLOURS.text}">${content}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
