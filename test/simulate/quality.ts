/** How good placements are, for people: where they are served, how far they are from each other, what crosses between regions. */
import { percentile } from '../bench/statistics.ts';
import type { Chance } from '../soak/chance.ts';
import type { Person } from './demand.ts';
import { BRIDGE_ENDPOINTS, type SimulatedBridge } from './fleet.ts';
import { HOP_MS, WITHIN_REGION_MS } from './round-trips.ts';

export interface Served {
  readonly person: Person;
  readonly bridge: SimulatedBridge;
}

export interface Figures {
  /** Participants, each at a look at its meeting. */
  readonly participants: number;
  readonly inRegionShare: number;
  readonly bridgeRttMsMean: number;
  readonly bridgeRttMsP95: number;
  readonly peopleRttMsMean: number;
  readonly peopleRttMsP95: number;
  /** Pairs of people whose media passes two bridges rather than one. */
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
/** Pairs looked at for each meeting: large ones would drown all others. */
const PAIRS = 8;
/** Samples kept for percentiles: reservoirs of this size. */
const SAMPLES_MAX = 200_000;

export class Quality {
  readonly #rtt: readonly (readonly number[])[];
  readonly #chance: Chance;
  readonly #bridgeRtts = new Samples();
  readonly #peopleRtts = new Samples();
  #participants = 0;
  #inRegion = 0;
  #pairs = 0;
  #pairsApart = 0;
  #relayedBytes = 0;
  #accessBytes = 0;

  constructor(rtt: readonly (readonly number[])[], chance: Chance) {
    this.#rtt = rtt;
    this.#chance = chance;
  }

  /** A meeting as it is at some moment, that stands for `seconds` of it. */
  look(served: readonly Served[], seconds: number): void {
    for (const { person, bridge } of served) {
      this.#participants++;
      if (person.region === bridge.region) this.#inRegion++;
      this.#bridgeRtts.add(this.#bridgeRttMs({ person, bridge }), this.#chance);
    }
    this.#countBytes(served, seconds);
    if (served.length < 2) return;
    for (let index = 0; index < PAIRS; index++) {
      const a = this.#chance.below(served.length);
      const b = (a + 1 + this.#chance.below(served.length - 1)) % served.length;
      this.#lookAtPair(served[a]!, served[b]!);
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
      extraHopShare: this.#pairsApart / Math.max(1, this.#pairs),
      relayedInterRegionBytes: this.#relayedBytes,
      accessInterRegionBytes: this.#accessBytes,
    };
  }

  #bridgeRttMs({ person, bridge }: Served): number {
    return person.accessMs + WITHIN_REGION_MS + this.#rtt[person.region]![bridge.region]!;
  }

  #lookAtPair(a: Served, b: Served): void {
    this.#pairs++;
    let ms = this.#bridgeRttMs(a) + HOP_MS + this.#bridgeRttMs(b);
    if (a.bridge !== b.bridge) {
      this.#pairsApart++;
      ms += HOP_MS + this.#rtt[a.bridge.region]![b.bridge.region]!;
    }
    this.#peopleRtts.add(ms, this.#chance);
  }

  #countBytes(served: readonly Served[], seconds: number): void {
    const cameras = Math.min(CAMERAS_MAX, served.length);
    const cameraShare = cameras / Math.max(1, served.length);
    const onBridge = new Map<SimulatedBridge, number>();
    for (const { bridge } of served) onBridge.set(bridge, (onBridge.get(bridge) ?? 0) + 1);
    for (const [from, count] of onBridge) {
      const others = onBridge.keys().filter(to => to.region !== from.region);
      this.#relayedBytes += (([...others].length * count * cameraShare * RELAYED_BPS) / 8) * seconds;
    }
    const afar = served.filter(({ person, bridge }) => person.region !== bridge.region).length;
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

/** A mean of all, and a fair sample for the percentile. */
class Samples {
  readonly #kept: number[] = [];
  #count = 0;
  #sum = 0;

  get mean(): number {
    return this.#sum / Math.max(1, this.#count);
  }

  add(value: number, chance: Chance): void {
    this.#count++;
    this.#sum += value;
    if (this.#kept.length < SAMPLES_MAX) this.#kept.push(value);
    else {
      const index = chance.below(this.#count);
      if (index < SAMPLES_MAX) this.#kept[index] = value;
    }
  }

  percentile(share: number): number {
    return this.#kept.length === 0 ? 0 : percentile(this.#kept, share);
  }
}
