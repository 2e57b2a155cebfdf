/** A placement with its reasons, which are put into words only when somebody asks: most placements are never asked about. */
import type { BridgeId } from '../../protocol/ids.ts';
import type { BridgeRecord } from '../store/store.ts';
import type { AdviceOutcome } from './advice.ts';
import type { ServingPlace } from './between-people.ts';
import { expectedStress } from './bridge-load.ts';
import { describeCandidates } from './candidates.ts';
import type { PlacementSettings } from './choose-bridge.ts';
import { type Relaxed, rejectionBy } from './fitness.ts';
import type { Candidate, Placement } from './placement.ts';
import type { Policy, PolicySource } from './policy.ts';
import type { RuleContext } from './rule-sets.ts';
import type { StickyOutcome } from './sticky.ts';
import type { Surroundings } from './surroundings.ts';

export interface Decided {
  readonly bridge: BridgeRecord | undefined;
  readonly rule: string;
  readonly placedFor: string;
}

/** Places of an explanation: the best, and what was nearly as good. */
const PLACES_MAX = 5;

/** A class for its speed: an object with getters of its own costs as much as a decision. */
/** What came before the rules. */
export interface Why {
  readonly service: AdviceOutcome | undefined;
  /** Absent: the configuration. */
  readonly policyFrom: PolicySource | undefined;
  readonly sticky: StickyOutcome | undefined;
}

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
  readonly #around: Surroundings;
  readonly #context: RuleContext;
  readonly #relaxed: Relaxed;
  #candidates: readonly Candidate[] | undefined;

  constructor(
    { bridge, rule, placedFor }: Decided,
    region: string,
    settings: PlacementSettings,
    around: Surroundings,
    context: RuleContext,
    relaxed: Relaxed,
    { service, policyFrom = 'configuration', sticky }: Why,
  ) {
    this.bridgeId = bridge?.bridgeId ?? null;
    this.bridgeRegion = bridge?.report.peer.region ?? null;
    this.stress = bridge === undefined ? null : expectedStress(bridge, settings);
    this.rule = rule;
    this.region = region;
    this.placedFor = placedFor;
    this.at = context.atMs;
    this.policyFrom = policyFrom;
    this.service = service;
    this.sticky = sticky;
    this.#settings = settings;
    this.#around = around;
    this.#context = context;
    this.#relaxed = relaxed;
  }

  get policy(): Policy {
    const { kind, sort_by, algorithm } = this.#settings;
    return { kind, sort_by, algorithm };
  }

  get considered(): number {
    return this.#around.considered().length;
  }

  /** From the lists of the moment of the placement: they do not change. */
  get candidates(): readonly Candidate[] {
    const rejection = (bridge: BridgeRecord) => rejectionBy(bridge, this.#context, this.#relaxed);
    const { sort_by } = this.#settings;
    this.#candidates ??= describeCandidates(
      this.#around.considered(),
      this.bridgeId,
      this.#context,
      sort_by,
      rejection,
    );
    return this.#candidates;
  }

  get roundTrips(): readonly ServingPlace[] | undefined {
    const { places } = this.#around;
    return places.length === 0 ? undefined : places.slice(0, PLACES_MAX);
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
