/** Placement as the signalling side uses it: decides and reserves in one store round trip, remembers why, counts. */
import type { BridgeId } from '../../protocol/ids.ts';
import type { FocusMetrics } from '../metrics.ts';
import type { Assigned, BridgeRecord, Store } from '../store/store.ts';
import type { Advice } from './advice.ts';
import { type Asking, chooseBridge, type PlacementSettings } from './choose-bridge.ts';
import { ExplanationRing } from './explanation-ring.ts';
import { EXPLANATIONS_MAX, type JoinPlacement, type Placed, type Placement, type Placements } from './placement.ts';
import type { PlacementService } from './placement-service.ts';
import { PlacementTally, type TalliedMetrics } from './placement-tally.ts';
import type { Policy, PolicyKind } from './policy.ts';
import type { RegionDistances } from './region-distance.ts';

export interface PlacementsOptions {
  readonly store: Store;
  readonly settings: PlacementSettings;
  readonly distances: RegionDistances;
  /** This focus: the owner of what it places. */
  readonly focusId: string;
  readonly metrics: TalliedMetrics & Pick<FocusMetrics, 'placedStress' | 'placementAdvice'>;
  /** Of whose life this focus doubts. Absent: of nobody's. */
  readonly isSuspected?: (bridgeId: BridgeId) => boolean;
  /** The external service of `placement.http`; absent: none is configured. */
  readonly service?: PlacementService | undefined;
  /** A random uint32: one for each placement. */
  readonly uint32: () => number;
}

/** Placements of one focus. `join` rejects only when the store does; refusals are counted by who answers them. */
export function createPlacements(options: PlacementsOptions): Placements {
  const { store, settings, distances, focusId, metrics, isSuspected, service, uint32 } = options;
  const tally = new PlacementTally(metrics);
  const explanations = new ExplanationRing(EXPLANATIONS_MAX);
  const overridden = new Map<string, PlacementSettings>();

  /** Kept: rooms that say the same are many, and an explanation holds on to them. There are as many as ways to say it, some hundred. */
  function settingsFor(override: Partial<Policy>): PlacementSettings {
    const { kind = settings.kind, sort_by = settings.sort_by, algorithm = settings.algorithm } = override;
    const key = `${kind} ${sort_by} ${algorithm}`;
    let known = overridden.get(key);
    if (known === undefined) {
      known = { ...settings, kind, sort_by, algorithm };
      overridden.set(key, known);
    }
    return known;
  }

  /** Promises by hand: an async function costs a join several times as much, and there is one thing to wait for. */
  function place(request: JoinPlacement, rules: PlacementSettings, advice: Advice | undefined): Promise<Placed> {
    // Field by field: what is taken out of a request by name, and the rest of it, would cost as much as the choice.
    const { room, createAs, identity, sid, region, participantsMax, override, present, sticky } = request;
    const { overrideFrom = 'override by metadata' } = request;
    const policyFrom = override == null ? undefined : overrideFrom;
    const asking: Asking = { peopleOf: present?.peopleOf, isSuspected, sticky, advice, policyFrom };
    // Drawn once: a store that asks again, on a newer view, is answered by the same chance.
    const draw = uint32();
    const wanted = { room, createAs, identity, sid, region, owner: focusId, participantsMax };
    return store
      .assign(wanted, view => chooseBridge(view, region, rules, distances, draw, asking))
      .then(assigned => note(request, rules.kind, assigned));
  }

  function note({ sid, identity, room }: JoinPlacement, policy: PolicyKind, assigned: Assigned<Placement>): Placed {
    if (assigned.kind === 'unknown-room' || assigned.kind === 'room-full') return assigned;
    const { choice } = assigned;
    explanations.add(sid, identity, room, choice);
    if (choice.service !== undefined) metrics.placementAdvice.inc({ outcome: choice.service });
    tally.note(policy, choice.rule, assigned.kind === 'placed' ? choice.bridgeRegion : null);
    if (assigned.kind === 'no-bridge') return { kind: 'no-bridge', placement: choice };
    const { conference, participant, replaced } = assigned;
    metrics.placedStress.observe({ policy }, choice.stress!);
    return { kind: 'placed', conference, participant, replaced, placement: placed(choice) };
  }

  return {
    join(request) {
      const { override } = request;
      const rules = override == null ? settings : settingsFor(override);
      if (rules.kind !== 'http' || service === undefined) return place(request, rules, undefined);
      // Asked before the store is: what takes the place in the store is pure, and may be called again.
      return service.advise(request).then(advice => place(request, rules, advice));
    },
    async move(request) {
      const { conferenceId, endpointId, sid, identity, room, region, from, cause, isAllowed } = request;
      const { override, overrideFrom = 'override by metadata', present } = request;
      const rules = override == null ? settings : settingsFor(override);
      // The service is asked about joins alone: a move is not to wait for it.
      const policyFrom = override == null ? undefined : overrideFrom;
      const asking: Asking = { peopleOf: present?.peopleOf, isSuspected, policyFrom };
      const draw = uint32();
      const moved = await store.move({ conferenceId, endpointId, sid }, ({ atMs, bridges, inConference }) => {
        // Without the store's index, which has all bridges: moves are few.
        // A draining bridge refuses: who is moved had better stay where it is.
        const isOpen = ({ bridgeId, report }: BridgeRecord) => report.state !== 'draining' && isAllowed(bridgeId);
        const view = { atMs, inConference, bridges: bridges.filter(isOpen) };
        return chooseBridge(view, region, rules, distances, draw, asking);
      });
      if (moved.kind === 'unknown') return moved;
      const { choice } = moved;
      explanations.add(sid, identity, room, choice, { from, cause });
      tally.note(rules.kind, choice.rule, null);
      if (moved.kind === 'no-bridge') return { kind: 'no-bridge', placement: choice };
      metrics.placedStress.observe({ policy: choice.policy.kind }, choice.stress!);
      return { kind: 'moved', placement: placed(choice) };
    },
    explain(participant) {
      const newestFirst = explanations.newestFirst();
      return (
        newestFirst.find(({ sid }) => sid === participant) ??
        newestFirst.find(({ identity }) => identity === participant)
      );
    },
    explanations: () => explanations.newestFirst(),
  };
}

/** The same object: its candidates are made when they are read, and a copy would read them. */
function placed(placement: Placement): Placement & { readonly bridgeId: BridgeId } {
  return placement as Placement & { readonly bridgeId: BridgeId };
}
