/** How far regions are from each other, as a round trip: measured between their bridges where there is a link, else estimated. */
import { distanceKm, pointOf, type Region } from '../../protocol/geo.ts';

/**
 * Great-circle kilometres that one millisecond of round trip covers between regions on average: the median of a public matrix of
 * 90 cloud region pairs (28 to 89; light in a straight fibre would make 100).
 */
const KM_PER_RTT_MS = 56;

/** Weight of a new measurement: some ten reports of 2 s until a changed path is believed. */
const SMOOTHING = 0.2;

/** Pairs of regions beyond this are estimated only: 64 regions in full mesh. */
const PAIRS_MAX = 2016;

export interface RegionDistances {
  /** A round trip that a bridge in `a` measured to a bridge in `b`, in ms. Within one region it says nothing and is ignored. */
  noteRtt(a: string, b: string, rttMs: number): void;
  /** Round trip in ms, 0 within a region, Infinity when nothing is known. */
  rttMs(a: string, b: string): number;
  /** All that is known of one region, for who asks for many: other regions without those of which nothing is known. Do not change it. */
  rttsFrom(a: string): ReadonlyMap<string, number>;
}

/** Distances between `regions` (those with coordinates can be estimated) and whatever regions measurements come from. */
export function createRegionDistances(regions: readonly Region[]): RegionDistances {
  // Both ways round: asked for many times in each placement, so that nothing is put together to look it up.
  const measured: Table = new Map();
  // What was measured, and estimates for the rest.
  const known = estimates(regions);
  let pairs = 0;
  return {
    noteRtt(a, b, rttMs) {
      if (a === b || !(rttMs >= 0)) return;
      const before = measured.get(a)?.get(b);
      if (before === undefined && pairs >= PAIRS_MAX) return;
      if (before === undefined) pairs++;
      const after = before === undefined ? rttMs : before + (rttMs - before) * SMOOTHING;
      for (const table of [measured, known]) {
        put(table, a, b, after);
        put(table, b, a, after);
      }
    },
    rttMs(a, b) {
      if (a === b) return 0;
      return known.get(a)?.get(b) ?? Number.POSITIVE_INFINITY;
    },
    rttsFrom: a => known.get(a) ?? NOTHING_KNOWN,
  };
}

type Table = Map<string, Map<string, number>>;
const NOTHING_KNOWN: ReadonlyMap<string, number> = new Map();

function estimates(regions: readonly Region[]): Table {
  const table: Table = new Map();
  const points = regions.flatMap(region => {
    const point = pointOf(region);
    return point === undefined ? [] : [{ name: region.name, point }];
  });
  for (const here of points) {
    for (const there of points) put(table, here.name, there.name, distanceKm(here.point, there.point) / KM_PER_RTT_MS);
  }
  return table;
}

function put(table: Table, a: string, b: string, rttMs: number): void {
  const row = table.get(a);
  if (row === undefined) table.set(a, new Map([[b, rttMs]]));
  else row.set(b, rttMs);
}
