/** Which of the bridges that a rule matches gets the participant. */
import type { BridgeRecord } from '../store/store.ts';
import { measured, measureOf } from './bridge-load.ts';
import { spreadDraw } from './chance.ts';
import type { PlacementSettings } from './choose-bridge.ts';
import { isFit, type Relaxed } from './fitness.ts';
import type { Rule, RuleContext } from './rule-sets.ts';

/** Bridges in parts: lists that are ordered by id. */
export type Tier = readonly (readonly BridgeRecord[])[];

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
  const isDrawn = settings.algorithm === 'two-choice' && (rule.first === 'least' || rule.first === 'nearest');
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
  let best: BridgeRecord | undefined;
  let bestRank = 0;
  let position = 0;
  for (const list of tier) {
    for (const bridge of list) {
      position++;
      if (!matches(bridge, picking)) continue;
      const rank = rankOf(bridge, picking, position);
      if (best === undefined || isBefore(bridge, rank, best, bestRank)) {
        best = bridge;
        bestRank = rank;
      }
    }
  }
  return best;
}

/** Undefined when two that match were not met within a few draws. */
function lowerOfTwo(tier: Tier, picking: Picking): BridgeRecord | undefined {
  let total = 0;
  for (const list of tier) total += list.length;
  if (total < 2) return undefined;
  let first: BridgeRecord | undefined;
  let firstRank = 0;
  for (let index = 0; index < TRIES_MAX; index++) {
    const position = spreadDraw(picking.draw, index) % total;
    const bridge = at(tier, position);
    if (bridge === first || !matches(bridge, picking)) continue;
    const rank = rankOf(bridge, picking, position);
    if (first !== undefined) return isBefore(bridge, rank, first, firstRank) ? bridge : first;
    first = bridge;
    firstRank = rank;
  }
  return undefined;
}

function matches(bridge: BridgeRecord, { rule, context, relaxed }: Picking): boolean {
  return isFit(bridge, context, relaxed) && rule.needs(bridge, context);
}

/** Less goes first. `position` tells bridges apart where chance alone decides. */
function rankOf(bridge: BridgeRecord, { rule, context, settings, draw }: Picking, position: number): number {
  const chance = spreadDraw(draw, position);
  const { sort_by: key } = settings;
  switch (rule.first) {
    case 'fullest':
      return key === 'random' ? chance : -measured(bridge, key, settings);
    case 'fewest':
      return context.inConference(bridge) + belowOne(measureOf(bridge, key, context.atMs, chance, settings));
    default:
      return measureOf(bridge, key, context.atMs, chance, settings);
  }
}

/** In the same order, from 0 to less than 1: it decides only between equals. */
function belowOne(measure: number): number {
  return measure / (1 + measure);
}

/** Equal ones by what they were given since their reports, then by name: the same view always has the same answer. */
function isBefore(a: BridgeRecord, rankA: number, b: BridgeRecord, rankB: number): boolean {
  if (rankA !== rankB) return rankA < rankB;
  if (a.placedSinceReport !== b.placedSinceReport) return a.placedSinceReport < b.placedSinceReport;
  return a.bridgeId < b.bridgeId;
}

function at(tier: Tier, position: number): BridgeRecord {
  let left = position;
  for (const list of tier) {
    if (left < list.length) return list[left]!;
    left -= list.length;
  }
  throw new RangeError(`position ${position} is past the end`);
}
