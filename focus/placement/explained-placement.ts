/** A placement with its reasons, which are put into words only when somebody asks: most placements are never asked about. */
import type { BridgeId } from '../../protocol/ids.ts';
import type { BridgeRecord } from '../store/store.ts';
import type { AdviceOutcome } from './advice.ts';
import type { ServingPlace } from './between-people.ts';
import { expectedStress } from './bridge-load.ts';
import { describeCandidates } from './candidates.ts';
import type { Asking, PlacementSettings } from './choose-bridge.ts';
import { type Relaxed, rejectionBy } from './fitness.ts';
import type { LookedAt } from './looked-at.ts';
import type { Candidate, Placement } from './placement.ts';
import type { Policy, PolicySource } from './policy.ts';
import { contextOf } from './rule-context.ts';
import type { StickyOutcome } from './sticky.ts';

export interface Decided {
  readonly bridge: BridgeRecord | undefined;
  readonly rule: string;
  readonly placedFor: string;
}

/** Places of an explanation: the best, and what was nearly as good. */
const PLACES_MAX = 5;

/** A class for its speed: an object with getters of its own costs as much as a decision. */
export class ExplainedPlacement implements Placement {
  readonly bridgeId: BridgeId | null;
  readonly bridgeRegion: string | null;
  readonly stress: number | null;
  readonly rule: string;
  readonly region: string;
  readonly placedFor: string;
  readonly at: number;
  readonly policyFrom: PolicySource;
  readonly service: AdviceOutcome | undefined;
  readonly sticky: StickyOutcome | undefined;
  readonly #settings: PlacementSettings;
  readonly #lookedAt: LookedAt;
  readonly #relaxed: Relaxed;
  readonly #isSuspected: Asking['isSuspected'];
  #candidates: readonly Candidate[] | undefined;

  constructor(
    { bridge, rule, placedFor }: Decided,
    region: string,
    settings: PlacementSettings,
    lookedAt: LookedAt,
    atMs: number,
    relaxed: Relaxed,
    { isSuspected, policyFrom = 'configuration' }: Asking,
    service: AdviceOutcome | undefined,
    sticky: StickyOutcome | undefined,
  ) {
    this.bridgeId = bridge?.bridgeId ?? null;
    this.bridgeRegion = bridge?.report.peer.region ?? null;
    this.stress = bridge === undefined ? null : expectedStress(bridge, settings);
    this.rule = rule;
    this.region = region;
    this.placedFor = placedFor;
    this.at = atMs;
    this.policyFrom = policyFrom;
    this.service = service;
    this.sticky = sticky;
    this.#settings = settings;
    this.#lookedAt = lookedAt;
    this.#relaxed = relaxed;
    this.#isSuspected = isSuspected;
  }

  get policy(): Policy {
    const { kind, sort_by, algorithm } = this.#settings;
    return { kind, sort_by, algorithm };
  }

  get considered(): number {
    return this.#lookedAt.bridges().length;
  }

  /** From the lists of the moment of the placement: they do not change. */
  get candidates(): readonly Candidate[] {
    this.#candidates ??= this.#describe();
    return this.#candidates;
  }

  get roundTrips(): readonly ServingPlace[] | undefined {
    return this.#lookedAt.places?.inOrder().slice(0, PLACES_MAX);
  }

  #describe(): readonly Candidate[] {
    const lookedAt = this.#lookedAt;
    const context = contextOf(this.at, lookedAt.conference, this.#settings, this.#isSuspected);
    const rejection = (bridge: BridgeRecord) => rejectionBy(bridge, context, this.#relaxed);
    return describeCandidates(lookedAt.bridges(), this.bridgeId, context, this.#settings.sort_by, rejection);
  }

  toJSON(): Placement {
    const { bridgeId, bridgeRegion, stress, rule, policy, policyFrom, region, placedFor, considered, at } = this;
    const { candidates, service, sticky, roundTrips } = this;
    return {
      bridgeId,
      bridgeRegion,
      stress,
      rule,
      policy,
      policyFrom,
      ...(service === undefined ? {} : { service }),
      region,
      placedFor,
      ...(sticky === undefined ? {} : { sticky }),
      ...(roundTrips === undefined ? {} : { roundTrips }),
      considered,
      candidates,
      at,
    };
  }
}
