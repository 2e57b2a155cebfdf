/** The bridges of a store, found by region and by machine, so that a placement looks at those of one region and not at all of them. */
import type { BridgeId } from '../../protocol/ids.ts';
import type { BlockBasis, BridgeBlock, BridgeIndex, BridgeRecord, RegionBridges } from './store.ts';

const NONE: readonly BridgeRecord[] = [];
const NOWHERE: RegionBridges = { blocks: [], memo: undefined };

/** A change costs a copy of one block: small. Whoever looks for the least loaded looks at each block: not too small. At most 31, for the bits of a basis. */
const BLOCK_SIZE = 16;

/**
 * Bridges by id, region and host. Blocks and lists are ordered by id and never change: a change makes new ones, so whoever holds them (an
 * explanation of a placement) goes on seeing the moment they were taken. A report costs a copy of one block, a bridge that comes or goes
 * one of its region.
 */
export class BridgePool implements BridgeIndex {
  readonly #entries = new Map<BridgeId, Entry>();
  readonly #byRegion = new Map<string, Region>();
  readonly #byHost = new Map<string, readonly BridgeRecord[]>();
  #all: readonly BridgeRecord[] | undefined;
  #names: readonly string[] | undefined;
  #everywhere: readonly RegionBridges[] | undefined;

  constructor(bridges: Iterable<BridgeRecord> = []) {
    const sorted = [...bridges].sort(byId);
    for (const [region, list] of groupBy(sorted, regionOf)) this.#fill(region, list);
    for (const [host, list] of groupBy(sorted, hostOf)) this.#byHost.set(host, list);
  }

  get all(): readonly BridgeRecord[] {
    this.#all ??= this.#entries
      .values()
      .map(({ record }) => record)
      .toArray()
      .sort(byId);
    return this.#all;
  }

  get regions(): readonly string[] {
    this.#names ??= [...this.#byRegion.keys()];
    return this.#names;
  }

  get everywhere(): readonly RegionBridges[] {
    this.#everywhere ??= [...this.#byRegion.values()].map(handOut);
    return this.#everywhere;
  }

  /** All of them, in no order: without the cost of one. */
  records(): Iterable<BridgeRecord> {
    return this.#entries.values().map(({ record }) => record);
  }

  find(bridgeId: BridgeId): BridgeRecord | undefined {
    return this.#entries.get(bridgeId)?.record;
  }

  inRegion(name: string): RegionBridges {
    const region = this.#byRegion.get(name);
    return region === undefined ? NOWHERE : handOut(region);
  }

  onHost(host: string): readonly BridgeRecord[] {
    return this.#byHost.get(host) ?? NONE;
  }

  /** Adds a bridge, or replaces what was known of it. */
  put(bridge: BridgeRecord): void {
    const entry = this.#entries.get(bridge.bridgeId);
    if (entry === undefined) return this.#add(bridge);
    const { record: before } = entry;
    if (regionOf(before) === regionOf(bridge) && hostOf(before) === hostOf(bridge)) return this.#replace(entry, bridge);
    this.delete(bridge.bridgeId);
    this.#add(bridge);
  }

  /** One more was placed on it since its report; nothing when it is not known. */
  countPlaced(bridgeId: BridgeId): void {
    const entry = this.#entries.get(bridgeId);
    if (entry === undefined) return;
    const { report, reportedAtMs, placedSinceReport } = entry.record;
    this.#replace(entry, { bridgeId, report, reportedAtMs, placedSinceReport: placedSinceReport + 1 });
  }

  /** Answers whether there was such a bridge. */
  delete(bridgeId: BridgeId): boolean {
    const entry = this.#entries.get(bridgeId);
    if (entry === undefined) return false;
    const { record } = entry;
    this.#entries.delete(bridgeId);
    const left = bridgesOf(entry.region).filter(bridge => bridge !== record);
    if (left.length > 0) this.#fill(regionOf(record), left);
    else this.#byRegion.delete(regionOf(record));
    this.#forget();
    const host = hostOf(record);
    if (host === undefined) return true;
    const neighbours = this.onHost(host).filter(bridge => bridge !== record);
    if (neighbours.length === 0) this.#byHost.delete(host);
    else this.#byHost.set(host, neighbours);
    return true;
  }

  /** Where it is, nothing but the record changes. */
  #replace(entry: Entry, bridge: BridgeRecord): void {
    const { record: before, region } = entry;
    entry.record = bridge;
    // Only a region that somebody looked at is part of what was handed out.
    if (region.handedOut !== undefined) this.#everywhere = undefined;
    this.#all = undefined;
    replaceIn(region, entry, bridge);
    const host = hostOf(bridge);
    if (host === undefined) return;
    const neighbours = this.#byHost.get(host)!;
    this.#byHost.set(host, neighbours.with(neighbours.indexOf(before), bridge));
  }

  #forget(): void {
    this.#all = undefined;
    this.#names = undefined;
    this.#everywhere = undefined;
  }

  #add(bridge: BridgeRecord): void {
    const region = this.#byRegion.get(regionOf(bridge));
    this.#fill(regionOf(bridge), [...(region === undefined ? [] : bridgesOf(region)), bridge].sort(byId));
    const host = hostOf(bridge);
    if (host !== undefined) this.#byHost.set(host, [...this.onHost(host), bridge].sort(byId));
  }

  /** Divides the bridges of a region into blocks. They are ordered by id. */
  #fill(name: string, bridges: readonly BridgeRecord[]): void {
    const blocks: BridgeBlock[] = [];
    const region: Region = { blocks, handedOut: undefined };
    for (let from = 0; from < bridges.length; from += BLOCK_SIZE) {
      const block = blockOf(bridges.slice(from, from + BLOCK_SIZE));
      for (const [at, record] of block.bridges.entries()) {
        this.#entries.set(record.bridgeId, { record, region, block: blocks.length, at });
      }
      blocks.push(block);
    }
    this.#byRegion.set(name, region);
    this.#forget();
  }
}

interface Region {
  blocks: BridgeBlock[];
  /** `blocks`, if somebody holds them: the next change is made in a copy. */
  handedOut: RegionBridges | undefined;
}

interface Entry {
  record: BridgeRecord;
  readonly region: Region;
  /** Where it is: the number of its block, and its place there. */
  readonly block: number;
  readonly at: number;
}

function handOut(region: Region): RegionBridges {
  region.handedOut ??= { blocks: region.blocks, memo: undefined };
  return region.handedOut;
}

/** A block of these bridges, about which nothing is worked out yet. */
function blockOf(bridges: readonly BridgeRecord[], basis?: BlockBasis): BridgeBlock {
  return { bridges, memo: undefined, basis };
}

const regionOf = ({ report }: BridgeRecord): string => report.peer.region;
const hostOf = ({ report }: BridgeRecord): string | undefined => report.host;
const byId = (a: BridgeRecord, b: BridgeRecord): number => (a.bridgeId < b.bridgeId ? -1 : 1);

function bridgesOf({ blocks }: Region): readonly BridgeRecord[] {
  return blocks.flatMap(({ bridges }) => bridges);
}

function replaceIn(region: Region, { block, at }: Entry, bridge: BridgeRecord): void {
  if (region.handedOut !== undefined) {
    region.blocks = region.blocks.slice();
    region.handedOut = undefined;
  }
  const before = region.blocks[block]!;
  const bridges = before.bridges.slice();
  bridges[at] = bridge;
  region.blocks[block] = blockOf(bridges, basisOf(before, at));
}

/** Of the block that follows `before`, where the bridge `at` has changed. Never one that has a basis itself: no block holds a chain of earlier ones. */
function basisOf(before: BridgeBlock, at: number): BlockBasis | undefined {
  if (before.memo !== undefined) return { block: before, changed: 1 << at };
  const { basis } = before;
  return basis && { block: basis.block, changed: basis.changed | (1 << at) };
}

function groupBy(
  bridges: readonly BridgeRecord[],
  keyOf: (bridge: BridgeRecord) => string | undefined,
): Map<string, BridgeRecord[]> {
  const lists = new Map<string, BridgeRecord[]>();
  for (const bridge of bridges) {
    const key = keyOf(bridge);
    if (key === undefined) continue;
    const list = lists.get(key);
    if (list === undefined) lists.set(key, [bridge]);
    else list.push(bridge);
  }
  return lists;
}
