/**
 * Where a participant is nearest to the others, as a round trip from person to person. The bridge nearest to a client is not always that:
 * one more bridge in a conference puts a hop between its people and all others (Grozev et al. 2018). It is worth it for those who are many
 * in their region, since whoever they meet there would else be reached by way of another region, there and back.
 */
import type { RegionDistances } from './region-distance.ts';

/** From people to the bridges of their own region: last mile and what lies between. Counts for every place alike, so it only makes estimates real. */
const ACCESS_RTT_MS = 25;
/** Between regions of which nothing is known: the middle of a public table of cloud regions. All such are equally far, and load decides. */
const UNKNOWN_RTT_MS = 150;

/** Who is in the conference, as far as it is known. */
export interface People {
  /** On bridges of each region, and how many of those bridges there are. */
  readonly served: ReadonlyMap<string, { readonly people: number; readonly bridges: number }>;
  /** Of the client's own region, wherever they are served. */
  readonly neighbours: number;
}

/** A place to be served at: the bridges that the conference has in a region, or one more there. */
export interface ServingPlace {
  readonly region: string;
  readonly isExtraBridge: boolean;
  /** Estimated mean round trip to the others, and to those who are to be expected. */
  readonly rttMs: number;
}

/**
 * The places in `regions` for a client of `client`, shortest round trip first; of equal ones those without an extra bridge.
 *
 * Who is to come is not known. The guess is one more person like each who is there, and like this one: served where those are served, and people of
 * the client's own region where it is now. Without a guess the first of a region would always join the bridge far away, and the second, having
 * the first there, as well.
 */
export function servingPlaces(
  client: string,
  regions: Iterable<string>,
  { served, neighbours }: People,
  distances: Pick<RegionDistances, 'rttMs'>,
  hopMs: number,
): ServingPlace[] {
  const rtt = (a: string, b: string) => {
    const ms = distances.rttMs(a, b);
    return ms === Number.POSITIVE_INFINITY ? UNKNOWN_RTT_MS : ms;
  };
  const all = served.values().reduce((sum, { people }) => sum + people, 0);
  // Nobody can be the neighbour of more people than there are.
  const near = Math.min(neighbours, all);
  // Those who are there, and again as many of those who are not of the client's own region.
  const weight = all === 0 ? 0 : 1 + (all - near) / all;
  const places: ServingPlace[] = [];
  for (const region of regions) {
    const toBridgeMs = ACCESS_RTT_MS + rtt(client, region);
    let toOthersMs = 0;
    for (const [other, { people }] of served) toOthersMs += people * (hopMs + rtt(region, other));
    const here = served.get(region);
    const place = (isExtraBridge: boolean): ServingPlace => {
      // Of the people on the conference's bridges of the region, so many are on the one that is chosen: no hop between.
      const together = isExtraBridge ? 0 : here!.people / here!.bridges;
      const ms =
        weight * (all * (toBridgeMs + ACCESS_RTT_MS) + toOthersMs - together * hopMs) + (near + 1) * 2 * toBridgeMs;
      return { region, isExtraBridge, rttMs: ms / (weight * all + near + 1) };
    };
    if (here !== undefined) places.push(place(false));
    places.push(place(true));
  }
  return places.sort((a, b) => a.rttMs - b.rttMs || Number(a.isExtraBridge) - Number(b.isExtraBridge));
}
