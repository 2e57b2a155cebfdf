/**
 * One placement decision: view in, explained choice out. Pure, so that a store can repeat it and a test can know it. It looks at bridges of
 * a region only when a rule asks for that region, and allocates nothing per bridge: the cost is linear in the bridges looked at.
 */
import type { BridgeId } from '../../protocol/ids.ts';
import { BridgePool } from '../store/bridge-pool.ts';
import type { BridgeIndex, BridgeRecord, PlacementView } from '../store/store.ts';
import type { Advice, AdviceOutcome } from './advice.ts';
import type { LoadSettings } from './bridge-load.ts';
import { type Decided, ExplainedPlacement } from './explained-placement.ts';
import { isFit, NOTHING_RELAXED, type Relaxed, relaxedFor } from './fitness.ts';
import { pickFrom } from './pick.ts';
import type { Placement } from './placement.ts';
import type { Policy, PolicyKind, PolicySource } from './policy.ts';
import type { RegionDistances } from './region-distance.ts';
import { groupOf } from './region-groups.ts';
import { contextOf } from './rule-context.ts';
import { NAMED_BY_SERVICE, RULE_SETS, type Rule, type RuleContext } from './rule-sets.ts';
import { STICKY_RULE, type Sticky, type StickyOutcome, stickyRefusal } from './sticky.ts';
import { Surroundings } from './surroundings.ts';

/** Settings of `placement.*`; see focus/config-schema.ts for units and reasons. */
export interface PlacementSettings extends Policy, LoadSettings {
  readonly report_age_ms_max: number;
  readonly region_groups: readonly (readonly string[])[];
  readonly hop_ms: number;
  readonly http: { readonly fallback: Exclude<PolicyKind, 'http'> };
}

/** What is known of one join beside the client's region. */
export interface Asking {
  /** Participants of the conference who are of a region; absent: taken to be where they are served. */
  readonly peopleOf?: ((region: string) => number) | undefined;
  /** The bridge it was on, as its token says; null or absent: none. */
  readonly sticky?: Sticky | null | undefined;
  /** What an external service said, for `kind` http. */
  readonly advice?: Advice | undefined;
  /** What this focus thinks of a bridge's life, beyond its report; absent: of nobody's. */
  readonly isSuspected?: ((bridgeId: BridgeId) => boolean) | undefined;
  /** Where the policy is from; absent: the configuration. */
  readonly policyFrom?: PolicySource | undefined;
}

/**
 * Where a client of `region` goes. `bridgeId` is null, and `rule` `no-bridge`, only when every bridge is unfit. `draw` is a random uint32,
 * the only chance in it: the same view and draw always have the same answer. `asking`: what else is known of whom, and why; the bridge that the client was on comes before the rules.
 */
export function chooseBridge(
  view: PlacementView,
  region: string,
  settings: PlacementSettings,
  distances: RegionDistances,
  draw = 0,
  asking: Asking = NOTHING_MORE,
): Placement {
  const index = view.index ?? new BridgePool(view.bridges);
  const { advice, peopleOf, sticky } = asking;
  const named = advice?.kind === 'named' ? advice.bridgeId : null;
  const around = new Surroundings(index, view.inConference, distances, {
    hopMs: settings.hop_ms,
    groups: settings.region_groups,
    peopleOf,
    named,
  });
  const { lookedAt } = around;
  const context = contextOf(view.atMs, lookedAt.conference, settings, asking.isSuspected);
  const again = sticky == null ? undefined : stickyOutcomeOf(sticky, view, index, around, region, context, settings);
  if (again !== undefined && again.ignored === undefined) {
    const bridge = index.find(again.bridgeId);
    const placedFor = around.regionToServe(region, fitsIn(context, NOTHING_RELAXED));
    const decided = { bridge, rule: STICKY_RULE, placedFor };
    lookedAt.conference.settle();
    return new ExplainedPlacement(
      decided,
      region,
      settings,
      lookedAt,
      view.atMs,
      NOTHING_RELAXED,
      asking,
      undefined,
      again,
    );
  }
  let relaxed: Relaxed = NOTHING_RELAXED;
  let decided = decide(around, region, context, settings, relaxed, draw);
  if (decided.bridge === undefined) {
    // Not even the last rule found a bridge that every preference holds for: there is none, and preferences give way.
    relaxed = relaxedFor(index.all, context);
    if (relaxed !== NOTHING_RELAXED) decided = decide(around, region, context, settings, relaxed, draw);
    around.noteAll();
  }
  lookedAt.conference.settle();
  const service =
    settings.kind === 'http'
      ? outcomeOf(advice, decided, named !== null && index.find(named) !== undefined)
      : undefined;
  return new ExplainedPlacement(decided, region, settings, lookedAt, view.atMs, relaxed, asking, service, again);
}

const NOTHING_MORE: Asking = {};

function outcomeOf(advice: Advice | undefined, { rule }: Decided, isKnown: boolean): AdviceOutcome {
  if (advice === undefined) return 'not-configured';
  if (advice.kind === 'none') return advice.reason;
  if (!isKnown) return 'unknown-bridge';
  return rule === NAMED_BY_SERVICE.name ? 'followed' : 'unfit-bridge';
}

function rulesOf({ kind, http }: PlacementSettings): readonly Rule[] {
  return kind === 'http' ? NAMED_FIRST[http.fallback] : RULE_SETS[kind];
}

const NAMED_FIRST = Object.fromEntries(
  Object.entries(RULE_SETS).map(([kind, rules]) => [kind, [NAMED_BY_SERVICE, ...rules]]),
) as unknown as typeof RULE_SETS;

function decide(
  around: Surroundings,
  region: string,
  context: RuleContext,
  settings: PlacementSettings,
  relaxed: Relaxed,
  draw: number,
): Decided {
  const placedFor = around.regionToServe(region, fitsIn(context, relaxed));
  for (const rule of rulesOf(settings)) {
    // Tiers are in order of preference: a bridge of a later one is nobody's choice while an earlier one has a match.
    for (const tier of around.tiers(rule, region, placedFor)) {
      const bridge = pickFrom(tier, rule, context, settings, relaxed, draw);
      if (bridge !== undefined) return { bridge, rule: rule.name, placedFor };
    }
  }
  return { bridge: undefined, rule: 'no-bridge', placedFor };
}

function stickyOutcomeOf(
  sticky: Sticky,
  view: PlacementView,
  index: BridgeIndex,
  around: Surroundings,
  region: string,
  context: RuleContext,
  settings: PlacementSettings,
): StickyOutcome {
  const bridge = index.find(sticky.bridgeId);
  if (bridge !== undefined) around.note(bridge);
  const served = groupOf(around.regionToServe(region, fitsIn(context, NOTHING_RELAXED)), settings.region_groups);
  const ignored = stickyRefusal(sticky, bridge, context, settings, view.inConference.size, served);
  return { bridgeId: sticky.bridgeId, ...(ignored === undefined ? {} : { ignored }) };
}

function fitsIn(context: RuleContext, relaxed: Relaxed): (bridge: BridgeRecord) => boolean {
  return bridge => isFit(bridge, context, relaxed);
}
