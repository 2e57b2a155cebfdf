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
    const ranks = ranksOf(list, picking, position);
    position += list.length;
    for (let index = 0; index < list.length; index++) {
      const rank = ranks[index]!;
      // Whether it matches is asked last: few come before all that were seen, and the question costs more than the comparison.
      if (best !== undefined && !(rank < bestRank || (rank === bestRank && isBefore(list[index]!, best)))) continue;
      if (!matches(list[index]!, picking)) continue;
      best = list[index]!;
      bestRank = rank;
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
    const rank = ranksOf([bridge], picking, position)[0]!;
    if (first !== undefined) {
      return rank < firstRank || (rank === firstRank && isBefore(bridge, first)) ? bridge : first;
    }
    first = bridge;
    firstRank = rank;
  }
  return undefined;
}

function matches(bridge: BridgeRecord, { rule, context, relaxed }: Picking): boolean {
  return isFit(bridge, context, relaxed) && rule.needs(bridge, context);
}

/** Used again and again: ranks are read before the next list is ranked. Grows to the largest list there ever was. */
let scratch = new Float64Array(256);

/**
 * Less goes first. `position` is that of the first bridge in its tier: it tells bridges apart where chance alone decides. All of a list at
 * once, each way in a loop of its own: this is what a placement spends its time with.
 */
function ranksOf(list: readonly BridgeRecord[], picking: Picking, position: number): Float64Array {
  const { rule, context, settings, draw } = picking;
  const { sort_by: key } = settings;
  const { atMs } = context;
  if (scratch.length < list.length) scratch = new Float64Array(list.length * 2);
  const ranks = scratch;
  const count = list.length;
  if (key === 'random') for (let index = 0; index < count; index++) ranks[index] = spreadDraw(draw, position + index);
  else if (rule.first === 'fullest') {
    for (let index = 0; index < count; index++) ranks[index] = -measured(list[index]!, key, settings);
  } else for (let index = 0; index < count; index++) ranks[index] = measureOf(list[index]!, key, atMs, settings);
  if (rule.first === 'fewest') {
    for (let index = 0; index < count; index++) {
      ranks[index] = context.inConference(list[index]!) + belowOne(ranks[index]!);
    }
  }
  return ranks;
}

/** In the same order, from 0 to less than 1: it decides only between equals. */
function belowOne(measure: number): number {
  return measure / (1 + measure);
}

/** Equal ones by what they were given since their reports, then by name: the same view always has the same answer. */
function isBefore(a: BridgeRecord, b: BridgeRecord): boolean {
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
