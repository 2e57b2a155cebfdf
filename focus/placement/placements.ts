/** Placement as the signalling side uses it: decides and reserves in one store round trip, remembers why, counts. */
import type { BridgeId } from '../../protocol/ids.ts';
import type { FocusMetrics } from '../metrics.ts';
import type { BridgeRecord, Store } from '../store/store.ts';
import { chooseBridge, type PlacementSettings } from './choose-bridge.ts';
import { EXPLANATIONS_MAX, type Placement, type PlacementExplanation, type Placements } from './placement.ts';
import type { RegionDistances } from './region-distance.ts';

export interface PlacementsOptions {
  readonly store: Store;
  readonly settings: PlacementSettings;
  readonly distances: RegionDistances;
  /** This focus: the owner of what it places. */
  readonly focusId: string;
  readonly metrics: Pick<FocusMetrics, 'joins' | 'placements' | 'placedStress'>;
  /** Of whose life this focus doubts. Absent: of nobody's. */
  readonly isSuspected?: (bridgeId: BridgeId) => boolean;
  /** A random uint32: one for each placement. */
  readonly uint32: () => number;
}

/** Placements of one focus. `join` rejects only when the store does; refusals are counted by who answers them. */
export function createPlacements(options: PlacementsOptions): Placements {
  const { store, settings, distances, focusId, metrics, isSuspected, uint32 } = options;
  const bySid = new Map<string, PlacementExplanation>();
  // The newest overwrites the oldest. Not the map's own order: finding its first key costs more with each one that was deleted before it.
  const ring: PlacementExplanation[] = [];
  let next = 0;

  function remember(explanation: PlacementExplanation): void {
    const oldest = ring[next];
    if (oldest !== undefined && bySid.get(oldest.sid) === oldest) bySid.delete(oldest.sid);
    ring[next] = explanation;
    next = (next + 1) % EXPLANATIONS_MAX;
    bySid.set(explanation.sid, explanation);
  }

  /** Newest first. Of a SID that was placed again only the newest. */
  function remembered(): PlacementExplanation[] {
    const inOrder = [...ring.slice(next), ...ring.slice(0, next)];
    return inOrder.filter(explanation => bySid.get(explanation.sid) === explanation).reverse();
  }

  return {
    async join(request) {
      const { override, ...wanted } = request;
      const rules = override == null ? settings : { ...settings, ...override };
      // Drawn once: a store that asks again, on a newer view, is answered by the same chance.
      const draw = uint32();
      const assigned = await store.assign({ ...wanted, owner: focusId }, view =>
        chooseBridge(view, request.region, rules, distances, draw, isSuspected),
      );
      if (assigned.kind === 'unknown-room' || assigned.kind === 'room-full') return assigned;
      const { choice } = assigned;
      remember({ sid: request.sid, identity: request.identity, room: request.room, placement: choice });
      metrics.placements.inc({ policy: choice.policy.kind, rule: choice.rule });
      if (assigned.kind === 'no-bridge') return { kind: 'no-bridge', placement: choice };
      const { conference, participant, replaced } = assigned;
      metrics.joins.inc({ rule: choice.rule, region: choice.bridgeRegion! });
      metrics.placedStress.observe({ policy: choice.policy.kind }, choice.stress!);
      return { kind: 'placed', conference, participant, replaced, placement: placed(choice) };
    },
    async move(request) {
      const { conferenceId, endpointId, sid, identity, room, region, from, cause, isAllowed, override } = request;
      const rules = override === null ? settings : { ...settings, ...override };
      const draw = uint32();
      const moved = await store.move({ conferenceId, endpointId, sid }, ({ atMs, bridges, inConference }) => {
        // Without the store's index, which has all bridges: moves are few.
        // A draining bridge refuses: who is moved had better stay where it is.
        const isOpen = ({ bridgeId, report }: BridgeRecord) => report.state !== 'draining' && isAllowed(bridgeId);
        const view = { atMs, inConference, bridges: bridges.filter(isOpen) };
        return chooseBridge(view, region, rules, distances, draw, isSuspected);
      });
      if (moved.kind === 'unknown') return moved;
      const { choice } = moved;
      remember({ sid, identity, room, move: { from, cause }, placement: choice });
      metrics.placements.inc({ policy: choice.policy.kind, rule: choice.rule });
      if (moved.kind === 'no-bridge') return { kind: 'no-bridge', placement: choice };
      metrics.placedStress.observe({ policy: choice.policy.kind }, choice.stress!);
      return { kind: 'moved', placement: placed(choice) };
    },
    explain(participant) {
      const named = bySid.get(participant);
      if (named !== undefined) return named;
      return remembered().find(explanation => explanation.identity === participant);
    },
    explanations: remembered,
  };
}

/** The same object: its candidates are made when they are read, and a copy would read them. */
function placed(placement: Placement): Placement & { readonly bridgeId: BridgeId } {
  return placement as Placement & { readonly bridgeId: BridgeId };
}
