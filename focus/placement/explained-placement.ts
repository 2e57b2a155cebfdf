/** A placement with its reasons, which are put into words only when somebody asks: most placements are never asked about. */
import type { BridgeId } from '../../protocol/ids.ts';
import type { BridgeRecord } from '../store/store.ts';
import { expectedStress } from './bridge-load.ts';
import { describeCandidates } from './candidates.ts';
import type { PlacementSettings } from './choose-bridge.ts';
import { type Relaxed, rejectionBy } from './fitness.ts';
import type { Candidate, Placement } from './placement.ts';
import type { Policy } from './policy.ts';
import type { RuleContext } from './rule-sets.ts';
import type { StickyOutcome } from './sticky.ts';
import type { Surroundings } from './surroundings.ts';

export interface Decided {
  readonly bridge: BridgeRecord | undefined;
  readonly rule: string;
  readonly placedFor: string;
}

/** A class for its speed: an object with getters of its own costs as much as a decision. */
export class ExplainedPlacement implements Placement {
  readonly bridgeId: BridgeId | null;
  readonly bridgeRegion: string | null;
  readonly stress: number | null;
  readonly rule: string;
  readonly policy: Policy;
  readonly region: string;
  readonly placedFor: string;
  readonly at: number;
  readonly sticky: StickyOutcome | undefined;
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
    sticky?: StickyOutcome,
  ) {
    this.bridgeId = bridge?.bridgeId ?? null;
    this.bridgeRegion = bridge?.report.peer.region ?? null;
    this.stress = bridge === undefined ? null : expectedStress(bridge, settings);
    this.rule = rule;
    this.policy = { kind: settings.kind, sort_by: settings.sort_by, algorithm: settings.algorithm };
    this.region = region;
    this.placedFor = placedFor;
    this.at = context.atMs;
    this.sticky = sticky;
    this.#around = around;
    this.#context = context;
    this.#relaxed = relaxed;
  }

  get considered(): number {
    return this.#around.considered().length;
  }

  /** From the lists of the moment of the placement: they do not change. */
  get candidates(): readonly Candidate[] {
    const rejection = (bridge: BridgeRecord) => rejectionBy(bridge, this.#context, this.#relaxed);
    const { sort_by } = this.policy;
    this.#candidates ??= describeCandidates(
      this.#around.considered(),
      this.bridgeId,
      this.#context,
      sort_by,
      rejection,
    );
    return this.#candidates;
  }

  toJSON(): Placement {
    const { bridgeId, bridgeRegion, stress, rule, policy, region, placedFor, considered, candidates, at } = this;
    const sticky = this.sticky === undefined ? {} : { sticky: this.sticky };
    return { bridgeId, bridgeRegion, stress, rule, policy, region, placedFor, ...sticky, considered, candidates, at };
  }
}
