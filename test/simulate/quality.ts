/** How good placements are, for people: where they are served, how far they are from each other, what crosses between regions. */
import type { Chance } from '../soak/chance.ts';
import { BRIDGE_ENDPOINTS, type SimulatedBridge } from './fleet.ts';
import { Histogram } from './histogram.ts';
import { accessMsOf, type Person, regionOf } from './person.ts';
import { HOP_MS, WITHIN_REGION_MS } from './round-trips.ts';

/** The people of a meeting, and the bridge of each; undefined: not there. */
export interface Seating {
  readonly people: readonly Person[];
  readonly bridges: readonly (SimulatedBridge | undefined)[];
}

export interface Figures {
  /** Participants, each at a look at its meeting. */
  readonly participants: number;
  readonly inRegionShare: number;
  readonly bridgeRttMsMean: number;
  readonly bridgeRttMsP95: number;
  /** Of a person to the others of its meeting: every person counts the same, in a meeting of two or of hundreds. */
  readonly peopleRttMsMean: number;
  readonly peopleRttMsP95: number;
  /** Share of those others who are reached by two bridges rather than one. */
  readonly extraHopShare: number;
  /** Between bridges, and between bridges and people of other regions. */
  readonly relayedInterRegionBytes: number;
  readonly accessInterRegionBytes: number;
}

/** One layer of one camera, with its voice, as it is relayed once; and as it is sent to each who watches, small pictures mostly. */
const RELAYED_BPS = 640_000;
const WATCHED_BPS = 250_000;
/** Cameras of a meeting that anybody watches. */
const CAMERAS_MAX = 16;
/** Pairs of each meeting that stand for all of them in the percentile. Means are of all pairs. */
const PAIRS = 8;

/** What a meeting's people on one bridge come to. */
interface OnBridge {
  readonly bridge: SimulatedBridge;
  people: number;
}

export class Quality {
  readonly #rtt: readonly (readonly number[])[];
  readonly #chance: Chance;
  readonly #bridgeRtts = new Histogram();
  readonly #peopleRtts = new Histogram();
  #participants = 0;
  #inRegion = 0;
  #inCompany = 0;
  #apart = 0;
  #relayedBytes = 0;
  #accessBytes = 0;

  constructor(rtt: readonly (readonly number[])[], chance: Chance) {
    this.#rtt = rtt;
    this.#chance = chance;
  }

  /** A meeting as it is at some moment, that stands for `seconds` of it. */
  look({ people, bridges }: Seating, seconds: number): void {
    const present: number[] = [];
    const groups = new Map<SimulatedBridge, OnBridge>();
    let [accessMs, afar] = [0, 0];
    for (const [index, bridge] of bridges.entries()) {
      if (bridge === undefined) continue;
      const person = people[index]!;
      const ms = this.#bridgeRttMs(person, bridge);
      present.push(index);
      accessMs += ms;
      if (regionOf(person) === bridge.region) this.#inRegion++;
      else afar++;
      this.#bridgeRtts.add(ms);
      const group = groups.get(bridge);
      if (group === undefined) groups.set(bridge, { bridge, people: 1 });
      else group.people++;
    }
    const onBridges = [...groups.values()];
    const count = present.length;
    this.#participants += count;
    this.#countBytes(onBridges, count, afar, seconds);
    if (count < 2) return;
    this.#countPairs(onBridges, count, accessMs);
    for (let pair = 0; pair < PAIRS; pair++) {
      const a = this.#chance.below(count);
      const b = (a + 1 + this.#chance.below(count - 1)) % count;
      const ms = this.#pairRttMs({ people, bridges }, present[a]!, present[b]!);
      this.#peopleRtts.addToPercentiles(ms, count / PAIRS);
    }
  }

  figures(): Figures {
    return {
      participants: this.#participants,
      inRegionShare: this.#inRegion / Math.max(1, this.#participants),
      bridgeRttMsMean: this.#bridgeRtts.mean,
      bridgeRttMsP95: this.#bridgeRtts.percentile(0.95),
      peopleRttMsMean: this.#peopleRtts.mean,
      peopleRttMsP95: this.#peopleRtts.percentile(0.95),
      extraHopShare: this.#apart / Math.max(1, this.#inCompany),
      relayedInterRegionBytes: this.#relayedBytes,
      accessInterRegionBytes: this.#accessBytes,
    };
  }

  #bridgeRttMs(person: Person, bridge: SimulatedBridge): number {
    return accessMsOf(person) + WITHIN_REGION_MS + this.#rtt[regionOf(person)]![bridge.region]!;
  }

  #pairRttMs({ people, bridges }: Seating, a: number, b: number): number {
    const [here, there] = [bridges[a]!, bridges[b]!];
    const between = here === there ? 0 : HOP_MS + this.#rtt[here.region]![there.region]!;
    return this.#bridgeRttMs(people[a]!, here) + HOP_MS + between + this.#bridgeRttMs(people[b]!, there);
  }

  /** All pairs at once, bridge by bridge: the ways to the bridges add up, and what is between two bridges is the same for all on them. */
  #countPairs(groups: readonly OnBridge[], count: number, accessMs: number): void {
    const others = count - 1;
    // Of a person to another: its own way, that of the other on average, the bridge.
    let betweenMs = 0;
    let apart = 0;
    for (const a of groups) {
      for (const b of groups) {
        if (a === b) continue;
        const pairs = a.people * b.people;
        apart += pairs;
        betweenMs += pairs * (HOP_MS + this.#rtt[a.bridge.region]![b.bridge.region]!);
      }
    }
    const mean = (2 * accessMs) / count + HOP_MS + betweenMs / (count * others);
    this.#peopleRtts.addToMean(mean, count);
    this.#inCompany += count;
    this.#apart += apart / others;
  }

  #countBytes(groups: readonly OnBridge[], count: number, afar: number, seconds: number): void {
    const cameras = Math.min(CAMERAS_MAX, count);
    const cameraShare = cameras / Math.max(1, count);
    for (const from of groups) {
      const others = groups.filter(({ bridge }) => bridge.region !== from.bridge.region).length;
      this.#relayedBytes += ((others * from.people * cameraShare * RELAYED_BPS) / 8) * seconds;
    }
    const perPersonBps = cameraShare * RELAYED_BPS + (cameras - cameraShare) * WATCHED_BPS;
    this.#accessBytes += ((afar * perPersonBps) / 8) * seconds;
  }
}

/** How unevenly people are spread, region by region: the fullest bridge over the mean of its region, each region counted by its people. */
export function imbalance(bridges: Iterable<SimulatedBridge>): number {
  const regions = Map.groupBy(
    [...bridges].filter(({ isDead, isDraining }) => !isDead && !isDraining),
    ({ region }) => region,
  );
  let [weighted, people] = [0, 0];
  for (const list of regions.values()) {
    const counts = list.map(({ endpoints }) => endpoints);
    const sum = counts.reduce((total, count) => total + count, 0);
    if (sum === 0) continue;
    weighted += (Math.max(...counts) / (sum / counts.length)) * sum;
    people += sum;
  }
  return people === 0 ? 1 : weighted / people;
}

/** Share of all people who are on bridges past their capacity. */
export function overloadedShare(bridges: Iterable<SimulatedBridge>): number {
  let [over, all] = [0, 0];
  for (const { endpoints } of bridges) {
    all += endpoints;
    if (endpoints > BRIDGE_ENDPOINTS) over += endpoints;
  }
  return all === 0 ? 0 : over / all;
}
