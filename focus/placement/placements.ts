/** Placement as the signalling side uses it: decides and reserves in one store round trip, remembers why, counts. */
import type { BridgeId } from '../../protocol/ids.ts';
import type { FocusMetrics } from '../metrics.ts';
import type { Store } from '../store/store.ts';
import { chooseBridge, type PlacementSettings } from './choose-bridge.ts';
import { EXPLANATIONS_MAX, type Placement, type PlacementExplanation, type Placements } from './placement.ts';
import type { RegionDistances } from './region-distance.ts';

export interface PlacementsOptions {
  readonly store: Store;
  readonly settings: PlacementSettings;
  readonly distances: RegionDistances;
  /** This focus: the owner of what it places. */
  readonly focusId: string;
  readonly metrics: Pick<FocusMetrics, 'joins'>;
}

/** Placements of one focus. `join` rejects only when the store does; refusals are counted by who answers them. */
export function createPlacements(options: PlacementsOptions): Placements {
  const { store, settings, distances, focusId, metrics } = options;
  // A map keeps the order in which keys were set, so its first key is the oldest.
  const bySid = new Map<string, PlacementExplanation>();

  function remember(explanation: PlacementExplanation): void {
    bySid.delete(explanation.sid);
    bySid.set(explanation.sid, explanation);
    if (bySid.size > EXPLANATIONS_MAX) bySid.delete(bySid.keys().next().value!);
  }

  return {
    async join(request) {
      const assigned = await store.assign({ ...request, owner: focusId }, view =>
        chooseBridge(view, request.region, settings, distances),
      );
      if (assigned.kind === 'unknown-room' || assigned.kind === 'room-full') return assigned;
      const { choice } = assigned;
      remember({ sid: request.sid, identity: request.identity, room: request.room, placement: choice });
      if (assigned.kind === 'no-bridge') return { kind: 'no-bridge', placement: choice };
      const { conference, participant, replaced } = assigned;
      metrics.joins.inc({ rule: choice.rule, region: regionOf(choice, participant.bridgeId) });
      return { kind: 'placed', conference, participant, replaced, placement: onBridge(choice, participant.bridgeId) };
    },
    explain(participant) {
      const named = bySid.get(participant);
      if (named !== undefined) return named;
      return [...bySid.values()].findLast(explanation => explanation.identity === participant);
    },
    explanations() {
      return [...bySid.values()].reverse();
    },
  };
}

/** The bridge's region, not the client's: a metric's labels are names that the operator chose. */
function regionOf(placement: Placement, bridgeId: BridgeId): string {
  return placement.candidates.find(candidate => candidate.bridgeId === bridgeId)!.region;
}

function onBridge(placement: Placement, bridgeId: BridgeId): Placement & { readonly bridgeId: BridgeId } {
  return { ...placement, bridgeId };
}
