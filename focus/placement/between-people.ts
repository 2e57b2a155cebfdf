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
 *
 * Mostly the first place is taken, and a placement is kept for as long as somebody may ask about it: plain numbers, put in order only as far as they are asked for.
 */
export class ServingPlaces implements Iterable<ServingPlace> {
  readonly #regions: readonly string[];
  /** Two for each region: on the bridges that the conference has there (NaN: it has none), and on an extra one. */
  readonly #rttsMs: number[] = [];

  constructor(
    client: string,
    regions: readonly string[],
    { served, neighbours }: People,
    distances: Pick<RegionDistances, 'rttsFrom'>,
    hopMs: number,
  ) {
    this.#regions = regions;
    let all = 0;
    for (const { people } of served.values()) all += people;
    // Nobody can be the neighbour of more people than there are.
    const near = Math.min(neighbours, all);
    // Those who are there, and again as many of those who are not of the client's own region.
    const weight = all === 0 ? 0 : 1 + (all - near) / all;
    const fromClient = distances.rttsFrom(client);
    for (const region of regions) {
      const toBridgeMs = ACCESS_RTT_MS + rttIn(fromClient, client, region);
      const fromRegion = distances.rttsFrom(region);
      let toOthersMs = 0;
      for (const [other, { people }] of served) toOthersMs += people * (hopMs + rttIn(fromRegion, region, other));
      const here = served.get(region);
      // Of the people on the conference's bridges of the region, so many are on the one that is chosen: no hop between.
      const together = here === undefined ? 0 : here.people / here.bridges;
      const toAllMs = all * (toBridgeMs + ACCESS_RTT_MS) + toOthersMs;
      const toNeighboursMs = (near + 1) * 2 * toBridgeMs;
      const count = weight * all + near + 1;
      this.#rttsMs.push(
        here === undefined ? Number.NaN : (weight * (toAllMs - together * hopMs) + toNeighboursMs) / count,
        (weight * toAllMs + toNeighboursMs) / count,
      );
    }
  }

  /** The first of them by one look at each; all are put in order for who asks for more. */
  *[Symbol.iterator](): Generator<ServingPlace> {
    const first = this.#first();
    if (first === undefined) return;
    yield this.#at(first);
    yield* this.inOrder().slice(1);
  }

  inOrder(): ServingPlace[] {
    const places: ServingPlace[] = [];
    for (let at = 0; at < this.#rttsMs.length; at++) if (!Number.isNaN(this.#rttsMs[at]!)) places.push(this.#at(at));
    return places.sort((a, b) => a.rttMs - b.rttMs || Number(a.isExtraBridge) - Number(b.isExtraBridge));
  }

  #first(): number | undefined {
    const rtts = this.#rttsMs;
    let first: number | undefined;
    for (let at = 0; at < rtts.length; at++) {
      if (Number.isNaN(rtts[at]!)) continue;
      if (first === undefined || rtts[at]! < rtts[first]!) first = at;
      // As in the order: of equal ones without an extra bridge.
      else if (rtts[at] === rtts[first] && isExtra(first) && !isExtra(at)) first = at;
    }
    return first;
  }

  #at(at: number): ServingPlace {
    return { region: this.#regions[at >> 1]!, isExtraBridge: isExtra(at), rttMs: this.#rttsMs[at]! };
  }
}

function isExtra(at: number): boolean {
  return at % 2 === 1;
}

/** Of a table of round trips from one region. */
function rttIn(fromRegion: ReadonlyMap<string, number>, region: string, other: string): number {
  return region === other ? 0 : (fromRegion.get(other) ?? UNKNOWN_RTT_MS);
}
