/**
 * One placement decision: view in, explained choice out. Pure, so that a store can repeat it and a test can know it. It looks at bridges of
 * a region only when a rule asks for that region, and allocates nothing per bridge: the cost is linear in the bridges looked at.
 */
import type { BridgeId } from '../../protocol/ids.ts';
import { BridgePool } from '../store/bridge-pool.ts';
import type { BridgeRecord, PlacementView } from '../store/store.ts';
import type { LoadSettings } from './bridge-load.ts';
import { type Decided, ExplainedPlacement } from './explained-placement.ts';
import { isFit, NOTHING_RELAXED, type Relaxed, relaxedFor } from './fitness.ts';
import { pickFrom } from './pick.ts';
import type { Placement } from './placement.ts';
import type { Policy } from './policy.ts';
import type { RegionDistances } from './region-distance.ts';
import { RULE_SETS, type Rule, type RuleContext } from './rule-sets.ts';
import { Surroundings } from './surroundings.ts';

/** Settings of `placement.*`; see focus/config-schema.ts for units and reasons. */
export interface PlacementSettings extends Policy, LoadSettings {
  readonly report_age_ms_max: number;
  readonly region_groups: readonly (readonly string[])[];
}

/**
 * Where a client of `region` goes. `bridgeId` is null, and `rule` `no-bridge`, only when every bridge is unfit. `draw` is a random uint32,
 * the only chance in it: the same view and draw always have the same answer. `isSuspected`: what this focus thinks of a bridge's life, beyond its report.
 */
export function chooseBridge(
  view: PlacementView,
  region: string,
  settings: PlacementSettings,
  distances: RegionDistances,
  draw = 0,
  isSuspected: (bridgeId: BridgeId) => boolean = nobodyIs,
): Placement {
  const index = view.index ?? new BridgePool(view.bridges);
  const around = new Surroundings(index, view.inConference, groupsOf(settings), distances);
  const context = contextOf(view, around, settings, isSuspected);
  let relaxed: Relaxed = NOTHING_RELAXED;
  let decided = decide(around, region, context, settings, relaxed, draw);
  if (decided.bridge === undefined) {
    // Not even the last rule found a bridge that every preference holds for: there is none, and preferences give way.
    relaxed = relaxedFor(index.all, context);
    if (relaxed !== NOTHING_RELAXED) decided = decide(around, region, context, settings, relaxed, draw);
    around.noteAll();
  }
  return new ExplainedPlacement(decided, region, settings, around, context, relaxed);
}

function decide(
  around: Surroundings,
  region: string,
  context: RuleContext,
  settings: PlacementSettings,
  relaxed: Relaxed,
  draw: number,
): Decided {
  const fits = (bridge: BridgeRecord) => isFit(bridge, context, relaxed);
  const placedFor = around.regionToServe(region, fits);
  for (const rule of RULE_SETS[settings.kind]) {
    const bridge = firstOf(rule, around, { client: region, placedFor }, context, settings, relaxed, draw);
    if (bridge !== undefined) return { bridge, rule: rule.name, placedFor };
  }
  return { bridge: undefined, rule: 'no-bridge', placedFor };
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

function nobodyIs(): boolean {
  return false;
}

function contextOf(
  view: PlacementView,
  around: Surroundings,
  settings: PlacementSettings,
  isSuspected: (bridgeId: BridgeId) => boolean,
): RuleContext {
  const { atMs, inConference } = view;
  return {
    atMs,
    settings,
    inConference:
      inConference.size === 0 ? () => 0 : (bridge: BridgeRecord): number => inConference.get(bridge.bridgeId) ?? 0,
    conferenceVersions: around.conferenceVersions,
    conferenceOctoVersions: around.conferenceOctoVersions,
    isSuspected,
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
