/** What a placement looked at, kept with its explanation: a thousand of them live at any time, so no more than is needed to tell, in arrays of just that size. */
import type { BridgeId } from '../../protocol/ids.ts';
import type { BridgeRecord, RegionBridges } from '../store/store.ts';
import type { ServingPlaces } from './between-people.ts';
import type { ConferenceBridges } from './conference-bridges.ts';

const NO_REGIONS: readonly RegionBridges[] = [];
const NOBODY: readonly BridgeRecord[] = [];

export class LookedAt {
  readonly conference: ConferenceBridges;
  /** Set once a rule by round trips compared them. */
  places: ServingPlaces | undefined;
  /** Bridges on the machines of the conference; empty while no rule asked. */
  onHosts: readonly BridgeRecord[] = NOBODY;
  /** The one that an external service named. */
  named: BridgeRecord | undefined;
  #regions: readonly RegionBridges[] = NO_REGIONS;

  constructor(conference: ConferenceBridges) {
    this.conference = conference;
  }

  note(region: RegionBridges): void {
    if (region.blocks.length === 0 || this.#regions.includes(region)) return;
    // A push would make place for sixteen more.
    this.#regions = [...this.#regions, region];
  }

  /** All were looked at. */
  noteAll(regions: readonly RegionBridges[]): void {
    this.#regions = regions;
  }

  /** Each bridge once, by id. */
  bridges(): readonly BridgeRecord[] {
    const bridges = new Map<BridgeId, BridgeRecord>();
    const note = (bridge: BridgeRecord) => bridges.set(bridge.bridgeId, bridge);
    this.conference.bridges.forEach(note);
    this.onHosts.forEach(note);
    for (const { blocks } of this.#regions) for (const block of blocks) block.bridges.forEach(note);
    if (this.named !== undefined) note(this.named);
    return [...bridges.values()].sort((a, b) => (a.bridgeId < b.bridgeId ? -1 : 1));
  }
}
