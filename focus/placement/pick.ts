/** Which of the bridges that a rule matches gets the participant. */
import type { BridgeRecord, RegionBridges } from '../store/store.ts';
import { creditOf, type Measure, measured } from './bridge-load.ts';
import { spreadDraw } from './chance.ts';
import type { PlacementSettings } from './choose-bridge.ts';
import { isFit, type Relaxed } from './fitness.ts';
import { isBefore, type LoadOrder, loadOrderOf, regionOrderOf } from './load-order.ts';
import { hasRoom, type Rule, type RuleContext } from './rule-sets.ts';

/** Bridges that a rule holds equal: whole regions, or a few from wherever they are. One of the two is empty. */
export interface Tier {
  readonly regions: readonly RegionBridges[];
  readonly few: readonly BridgeRecord[];
}

/** Draws for two-choice before all are looked at: with half of the bridges matching, one in a thousand gets that far. */
const TRIES_MAX = 10;

export function pickFrom(
  tier: Tier,
  rule: Rule,
  context: RuleContext,
  settings: PlacementSettings,
  relaxed: Relaxed,
  draw: number,
): BridgeRecord | undefined {
  const picking: Picking = { rule, context, settings, relaxed, draw };
  // The order of the others is the point of their rules; drawing would break it.
  const isDrawn = settings.algorithm === 'two-choice' && rule.first !== 'fullest' && rule.first !== 'fewest';
  return (isDrawn ? lowerOfTwo(tier, picking) : undefined) ?? lowest(tier, picking);
}

interface Picking {
  readonly rule: Rule;
  readonly context: RuleContext;
  readonly settings: PlacementSettings;
  readonly relaxed: Relaxed;
  readonly draw: number;
}

function lowest(tier: Tier, picking: Picking): BridgeRecord | undefined {
  const { settings } = picking;
  const search: Search = { best: undefined, rank: 0 };
  let position = 0;
  for (const region of tier.regions) {
    if (settings.sort_by !== 'random') {
      searchRegion(search, region, picking);
      continue;
    }
    for (const { bridges } of region.blocks) {
      searchByChance(search, bridges, picking, position);
      position += bridges.length;
    }
  }
  if (settings.sort_by === 'random') searchByChance(search, tier.few, picking, 0);
  else searchFew(search, tier.few, settings.sort_by, picking);
  return search.best;
}

/** Each by itself: an order of them would serve this placement alone. */
function searchFew(search: Search, bridges: readonly BridgeRecord[], key: Measure, picking: Picking): void {
  const { rule, context, settings } = picking;
  for (let index = 0; index < bridges.length; index++) {
    const bridge = bridges[index]!;
    const rank = rankOf(bridge, measured(bridge, key, settings), false, rule, context, settings);
    if (!isBetter(search, rank, bridge) || !matches(bridge, picking)) continue;
    search.best = bridge;
    search.rank = rank;
  }
}

interface Search {
  best: BridgeRecord | undefined;
  rank: number;
}

/** A region is passed over as its blocks are: of all bridges everywhere, those of a few blocks are looked at. */
function searchRegion(search: Search, region: RegionBridges, picking: Picking): void {
  const { rule, settings } = picking;
  const key = settings.sort_by as Measure;
  if (region.blocks.length > 1 && search.best !== undefined) {
    const order = regionOrderOf(region, key, settings);
    const { bridge, measure } = rule.first === 'fullest' ? order.most : order.least;
    if (!isBetter(search, foremostRank(measure, rule), bridge)) return;
  }
  for (const block of region.blocks) searchByLoad(search, block.bridges, loadOrderOf(block, key, settings), picking);
}

/** A block is passed over by a look at its first bridge when not even that would come before the best of those before. */
function searchByLoad(search: Search, bridges: readonly BridgeRecord[], order: LoadOrder, picking: Picking): void {
  const { rule, context, settings } = picking;
  // In a crowd: where even the least loaded is overloaded, nobody is asked one by one.
  if (rule.needs === hasRoom && order.key === 'stress' && order.measures[order.least]! >= settings.overload_stress)
    return;
  const foremost = rule.first === 'fullest' ? order.most : order.least;
  const isRanked = isBetter(search, foremostRank(order.measures[foremost]!, rule), bridges[foremost]!);
  if (!isRanked) return;
  const isRampedUp = context.atMs >= order.rampedUpAtMs;
  // Mostly it is the one: the others need not be looked at.
  const isByMeasure = isRampedUp && (rule.first !== 'fewest' || context.inConference(bridges[foremost]!) === 0);
  if ((isByMeasure || rule.first === 'fullest') && matches(bridges[foremost]!, picking)) {
    search.best = bridges[foremost]!;
    search.rank = foremostRank(order.measures[foremost]!, rule);
    return;
  }
  for (let index = 0; index < bridges.length; index++) {
    const measure = order.measures[index]!;
    // No rank is below the one that its measure would have by itself.
    if (search.best !== undefined && foremostRank(measure, rule) > search.rank) continue;
    const bridge = bridges[index]!;
    const rank = rankOf(bridge, measure, isRampedUp, rule, context, settings);
    // Whether it matches is asked last: few come before all that were seen, and the question costs more than the comparison.
    if (!isBetter(search, rank, bridge) || !matches(bridge, picking)) continue;
    search.best = bridge;
    search.rank = rank;
  }
}

/** `position` is that of the first bridge in its tier: it tells bridges apart where chance alone decides. */
function searchByChance(search: Search, bridges: readonly BridgeRecord[], picking: Picking, position: number): void {
  const { rule, context, draw } = picking;
  for (let index = 0; index < bridges.length; index++) {
    const bridge = bridges[index]!;
    const chance = spreadDraw(draw, position + index);
    const rank = rule.first === 'fewest' ? context.inConference(bridge) + belowOne(chance) : chance;
    if (!isBetter(search, rank, bridge) || !matches(bridge, picking)) continue;
    search.best = bridge;
    search.rank = rank;
  }
}

function isBetter({ best, rank: bestRank }: Search, rank: number, bridge: BridgeRecord): boolean {
  return best === undefined || rank < bestRank || (rank === bestRank && isBefore(bridge, best));
}

/** Undefined when two that match were not met within a few draws. */
function lowerOfTwo(tier: Tier, picking: Picking): BridgeRecord | undefined {
  let total = tier.few.length;
  for (const { blocks } of tier.regions) for (const { bridges } of blocks) total += bridges.length;
  if (total < 2) return undefined;
  const search: Search = { best: undefined, rank: 0 };
  for (let index = 0; index < TRIES_MAX; index++) {
    const position = spreadDraw(picking.draw, index) % total;
    const bridge = found(tier, position);
    if (bridge === search.best || !matches(bridge, picking)) continue;
    const rank = drawnRank(bridge, picking, position);
    if (search.best !== undefined) return isBetter(search, rank, bridge) ? bridge : search.best;
    search.best = bridge;
    search.rank = rank;
  }
  return undefined;
}

function drawnRank(bridge: BridgeRecord, { rule, context, settings, draw }: Picking, position: number): number {
  if (settings.sort_by === 'random') return spreadDraw(draw, position);
  return rankOf(bridge, measured(bridge, settings.sort_by, settings), false, rule, context, settings);
}

function matches(bridge: BridgeRecord, { rule, context, relaxed }: Picking): boolean {
  return isFit(bridge, context, relaxed) && rule.needs(bridge, context);
}

/** Less goes first. */
function rankOf(
  bridge: BridgeRecord,
  measure: number,
  isRampedUp: boolean,
  rule: Rule,
  context: RuleContext,
  settings: PlacementSettings,
): number {
  if (rule.first === 'fullest') return -measure;
  const credited = isRampedUp ? measure : measure / creditOf(bridge, context.atMs, settings.ramp_up_ms);
  return rule.first === 'fewest' ? context.inConference(bridge) + belowOne(credited) : credited;
}

/** The rank of a bridge of that measure with all of its capacity, and nobody of the conference: the least it can be. */
function foremostRank(measure: number, rule: Rule): number {
  if (rule.first === 'fullest') return -measure;
  return rule.first === 'fewest' ? belowOne(measure) : measure;
}

/** In the same order, from 0 to less than 1: it decides only between equals. */
function belowOne(measure: number): number {
  return measure / (1 + measure);
}

function found({ regions, few }: Tier, position: number): BridgeRecord {
  let left = position;
  for (const { blocks } of regions) {
    for (const { bridges } of blocks) {
      if (left < bridges.length) return bridges[left]!;
      left -= bridges.length;
    }
  }
  if (left < few.length) return few[left]!;
  throw new RangeError(`position ${position} is past the end`);
}
