/** The bridges around one placement: of the conference, of its machines, of regions near and far. Ends with it; what was looked at is kept beside it. */
import type { BridgeId } from '../../protocol/ids.ts';
import type { BridgeIndex, BridgeRecord, RegionBridges } from '../store/store.ts';
import { type People, ServingPlaces } from './between-people.ts';
import { ConferenceBridges } from './conference-bridges.ts';
import { LookedAt } from './looked-at.ts';
import type { Tier } from './pick.ts';
import type { RegionDistances } from './region-distance.ts';
import { groupOf } from './region-groups.ts';
import type { Rule } from './rule-sets.ts';

const NOBODY: readonly BridgeRecord[] = [];
const NO_REGIONS: readonly RegionBridges[] = [];
const NO_TIERS: readonly Tier[] = [];

/** What is asked beside the client's region. */
export interface Asked {
  /** What the round trip between people grows by for each further bridge on the way. */
  readonly hopMs: number;
  /** Regions that stand in for each other. */
  readonly groups: readonly (readonly string[])[];
  /** Participants of the conference who are of a region, where that is known. */
  readonly peopleOf: ((region: string) => number) | undefined;
  /** The bridge that an external service named. */
  readonly named: BridgeId | null;
}

export class Surroundings {
  readonly lookedAt: LookedAt;
  readonly #index: BridgeIndex;
  readonly #distances: RegionDistances;
  readonly #asked: Asked;
  #onHosts: readonly BridgeRecord[] | undefined;
  #byDistance: string[][] | undefined;

  /** `inConference` is read now and not kept. */
  constructor(
    index: BridgeIndex,
    inConference: ReadonlyMap<BridgeId, number>,
    distances: RegionDistances,
    asked: Asked,
  ) {
    this.#asked = asked;
    this.#index = index;
    this.#distances = distances;
    this.lookedAt = new LookedAt(new ConferenceBridges(index, inConference));
  }

  /** The client's own region while it, or its group, has a fit bridge; else the nearest that has, if any distance is known. */
  regionToServe(region: string, isFit: (bridge: BridgeRecord) => boolean): string {
    const served = this.#regionToServe(region, isFit);
    // Whoever asks why wants to see them, also when the conference decided.
    this.#inRegion(region);
    if (served !== region) this.#inRegion(served);
    return served;
  }

  /** Where a rule looks, in the order in which it does; later tiers are made only when asked for. */
  tiers(rule: Rule, client: string, placedFor: string): Iterable<Tier> {
    if (rule.of !== 'all') return this.#tiersOf(rule, client, placedFor);
    if (rule.where === 'region') return [regionsOf([this.#inRegion(placedFor)])];
    if (rule.where === 'group') {
      return [regionsOf(groupOf(placedFor, this.#asked.groups).map(name => this.#inRegion(name)))];
    }
    if (rule.first === 'nearest') return this.#regionsOutwards(client);
    if (rule.first === 'shortest') return this.#byRoundTrip(client);
    return [regionsOf(this.#everywhere())];
  }

  /** A bridge was looked at that no rule asked for. */
  note(bridge: BridgeRecord): void {
    this.#inRegion(bridge.report.peer.region);
  }

  /** Every bridge was looked at. */
  noteAll(): void {
    this.#everywhere();
  }

  get #conference(): ConferenceBridges {
    return this.lookedAt.conference;
  }

  #regionToServe(region: string, isFit: (bridge: BridgeRecord) => boolean): string {
    const group = groupOf(region, this.#asked.groups);
    for (const name of group) if (this.#hasFit(name, isFit)) return region;
    for (const equallyFar of this.#nearestFirst(region)) {
      const nearest = equallyFar.find(name => this.#hasFit(name, isFit));
      if (nearest === undefined) continue;
      return this.#distances.rttMs(region, nearest) === Number.POSITIVE_INFINITY ? region : nearest;
    }
    return region;
  }

  #hasFit(region: string, isFit: (bridge: BridgeRecord) => boolean): boolean {
    return this.#index.inRegion(region).blocks.some(({ bridges }) => bridges.some(isFit));
  }

  /** Those of the conference, or on its machines. */
  #tiersOf(rule: Rule, client: string, placedFor: string): readonly Tier[] {
    if (rule.of === 'named') return this.#tiersOfNamed();
    const bridges = rule.of === 'conference' ? this.#conference.bridges : this.#neighbours();
    if (bridges.length === 0) return NO_TIERS;
    if (rule.where === 'anywhere') return rule.first === 'nearest' ? this.#byRtt(bridges, client) : [fewOf(bridges)];
    const regions = rule.where === 'region' ? [placedFor] : groupOf(placedFor, this.#asked.groups);
    const there = bridges.filter(({ report }) => regions.includes(report.peer.region));
    return there.length === 0 ? NO_TIERS : [fewOf(there)];
  }

  #tiersOfNamed(): readonly Tier[] {
    const { named } = this.#asked;
    const bridge = named === null ? undefined : this.#index.find(named);
    this.lookedAt.named = bridge;
    return bridge === undefined ? NO_TIERS : [fewOf([bridge])];
  }

  /** Bridges of the conference in a region, and before any other one more on their machines. */
  *#byRoundTrip(client: string): Iterable<Tier> {
    const people = this.#people(client);
    const places = new ServingPlaces(client, this.#index.regions, people, this.#distances, this.#asked.hopMs);
    this.lookedAt.places = places;
    for (const { region, isExtraBridge } of places) {
      if (!isExtraBridge) yield fewOf(inRegion(this.#conference.bridges, region));
      else {
        const onHosts = inRegion(this.#neighbours(), region);
        if (onHosts.length > 0) yield fewOf(onHosts);
        yield regionsOf([this.#inRegion(region)]);
      }
    }
  }

  #people(client: string): People {
    const served = new Map<string, { people: number; bridges: number }>();
    for (const { bridgeId, report } of this.#conference.bridges) {
      const { region } = report.peer;
      const people = this.#conference.countOn(bridgeId);
      const known = served.get(region);
      if (known === undefined) served.set(region, { people, bridges: 1 });
      else {
        known.people += people;
        known.bridges++;
      }
    }
    // Where nobody knows of where people are, they are taken to be where they are served.
    const neighbours = this.#asked.peopleOf?.(client) ?? served.get(client)?.people ?? 0;
    return { served, neighbours };
  }

  #neighbours(): readonly BridgeRecord[] {
    this.#onHosts ??= this.#onHostsOf(this.#conference.bridges);
    this.lookedAt.onHosts = this.#onHosts;
    return this.#onHosts;
  }

  #onHostsOf(bridges: readonly BridgeRecord[]): readonly BridgeRecord[] {
    if (bridges.every(({ report }) => report.host === undefined)) return NOBODY;
    const hosts = new Set(bridges.flatMap(({ report }) => report.host ?? []));
    return [...hosts].flatMap(host => this.#index.onHost(host));
  }

  #inRegion(region: string): RegionBridges {
    const bridges = this.#index.inRegion(region);
    this.lookedAt.note(bridges);
    return bridges;
  }

  #everywhere(): readonly RegionBridges[] {
    this.lookedAt.noteAll(this.#index.everywhere);
    return this.#index.everywhere;
  }

  *#regionsOutwards(client: string): Iterable<Tier> {
    for (const equallyFar of this.#nearestFirst(client)) yield regionsOf(equallyFar.map(name => this.#inRegion(name)));
  }

  /** Regions that have bridges, nearest first, equally far ones (and all that nothing is known of) together. */
  #nearestFirst(client: string): string[][] {
    this.#byDistance ??= nearestFirst([...this.#index.regions].sort(), name => this.#distances.rttMs(client, name));
    return this.#byDistance;
  }

  #byRtt(bridges: readonly BridgeRecord[], client: string): readonly Tier[] {
    const rtt = ({ report }: BridgeRecord) => this.#distances.rttMs(client, report.peer.region);
    return nearestFirst(bridges, rtt).map(fewOf);
  }
}

function regionsOf(regions: readonly RegionBridges[]): Tier {
  return { regions, few: NOBODY };
}

function fewOf(few: readonly BridgeRecord[]): Tier {
  return { regions: NO_REGIONS, few };
}

function inRegion(bridges: readonly BridgeRecord[], region: string): readonly BridgeRecord[] {
  return bridges.filter(({ report }) => report.peer.region === region);
}

function nearestFirst<T>(items: readonly T[], rttMs: (item: T) => number): T[][] {
  const groups = new Map<number, T[]>();
  for (const item of items) {
    const rtt = rttMs(item);
    const group = groups.get(rtt);
    if (group === undefined) groups.set(rtt, [item]);
    else group.push(item);
  }
  // Compared, not subtracted: Infinity minus Infinity is no order.
  return [...groups].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, group]) => group);
}
