/** Round trips between the regions of the simulated world: measured where the matrix has the pair, else estimated as the focus does. */
import { readFileSync } from 'node:fs';
import { createRegionDistances, type RegionDistances } from '../../focus/placement/region-distance.ts';
import { WORLD, type WorldRegion } from './regions.ts';

/** A region is large: between its people and its bridges, beside the last mile. */
export const WITHIN_REGION_MS = 8;
/** What a bridge adds to a packet that it passes on, there and back: receive, queue, send. */
export const HOP_MS = 2;

export interface RoundTrips {
  /** Between two regions of {@link WORLD}, by index; 0 within one. */
  readonly ms: readonly (readonly number[])[];
  /** The same knowledge for placement: measured pairs noted as links report them, the others left to the map. */
  readonly distances: RegionDistances;
}

/** Lines of the CSV as `from -> to -> ms`. A cell that is no number is an error: the data is part of the project. */
export function parseMatrix(csv: string): Map<string, Map<string, number>> {
  const [header, ...rows] = csv
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(line => line.split(','));
  const matrix = new Map<string, Map<string, number>>();
  for (const [from, ...cells] of rows) {
    const values = cells.map((cell, index): [string, number] => [header![index + 1]!, Number(cell)]);
    const bad = values.find(([to, ms]) => to === undefined || !(ms >= 0));
    if (bad !== undefined || values.length !== header!.length - 1) throw new Error(`region-rtt.csv: row ${from}`);
    matrix.set(from!, new Map(values));
  }
  return matrix;
}

export function loadRoundTrips(): RoundTrips {
  const matrix = parseMatrix(readFileSync(new URL('region-rtt.csv', import.meta.url), 'utf8'));
  const distances = createRegionDistances(WORLD);
  const measured = (a: WorldRegion, b: WorldRegion): number | undefined =>
    a.measuredAs === undefined || b.measuredAs === undefined ? undefined : matrix.get(a.measuredAs)?.get(b.measuredAs);
  for (const a of WORLD) {
    for (const b of WORLD) {
      const ms = measured(a, b);
      if (ms !== undefined) distances.noteRtt(a.name, b.name, ms);
    }
  }
  const ms = WORLD.map(a => WORLD.map(b => measured(a, b) ?? distances.rttMs(a.name, b.name)));
  return { ms, distances };
}
