/** The bridges of a conference at the moment of a placement, and what they have in common. Kept with the explanation: small for the usual few. */
import { FIRST_PROTOCOLS } from '../../protocol/control/events.ts';
import type { BridgeId } from '../../protocol/ids.ts';
import type { BridgeIndex, BridgeRecord } from '../store/store.ts';

export class ConferenceBridges {
  /** Those that the store knows. */
  readonly bridges: readonly BridgeRecord[];
  readonly #counts: readonly number[];
  /** The store's own, while the choice is made. */
  #live: ReadonlyMap<BridgeId, number> | undefined;

  /** `inConference` is kept until {@link settle}. */
  constructor(index: BridgeIndex, inConference: ReadonlyMap<BridgeId, number>) {
    if (inConference.size === 0) {
      this.bridges = NO_BRIDGES;
      this.#counts = NO_COUNTS;
      return;
    }
    // Of just the size: these are kept, and a push would make place for sixteen more.
    const bridges = new Array<BridgeRecord>(inConference.size);
    const counts = new Array<number>(inConference.size);
    let found = 0;
    inConference.forEach((count, bridgeId) => {
      const bridge = index.find(bridgeId);
      if (bridge === undefined) return;
      bridges[found] = bridge;
      counts[found++] = count;
    });
    bridges.length = found;
    counts.length = found;
    this.bridges = bridges;
    this.#counts = counts;
    this.#live = inConference;
  }

  /** The choice is made: from now on everything is as it was at this moment. */
  settle(): void {
    this.#live = undefined;
  }

  /** Participants of the conference on a bridge. */
  countOn(bridgeId: BridgeId): number {
    if (this.#live !== undefined) return this.#live.get(bridgeId) ?? 0;
    for (let index = 0; index < this.bridges.length; index++) {
      if (this.bridges[index]!.bridgeId === bridgeId) return this.#counts[index]!;
    }
    return 0;
  }

  /** Software versions of the bridges, each once. */
  get versions(): readonly string[] {
    return distinct(this.bridges, versionOf);
  }

  /** Versions of Octo that they speak, each once. */
  get octoVersions(): readonly number[] {
    return distinct(this.bridges, octoVersionOf);
  }
}

const NO_BRIDGES: readonly BridgeRecord[] = [];
const NO_COUNTS: readonly number[] = [];

const versionOf = ({ report }: BridgeRecord): string => report.version;
const octoVersionOf = ({ report }: BridgeRecord): number => (report.protocols ?? FIRST_PROTOCOLS).octo;

const NONE: readonly never[] = [];

/** Mostly one: a set would cost more than all that is asked of it. */
function distinct<V>(bridges: readonly BridgeRecord[], of: (bridge: BridgeRecord) => V): readonly V[] {
  if (bridges.length === 0) return NONE;
  const values = [of(bridges[0]!)];
  for (let index = 1; index < bridges.length; index++) {
    const value = of(bridges[index]!);
    if (!values.includes(value)) values.push(value);
  }
  return values;
}
