/**
 * One placement decision: view in, explained choice out. Pure, so that a store can repeat it and a test can know it. It looks at bridges of
 * a region only when a rule asks for that region, and allocates nothing per bridge: the cost is linear in the bridges looked at.
 */
import { BridgePool } from '../store/bridge-pool.ts';
import type { BridgeIndex, BridgeRecord, PlacementView } from '../store/store.ts';
import type { LoadSettings } from './bridge-load.ts';
import { type Decided, ExplainedPlacement } from './explained-placement.ts';
import { isFit, type Relaxed, relaxedFor } from './fitness.ts';
import { pickFrom } from './pick.ts';
import type { Placement } from './placement.ts';
import type { Policy } from './policy.ts';
import type { RegionDistances } from './region-distance.ts';
import { RULE_SETS, type Rule, type RuleContext } from './rule-sets.ts';
import { STICKY_RULE, type Sticky, type StickyOutcome, stickyRefusal } from './sticky.ts';
import { Surroundings } from './surroundings.ts';

/** Settings of `placement.*`; see focus/config-schema.ts for units and reasons. */
export interface PlacementSettings extends Policy, LoadSettings {
  readonly report_age_ms_max: number;
  readonly region_groups: readonly (readonly string[])[];
}

/**
 * Where a client of `region` goes. `bridgeId` is null, and `rule` `no-bridge`, only when every bridge is unfit. `draw` is a random uint32,
 * the only chance in it: the same view and draw always have the same answer. `sticky` is the bridge that the client was on; it comes before the rules.
 */
export function chooseBridge(
  view: PlacementView,
  region: string,
  settings: PlacementSettings,
  distances: RegionDistances,
  draw = 0,
  sticky: Sticky | null = null,
): Placement {
  const index = view.index ?? new BridgePool(view.bridges);
  const around = new Surroundings(index, view.inConference, groupsOf(settings), distances);
  const context = contextOf(view, around, settings);
  const outcome = sticky === null ? undefined : outcomeOf(sticky, view, index, around, region, context, settings);
  if (outcome !== undefined && outcome.ignored === undefined) {
    const bridge = index.find(outcome.bridgeId);
    const decided = { bridge, rule: STICKY_RULE, placedFor: around.regionToServe(region, fitsIn(context, 'nothing')) };
    return new ExplainedPlacement(decided, region, settings, around, context, 'nothing', outcome);
  }
  let relaxed: Relaxed = 'nothing';
  let decided = decide(around, region, context, settings, relaxed, draw);
  if (decided.bridge === undefined) {
    // Not even the last rule found a bridge that every preference holds for: there is none, and preferences give way.
    relaxed = relaxedFor(index.all, context);
    if (relaxed !== 'nothing') decided = decide(around, region, context, settings, relaxed, draw);
    around.noteAll();
  }
  return new ExplainedPlacement(decided, region, settings, around, context, relaxed, outcome);
}

function decide(
  around: Surroundings,
  region: string,
  context: RuleContext,
  settings: PlacementSettings,
  relaxed: Relaxed,
  draw: number,
): Decided {
  const placedFor = around.regionToServe(region, fitsIn(context, relaxed));
  for (const rule of RULE_SETS[settings.kind]) {
    const bridge = firstOf(rule, around, { client: region, placedFor }, context, settings, relaxed, draw);
    if (bridge !== undefined) return { bridge, rule: rule.name, placedFor };
  }
  return { bridge: undefined, rule: 'no-bridge', placedFor };
}

function outcomeOf(
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
  const served = groupsOf(settings)(around.regionToServe(region, fitsIn(context, 'nothing')));
  const ignored = stickyRefusal(sticky, bridge, context, settings, view.inConference.size, served);
  return { bridgeId: sticky.bridgeId, ...(ignored === undefined ? {} : { ignored }) };
}

function fitsIn(context: RuleContext, relaxed: Relaxed): (bridge: BridgeRecord) => boolean {
  return bridge => isFit(bridge, context, relaxed);
}

/** Tiers are in order of preference: a bridge of a later one is nobody's choice while an earlier one has a match. */
function firstOf(
  rule: Rule,
  around: Surroundings,
  regions: { readonly client: string; readonly placedFor: string },
  context: RuleContext,
  settings: PlacementSettings,
  relaxed: Relaxed,
  draw: number,
): BridgeRecord | undefined {
  for (const tier of around.tiers(rule, regions)) {
    const winner = pickFrom(tier, rule, context, settings, relaxed, draw);
    if (winner !== undefined) return winner;
  }
  return undefined;
}

function contextOf(view: PlacementView, around: Surroundings, settings: PlacementSettings): RuleContext {
  const { atMs, inConference } = view;
  return {
    atMs,
    settings,
    inConference:
      inConference.size === 0 ? () => 0 : (bridge: BridgeRecord): number => inConference.get(bridge.bridgeId) ?? 0,
    conferenceVersions: around.conferenceVersions,
  };
}

type Groups = (region: string) => readonly string[];

/** A region and those that may stand in for it, itself first. */
function groupsOf({ region_groups: groups }: PlacementSettings): Groups {
  return region => {
    const group = groups.find(names => names.includes(region));
    return group === undefined ? [region] : [region, ...group.filter(name => name !== region)];
  };
}
