/** The bridges around one placement: of the conference, of its machines, of regions near and far. Remembers what was looked at. */
import { FIRST_PROTOCOLS } from '../../protocol/control/events.ts';
import type { BridgeId } from '../../protocol/ids.ts';
import { blockOf } from '../store/bridge-pool.ts';
import type { BridgeIndex, BridgeRecord, RegionBridges } from '../store/store.ts';
import { type People, type ServingPlace, servingPlaces } from './between-people.ts';
import type { Tier } from './pick.ts';
import type { RegionDistances } from './region-distance.ts';
import type { Rule } from './rule-sets.ts';

const NOBODY: readonly BridgeRecord[] = [];
const NO_BRIDGES: RegionBridges = { blocks: [], memo: undefined };

/** What is asked beside the client's region. */
export interface Asked {
  /** What the round trip between people grows by for each further bridge on the way. */
  readonly hopMs: number;
  /** Participants of the conference who are of a region, where that is known. */
  readonly peopleOf?: ((region: string) => number) | undefined;
  /** The bridge that an external service named. */
  readonly named?: BridgeId | null | undefined;
}

export class Surroundings {
  readonly #index: BridgeIndex;
  readonly #groupOf: (region: string) => readonly string[];
  readonly #distances: RegionDistances;
  readonly #conference: readonly BridgeRecord[];
  readonly #inConference: ReadonlyMap<BridgeId, number>;
  readonly #asked: Asked;
  readonly #considered: RegionBridges[] = [];
  /** Set once all were looked at. */
  #everybody: readonly RegionBridges[] = [];
  #onHosts: readonly BridgeRecord[] | undefined;
  #byDistance: string[][] | undefined;
  #places: readonly ServingPlace[] = [];

  constructor(
    index: BridgeIndex,
    inConference: ReadonlyMap<BridgeId, number>,
    groupOf: (region: string) => readonly string[],
    distances: RegionDistances,
    asked: Asked,
  ) {
    this.#asked = asked;
    this.#inConference = inConference;
    this.#index = index;
    this.#groupOf = groupOf;
    this.#distances = distances;
    this.#conference = inConference.size === 0 ? NOBODY : known(index, inConference.keys());
    if (this.#conference.length > 0) this.#considered.push(together(this.#conference));
  }

  /** What the rule by round trips compared, shortest first; empty when none did. */
  get places(): readonly ServingPlace[] {
    return this.#places;
  }

  /** Software versions of the conference's bridges. */
  get conferenceVersions(): ReadonlySet<string> {
    return this.#conference.length === 0 ? NO_VERSIONS : new Set(this.#conference.map(({ report }) => report.version));
  }

  /** Versions of Octo that they speak. */
  get conferenceOctoVersions(): ReadonlySet<number> {
    if (this.#conference.length === 0) return NO_OCTO_VERSIONS;
    return new Set(this.#conference.map(({ report }) => (report.protocols ?? FIRST_PROTOCOLS).octo));
  }

  /** The client's own region while it, or its group, has a fit bridge; else the nearest that has, if any distance is known. */
  regionToServe(region: string, isFit: (bridge: BridgeRecord) => boolean): string {
    const served = this.#regionToServe(region, isFit);
    // Whoever asks why wants to see them, also when the conference decided.
    this.#inRegion(region);
    this.#inRegion(served);
    return served;
  }

  /** Where a rule looks, in the order in which it does; later tiers are made only when asked for. */
  tiers(rule: Rule, regions: { readonly client: string; readonly placedFor: string }): Iterable<Tier> {
    if (rule.of !== 'all') return this.#tiersOf(rule, regions);
    if (rule.where === 'region') return [[this.#inRegion(regions.placedFor)]];
    if (rule.where === 'group') return [this.#groupOf(regions.placedFor).map(name => this.#inRegion(name))];
    if (rule.first === 'nearest') return this.#regionsOutwards(regions.client);
    if (rule.first === 'shortest') return this.#byRoundTrip(regions.client);
    return [this.#everywhere()];
  }

  /** A bridge was looked at that no rule asked for. */
  note(bridge: BridgeRecord): void {
    this.#inRegion(bridge.report.peer.region);
  }

  /** Every bridge was looked at. */
  noteAll(): void {
    this.#everywhere();
  }

  /** Each bridge that any rule looked at, once, by id. */
  considered(): readonly BridgeRecord[] {
    const bridges = new Map<BridgeId, BridgeRecord>();
    for (const { blocks } of [...this.#considered, ...this.#everybody]) {
      for (const block of blocks) for (const bridge of block.bridges) bridges.set(bridge.bridgeId, bridge);
    }
    return [...bridges.values()].sort((a, b) => (a.bridgeId < b.bridgeId ? -1 : 1));
  }

  #regionToServe(region: string, isFit: (bridge: BridgeRecord) => boolean): string {
    const hasFit = (name: string) => this.#index.inRegion(name).blocks.some(({ bridges }) => bridges.some(isFit));
    if (this.#groupOf(region).some(hasFit)) return region;
    const nearest = this.#nearestFirst(region).flat().find(hasFit);
    return nearest === undefined || this.#distances.rttMs(region, nearest) === Number.POSITIVE_INFINITY
      ? region
      : nearest;
  }

  /** Those of the conference, or on its machines. */
  #tiersOf(
    rule: Rule,
    { client, placedFor }: { readonly client: string; readonly placedFor: string },
  ): readonly Tier[] {
    if (rule.of === 'named') return this.#named();
    const bridges = rule.of === 'conference' ? this.#conference : this.#neighbours();
    if (bridges.length === 0) return [];
    if (rule.where === 'anywhere')
      return rule.first === 'nearest' ? this.#byRtt(bridges, client) : [[together(bridges)]];
    const regions = rule.where === 'region' ? [placedFor] : this.#groupOf(placedFor);
    return [[together(bridges.filter(({ report }) => regions.includes(report.peer.region)))]];
  }

  #named(): readonly Tier[] {
    const { named } = this.#asked;
    const bridge = named == null ? undefined : this.#index.find(named);
    if (bridge === undefined) return [];
    const tier = [together([bridge])];
    this.#considered.push(...tier);
    return [tier];
  }

  /** Bridges of the conference in a region, and before any other one more on their machines. */
  *#byRoundTrip(client: string): Iterable<Tier> {
    const people = this.#people(client);
    this.#places = servingPlaces(client, this.#index.regions, people, this.#distances, this.#asked.hopMs);
    const inRegion = (bridges: readonly BridgeRecord[], region: string) =>
      together(bridges.filter(({ report }) => report.peer.region === region));
    for (const { region, isExtraBridge } of this.#places) {
      if (!isExtraBridge) yield [inRegion(this.#conference, region)];
      else {
        const onHosts = inRegion(this.#neighbours(), region);
        if (onHosts.blocks.length > 0) yield [onHosts];
        yield [this.#inRegion(region)];
      }
    }
  }

  #people(client: string): People {
    const served = new Map<string, { people: number; bridges: number }>();
    for (const { bridgeId, report } of this.#conference) {
      const { region } = report.peer;
      const before = served.get(region) ?? { people: 0, bridges: 0 };
      const people = before.people + (this.#inConference.get(bridgeId) ?? 0);
      served.set(region, { people, bridges: before.bridges + 1 });
    }
    // Where nobody knows of where people are, they are taken to be where they are served.
    const neighbours = this.#asked.peopleOf?.(client) ?? served.get(client)?.people ?? 0;
    return { served, neighbours };
  }

  #neighbours(): readonly BridgeRecord[] {
    if (this.#onHosts !== undefined) return this.#onHosts;
    const hosts = new Set(this.#conference.flatMap(({ report }) => report.host ?? []));
    this.#onHosts = [...hosts].flatMap(host => this.#index.onHost(host));
    if (this.#onHosts.length > 0) this.#considered.push(together(this.#onHosts));
    return this.#onHosts;
  }

  #inRegion(region: string): RegionBridges {
    const bridges = this.#index.inRegion(region);
    if (bridges.blocks.length > 0 && !this.#considered.includes(bridges)) this.#considered.push(bridges);
    return bridges;
  }

  #everywhere(): readonly RegionBridges[] {
    const all: RegionBridges[] = [];
    for (const name of this.#index.regions) all.push(this.#index.inRegion(name));
    this.#everybody = all;
    return all;
  }

  *#regionsOutwards(client: string): Iterable<Tier> {
    for (const equallyFar of this.#nearestFirst(client)) yield equallyFar.map(region => this.#inRegion(region));
  }

  /** Regions that have bridges, nearest first, equally far ones (and all that nothing is known of) together. */
  #nearestFirst(client: string): string[][] {
    this.#byDistance ??= nearestFirst([...this.#index.regions].sort(), name => this.#distances.rttMs(client, name));
    return this.#byDistance;
  }

  #byRtt(bridges: readonly BridgeRecord[], client: string): readonly Tier[] {
    const rtt = ({ report }: BridgeRecord) => this.#distances.rttMs(client, report.peer.region);
    return nearestFirst(bridges, rtt).map(tier => [together(tier)]);
  }
}

const NO_VERSIONS: ReadonlySet<string> = new Set();
const NO_OCTO_VERSIONS: ReadonlySet<number> = new Set();

/** Few enough to be one block, from whatever regions. */
function together(bridges: readonly BridgeRecord[]): RegionBridges {
  return bridges.length === 0 ? NO_BRIDGES : { blocks: [blockOf(bridges)], memo: undefined };
}

function known(index: BridgeIndex, ids: Iterable<BridgeId>): readonly BridgeRecord[] {
  const bridges: BridgeRecord[] = [];
  for (const id of ids) {
    const bridge = index.find(id);
    if (bridge !== undefined) bridges.push(bridge);
  }
  return bridges;
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
