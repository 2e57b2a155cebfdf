/** What the placement benchmark measures, and what it is to reach. */

export interface PlacementCost {
  readonly name: string;
  readonly bridges: number;
  /** Microseconds of CPU for the choice alone, its explanation made. */
  readonly decisionUs: number;
  /** With the reservation in the memory store, the explanation remembered and the metrics counted. */
  readonly placementUs: number;
  /** The reservation alone, measured in turns with it. */
  readonly floorUs: number;
}

/** Choices on the view of the bridges that a focus with Redis keeps, and what keeping it costs: each choice is expected, then counted. */
export interface ViewCost {
  readonly name: string;
  readonly decisionUs: number;
}

export interface PlacementFigures {
  readonly machine: string;
  /** The first is the one that the aim is about. */
  readonly cases: readonly PlacementCost[];
  /** Regions of more and more bridges, all else being the same. */
  readonly growth: readonly PlacementCost[];
  readonly redis: readonly ViewCost[];
  /** 92 joins in 31 s to four bridges (jicofo issue 1298), over seeds: the fullest and the emptiest bridge as a share of even. */
  readonly burst: { readonly fullest: number; readonly emptiest: number };
}

export interface Aim {
  readonly what: string;
  readonly isMet: boolean;
}

/** What one core is to place in a second by the default rule set, at 2000 bridges in 20 regions. */
const PER_SECOND_MIN = 100_000;
/** The same whatever the machine is and does: so many times the bare reservation. Measured at 2 to 3. */
const OVER_FLOOR_MAX = 4;
const UNEVEN_MAX = 0.1;

export function overFloor({ placementUs, floorUs }: PlacementCost): number {
  return placementUs / floorUs;
}

export function aimsOf({ cases, growth, burst }: PlacementFigures): Aim[] {
  const first = cases[0]!;
  return [
    {
      what: `${first.name}: ${perSecond(first.placementUs)} placements a second of one core, aim ${whole(PER_SECOND_MIN)}`,
      isMet: 1e6 / first.placementUs >= PER_SECOND_MIN,
    },
    {
      what: `${first.name}: ${overFloor(first).toFixed(1)} times the bare reservation, at most ${OVER_FLOOR_MAX}`,
      isMet: overFloor(first) <= OVER_FLOOR_MAX,
    },
    ...growth.slice(1).map((larger, index): Aim => {
      const smaller = growth[index]!;
      const [bridges, cost] = [larger.bridges / smaller.bridges, larger.decisionUs / smaller.decisionUs];
      return {
        what: `${larger.name}: ${bridges} times the bridges, ${cost.toFixed(1)} times the cost of a choice`,
        isMet: cost <= bridges,
      };
    }),
    {
      what: `92 joins in 31 s: the fullest bridge ${percent(burst.fullest)}, the emptiest ${percent(burst.emptiest)} of even, aim within 10 %`,
      isMet: burst.fullest <= 1 + UNEVEN_MAX && burst.emptiest >= 1 - UNEVEN_MAX,
    },
  ];
}

export function meetsPlacementAims(figures: PlacementFigures): boolean {
  return aimsOf(figures).every(({ isMet }) => isMet);
}

const HEADINGS = ['case', 'choice us', 'placement us', 'a second', 'floor us', 'x floor'];

/** A table, and below it the aims. */
export function renderPlacementText(figures: PlacementFigures): string {
  const rows = [HEADINGS, ...rowsOf(figures)];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map(row => row[column]!.length)));
  const lines = rows.map(row =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  '),
  );
  const aims = aimsOf(figures).map(({ what, isMet }) => `${isMet ? 'met   ' : 'MISSED'}  ${what}`);
  return `${[...lines, '', ...aims].join('\n')}\n`;
}

export function renderPlacementMarkdown(figures: PlacementFigures): string {
  const lines = [
    '# Placement',
    '',
    `${figures.machine}. CPU time of the process, all threads, garbage collection among it.`,
    '',
    `| ${HEADINGS.join(' | ')} |`,
    `| --- |${' --: |'.repeat(HEADINGS.length - 1)}`,
    ...rowsOf(figures).map(row => `| ${row.join(' | ')} |`),
    '',
    'Choice: the decision with its explanation. Placement: as a focus makes it on the memory store, the reservation, the remembered explanation and the metrics in it; each participant is of a',
    'meeting of ten in its own region, a bridge reports at every twentieth join. Floor: the bare reservation, in turns with it. Redis view: the choice on what a focus with Redis knows of the bridges, and the',
    'upkeep of that; the round trip is not in it.',
    '',
    '| aim | met |',
    '| --- | --- |',
    ...aimsOf(figures).map(({ what, isMet }) => `| ${what} | ${isMet ? 'yes' : 'NO'} |`),
    '',
    'Made by `npm run bench -- placement --docs`.',
  ];
  return `${lines.join('\n')}\n`;
}

function rowsOf({ cases, growth, redis }: PlacementFigures): string[][] {
  return [
    ...[...cases, ...growth].map(cost => [
      cost.name,
      us(cost.decisionUs),
      us(cost.placementUs),
      perSecond(cost.placementUs),
      us(cost.floorUs),
      overFloor(cost).toFixed(1),
    ]),
    ...redis.map(({ name, decisionUs }) => [name, us(decisionUs), '-', '-', '-', '-']),
  ];
}

function us(value: number): string {
  return value.toFixed(1);
}

function perSecond(each: number): string {
  return whole(Math.round(1e6 / each / 100) * 100);
}

function whole(value: number): string {
  return value.toLocaleString('en-US');
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
