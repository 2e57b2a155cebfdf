/** The bridges around one placement: of the conference, of its machines, of regions near and far. Remembers what was looked at. */
import { FIRST_PROTOCOLS } from '../../protocol/control/events.ts';
import type { BridgeId } from '../../protocol/ids.ts';
import type { BridgeIndex, BridgeRecord } from '../store/store.ts';
import type { Tier } from './pick.ts';
import type { RegionDistances } from './region-distance.ts';
import type { Rule } from './rule-sets.ts';

const NOBODY: readonly BridgeRecord[] = [];

export class Surroundings {
  readonly #index: BridgeIndex;
  readonly #groupOf: (region: string) => readonly string[];
  readonly #distances: RegionDistances;
  readonly #conference: readonly BridgeRecord[];
  readonly #considered = new Set<readonly BridgeRecord[]>();
  #onHosts: readonly BridgeRecord[] | undefined;
  #byDistance: string[][] | undefined;

  constructor(
    index: BridgeIndex,
    inConference: ReadonlyMap<BridgeId, number>,
    groupOf: (region: string) => readonly string[],
    distances: RegionDistances,
  ) {
    this.#index = index;
    this.#groupOf = groupOf;
    this.#distances = distances;
    this.#conference = inConference.size === 0 ? NOBODY : known(index, inConference.keys());
    if (this.#conference.length > 0) this.#considered.add(this.#conference);
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
    return [Array.from(this.#index.regions, name => this.#inRegion(name))];
  }

  /** Every bridge was looked at. */
  noteAll(): void {
    for (const name of this.#index.regions) this.#inRegion(name);
  }

  /** Each bridge that any rule looked at, once, by id. */
  considered(): readonly BridgeRecord[] {
    const bridges = new Map<BridgeId, BridgeRecord>();
    for (const list of this.#considered) for (const bridge of list) bridges.set(bridge.bridgeId, bridge);
    return [...bridges.values()].sort((a, b) => (a.bridgeId < b.bridgeId ? -1 : 1));
  }

  #regionToServe(region: string, isFit: (bridge: BridgeRecord) => boolean): string {
    if (this.#groupOf(region).some(name => this.#index.inRegion(name).some(isFit))) return region;
    const nearest = this.#nearestFirst(region)
      .flat()
      .find(name => this.#index.inRegion(name).some(isFit));
    return nearest === undefined || this.#distances.rttMs(region, nearest) === Number.POSITIVE_INFINITY
      ? region
      : nearest;
  }

  /** Those of the conference, or on its machines. */
  #tiersOf(
    rule: Rule,
    { client, placedFor }: { readonly client: string; readonly placedFor: string },
  ): readonly Tier[] {
    const bridges = rule.of === 'conference' ? this.#conference : this.#neighbours();
    if (bridges.length === 0) return [];
    if (rule.where === 'anywhere') return rule.first === 'nearest' ? this.#byRtt(bridges, client) : [[bridges]];
    const regions = rule.where === 'region' ? [placedFor] : this.#groupOf(placedFor);
    return [[bridges.filter(({ report }) => regions.includes(report.peer.region))]];
  }

  #neighbours(): readonly BridgeRecord[] {
    if (this.#onHosts !== undefined) return this.#onHosts;
    const hosts = new Set(this.#conference.flatMap(({ report }) => report.host ?? []));
    this.#onHosts = [...hosts].flatMap(host => this.#index.onHost(host));
    if (this.#onHosts.length > 0) this.#considered.add(this.#onHosts);
    return this.#onHosts;
  }

  #inRegion(region: string): readonly BridgeRecord[] {
    const bridges = this.#index.inRegion(region);
    if (bridges.length > 0) this.#considered.add(bridges);
    return bridges;
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
    return nearestFirst(bridges, rtt).map(tier => [tier]);
  }
}

const NO_VERSIONS: ReadonlySet<string> = new Set();
const NO_OCTO_VERSIONS: ReadonlySet<number> = new Set();

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
