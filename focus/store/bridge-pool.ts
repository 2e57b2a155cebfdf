/** The bridges of a store, found by region and by machine, so that a placement looks at those of one region and not at all of them. */
import type { BridgeId } from '../../protocol/ids.ts';
import type { BridgeIndex, BridgeRecord } from './store.ts';

const NONE: readonly BridgeRecord[] = [];

/**
 * Bridges by id, region and host. Lists are ordered by id and never change: a change makes a new list, so whoever holds one (an
 * explanation of a placement) goes on seeing the moment it was taken. A change costs a copy of one region's list.
 */
export class BridgePool implements BridgeIndex {
  readonly #byId = new Map<BridgeId, BridgeRecord>();
  readonly #byRegion = new Map<string, readonly BridgeRecord[]>();
  readonly #byHost = new Map<string, readonly BridgeRecord[]>();
  #all: readonly BridgeRecord[] | undefined;

  constructor(bridges: Iterable<BridgeRecord> = []) {
    const sorted = [...bridges].sort((a, b) => (a.bridgeId < b.bridgeId ? -1 : 1));
    for (const bridge of sorted) this.#byId.set(bridge.bridgeId, bridge);
    for (const [region, list] of groupBy(sorted, regionOf)) this.#byRegion.set(region, list);
    for (const [host, list] of groupBy(sorted, hostOf)) this.#byHost.set(host, list);
  }

  get all(): readonly BridgeRecord[] {
    this.#all ??= [...this.#byRegion.values()].flat().sort((a, b) => (a.bridgeId < b.bridgeId ? -1 : 1));
    return this.#all;
  }

  get regions(): Iterable<string> {
    return this.#byRegion.keys();
  }

  find(bridgeId: BridgeId): BridgeRecord | undefined {
    return this.#byId.get(bridgeId);
  }

  inRegion(region: string): readonly BridgeRecord[] {
    return this.#byRegion.get(region) ?? NONE;
  }

  onHost(host: string): readonly BridgeRecord[] {
    return this.#byHost.get(host) ?? NONE;
  }

  /** Adds a bridge, or replaces what was known of it. */
  put(bridge: BridgeRecord): void {
    const before = this.#byId.get(bridge.bridgeId);
    const isMoved =
      before !== undefined && (regionOf(before) !== regionOf(bridge) || hostOf(before) !== hostOf(bridge));
    if (isMoved) this.delete(bridge.bridgeId);
    this.#byId.set(bridge.bridgeId, bridge);
    putInto(this.#byRegion, regionOf(bridge), bridge);
    const host = hostOf(bridge);
    if (host !== undefined) putInto(this.#byHost, host, bridge);
    this.#all = undefined;
  }

  /** Answers whether there was such a bridge. */
  delete(bridgeId: BridgeId): boolean {
    const bridge = this.#byId.get(bridgeId);
    if (bridge === undefined) return false;
    this.#byId.delete(bridgeId);
    deleteFrom(this.#byRegion, regionOf(bridge), bridgeId);
    const host = hostOf(bridge);
    if (host !== undefined) deleteFrom(this.#byHost, host, bridgeId);
    this.#all = undefined;
    return true;
  }
}

const regionOf = ({ report }: BridgeRecord): string => report.peer.region;
const hostOf = ({ report }: BridgeRecord): string | undefined => report.host;

type Lists = Map<string, readonly BridgeRecord[]>;

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

function putInto(lists: Lists, key: string, bridge: BridgeRecord): void {
  const list = lists.get(key) ?? NONE;
  const index = lowerBound(list, bridge.bridgeId);
  const isKnown = list[index]?.bridgeId === bridge.bridgeId;
  const changed = list.slice();
  if (isKnown) changed[index] = bridge;
  else changed.splice(index, 0, bridge);
  lists.set(key, changed);
}

function deleteFrom(lists: Lists, key: string, bridgeId: BridgeId): void {
  const left = lists.get(key)!.filter(bridge => bridge.bridgeId !== bridgeId);
  if (left.length === 0) lists.delete(key);
  else lists.set(key, left);
}

/** Index of the first bridge whose id is not less. */
function lowerBound(list: readonly BridgeRecord[], bridgeId: BridgeId): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle]!.bridgeId < bridgeId) low = middle + 1;
    else high = middle;
  }
  return low;
}
