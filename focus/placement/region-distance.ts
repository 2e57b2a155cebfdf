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
}

/** Distances between `regions` (those with coordinates can be estimated) and whatever regions measurements come from. */
export function createRegionDistances(regions: readonly Region[]): RegionDistances {
  const points = new Map(
    regions.flatMap(region => (pointOf(region) === undefined ? [] : [[region.name, pointOf(region)!]])),
  );
  const measuredMs = new Map<string, number>();
  return {
    noteRtt(a, b, rttMs) {
      if (a === b || !(rttMs >= 0)) return;
      const pair = pairOf(a, b);
      const before = measuredMs.get(pair);
      if (before === undefined && measuredMs.size >= PAIRS_MAX) return;
      measuredMs.set(pair, before === undefined ? rttMs : before + (rttMs - before) * SMOOTHING);
    },
    rttMs(a, b) {
      if (a === b) return 0;
      const measured = measuredMs.get(pairOf(a, b));
      if (measured !== undefined) return measured;
      const [here, there] = [points.get(a), points.get(b)];
      return here === undefined || there === undefined
        ? Number.POSITIVE_INFINITY
        : distanceKm(here, there) / KM_PER_RTT_MS;
    },
  };
}

function pairOf(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
