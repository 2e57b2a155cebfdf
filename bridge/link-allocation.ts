/**
 * Who gets what on a full link: a pure function of what is wanted, what it takes, and what was decided before. docs/decisions/0011 has the reasons.
 *
 * Each source has levels, the layers of it that flow up to the highest that is wanted. Steps are granted in one order: first the lowest level of every source,
 * the most watched first; then every next level, the most watched first, lower ones before higher ones. What was granted stays while all of it fits the budget; something new is granted when it fits
 * with room to spare, one step a second, and may take the place of less watched steps. Audio comes off the top.
 */
import { LAYERS_MAX } from '../protocol/ids.ts';
import { NO_LAYER } from './forward/layer-choice.ts';
import { maskUpTo } from './link-supply.ts';

/** A step up must leave this share of the budget free: rates of video swing by about as much within a second. */
const HEADROOM = 0.1;
/** Between two steps up, over all sources of the link: what one costs must show before the next. */
export const CLIMB_INTERVAL_MS = 1_000;
/**
 * After a step up had to be taken back nothing that costs as much is tried for this long, and then twice that, and so on up to the maximum. Not that step alone: where one of several equal
 * ones does not fit, none does.
 */
export const HOLD_MS = 2_000;
export const HOLD_MS_MAX = 30_000;
/** Rates of equal layers differ by this much. */
const SIMILAR = 0.8;
/** A step up lets its viewers leave the level below as soon as they have its key frame; so long that one is not counted, though it still flows. */
const PASSING_MS = 1_500;
/** What a layer took lately counts for a step up, falling by this share a second: a picture that stands still for a moment moves again. */
const PEAK_DECAY_PER_SECOND = 0.1;

/** One video source that is wanted over the link. */
export interface WantedSource {
  /** Together unique, and the same from one decision to the next; among equals the lower ones come first. */
  readonly conferenceId: number;
  readonly key: number;
  /** Bit n: layer n is wanted (as far as the source has it). */
  readonly wantedMask: number;
  /** How many want each layer. */
  readonly viewers: readonly number[];
  /** Bit n: layer n has media. */
  readonly flowingMask: number;
  /** What each layer takes on the link, bit/s. */
  readonly layerBps: readonly number[];
}

export interface Allotment {
  readonly source: WantedSource;
  /** The highest layer that is sent; NO_LAYER for none. */
  readonly top: number;
  /** Layers that would be sent if there were room. */
  readonly withheldMask: number;
  readonly sentMask: number;
}

export interface Allocation {
  readonly allotments: readonly Allotment[];
  /** What is granted takes, and what everything that is wanted would; both with `fixedBps`. */
  readonly grantedBps: number;
  readonly wantedBps: number;
  /** Steps up, beyond the lowest level of what has just come to be wanted; steps down because the budget no longer sufficed, and in favour of something more watched. */
  readonly raised: number;
  readonly overBudget: number;
  readonly outbid: number;
  /** A level that is being left still flows: what is measured now is more than what was granted. */
  readonly isPassing: boolean;
}

/** What is remembered of a source between decisions. */
interface Standing {
  /** The highest layer it may have. */
  allowed: number;
  top: number;
  passingMask: number;
  passingUntilMs: number;
  readonly peakBps: number[];
  /** By layer: since when it is granted. */
  readonly grantedMs: number[];
}

interface Bid {
  readonly source: WantedSource;
  readonly standing: Standing;
  /** Flowing layers up to the highest wanted, lowest first; never empty. */
  readonly levels: readonly number[];
  /** By layer: how many of its viewers want nothing better. */
  readonly settled: readonly number[];
}

interface Step {
  readonly bid: Bid;
  /** Index into the bid's levels. */
  readonly level: number;
  readonly viewers: number;
}

/** A source that has come from one level down to another. */
interface Loss {
  readonly bid: Bid;
  readonly was: number;
  readonly is: number;
}

/** By bid, the index of its granted level; -1 for none. */
type Grants = Map<Bid, number>;

export class LinkAllocator {
  readonly #standings = new Map<string, Standing>();
  /** When the next step up may come. */
  #climbDueMs = Number.NEGATIVE_INFINITY;
  /** The budget that let the last one. */
  #climbedBps = 0;
  /** How long layers that take as much as the smallest of those that were taken back last are not tried, until when, and what that took. */
  #holdMs = 0;
  #holdUntilMs = Number.NEGATIVE_INFINITY;
  #failedBps = 0;
  #decidedMs = Number.NEGATIVE_INFINITY;

  /**
   * Decides anew. `fixedBps` is what comes before all video: audio, and whatever else the link carries. A source that was never seen before gets its lowest level
   * like the others; in the first decision of all, everything counts as granted, for it was.
   */
  decide(nowMs: number, budgetBps: number, fixedBps: number, sources: readonly WantedSource[]): Allocation {
    const isFirst = this.#decidedMs === Number.NEGATIVE_INFINITY;
    const bids = this.#bids(nowMs, isFirst, sources);
    const steps = inOrder(bids);
    const allowed: Grants = new Map(bids.map(bid => [bid, levelOf(bid, bid.standing.allowed)]));
    const kept = grant(steps, bid => allowed.get(bid) ?? -1, budgetBps - fixedBps, measuredBps);
    const failed = lower(allowed, kept).filter(wasGranted);
    if (failed.length > 0) this.#hold(nowMs, failed);
    const climbed = this.#climb(nowMs, steps, kept, budgetBps, fixedBps);
    const outbid = lower(kept, climbed);
    for (const bid of bids) settle(nowMs, bid, climbed.get(bid) ?? -1);
    this.#decidedMs = nowMs;
    return {
      allotments: sources.map(source => allot(source, this.#standings.get(nameOf(source)))),
      grantedBps: fixedBps + total(bids, bid => climbed.get(bid) ?? -1),
      wantedBps: fixedBps + total(bids, bid => bid.levels.length - 1),
      raised: climbed === kept ? 0 : 1,
      overBudget: failed.length,
      outbid: outbid.length,
      isPassing: bids.some(({ standing }) => standing.passingUntilMs > nowMs),
    };
  }

  #bids(nowMs: number, isFirst: boolean, sources: readonly WantedSource[]): Bid[] {
    const gone = new Set(this.#standings.keys());
    const bids: Bid[] = [];
    for (const source of sources) {
      const name = nameOf(source);
      gone.delete(name);
      const levels = levelsOf(source);
      let standing = this.#standings.get(name);
      if (standing === undefined) {
        standing = newStanding(
          isFirst ? LAYERS_MAX : (levels[0] ?? NO_LAYER),
          isFirst ? (levels.at(-1) ?? NO_LAYER) : NO_LAYER,
        );
        this.#standings.set(name, standing);
      }
      // What nobody wants any more is not kept for them.
      standing.allowed = Math.min(standing.allowed, 31 - Math.clz32(source.wantedMask));
      followPeaks(standing, source, nowMs - this.#decidedMs);
      if (levels.length === 0) standing.top = NO_LAYER;
      else bids.push({ source, standing, levels, settled: settledViewers(nowMs, source, standing) });
    }
    for (const name of gone) this.#standings.delete(name);
    return bids;
  }

  /** The grants with one more step, the most valuable for which there is room; `kept` itself when there is none, or it is too soon. */
  #climb(nowMs: number, steps: readonly Step[], kept: Grants, budgetBps: number, fixedBps: number): Grants {
    if (nowMs < this.#climbDueMs) return kept;
    const limitBps = (1 - HEADROOM) * budgetBps - fixedBps;
    const isHeld = nowMs < this.#holdUntilMs && budgetBps < this.#climbedBps + this.#failedBps;
    const heldBps = isHeld ? this.#failedBps * SIMILAR : Number.POSITIVE_INFINITY;
    for (const step of steps) {
      const { bid, level } = step;
      if (level !== (kept.get(bid) ?? -1) + 1 || measuredBps(bid, bid.levels[level]) >= heldBps) continue;
      const climbed = grant(steps, other => (other === bid ? level : (kept.get(other) ?? -1)), limitBps, peakBps);
      if (climbed.get(bid) === level && losesOnlyAfter(step, steps, kept, climbed)) {
        this.#climbDueMs = nowMs + CLIMB_INTERVAL_MS;
        this.#climbedBps = budgetBps;
        return climbed;
      }
    }
    return kept;
  }

  /** Steps had to be taken back: others like them would have to be, too. Had they lasted, the path has changed since and the first wait is short. */
  #hold(nowMs: number, failed: readonly Loss[]): void {
    this.#climbDueMs = nowMs + CLIMB_INTERVAL_MS;
    const isRecent = failed.some(({ bid, was }) => nowMs - bid.standing.grantedMs[bid.levels[was]] < HOLD_MS_MAX);
    this.#holdMs = isRecent && this.#holdMs > 0 ? Math.min(HOLD_MS_MAX, this.#holdMs * 2) : HOLD_MS;
    this.#holdUntilMs = nowMs + this.#holdMs;
    this.#failedBps = Math.min(...failed.map(({ bid, is }) => measuredBps(bid, bid.levels[is + 1])));
    if (!isRecent) this.#climbedBps = Number.POSITIVE_INFINITY;
  }
}

/** True when `after`, which grants `step` too, takes nothing away for it but what comes after it in order. */
function losesOnlyAfter(step: Step, steps: readonly Step[], before: Grants, after: Grants): boolean {
  for (const { bid, level } of steps) {
    if (bid === step.bid && level === step.level) return true;
    if (level <= (before.get(bid) ?? -1) && level > (after.get(bid) ?? -1)) return false;
  }
  return true;
}

/** Takes away what `after` no longer grants; returns who lost something. */
function lower(before: Grants, after: Grants): Loss[] {
  const losses: Loss[] = [];
  for (const [bid, was] of before) {
    const is = after.get(bid) ?? -1;
    if (is >= was) continue;
    bid.standing.allowed = is < 0 ? NO_LAYER : bid.levels[is];
    losses.push({ bid, was, is });
  }
  return losses;
}

/** False for what was only allowed: a source that is new, or a layer that flows again. */
function wasGranted({ bid, was }: Loss): boolean {
  return bid.standing.top >= bid.levels[was];
}

/** Puts a source on its level. */
function settle(nowMs: number, { source, standing, levels, settled }: Bid, level: number): void {
  const top = level < 0 ? NO_LAYER : levels[level];
  const was = standing.top;
  standing.top = top;
  if (top <= was) return;
  standing.allowed = Math.max(standing.allowed, top);
  standing.passingMask = 0;
  for (let layer = 0; layer < top; layer++) {
    if ((source.wantedMask & (1 << layer)) !== 0 && settled[layer] === 0) standing.passingMask |= 1 << layer;
  }
  standing.passingUntilMs = nowMs + PASSING_MS;
  for (let layer = was + 1; layer <= top; layer++) standing.grantedMs[layer] = nowMs;
}

function nameOf({ conferenceId, key }: WantedSource): string {
  return `${conferenceId}/${key}`;
}

function newStanding(allowed: number, top: number): Standing {
  return {
    allowed,
    top,
    passingMask: 0,
    passingUntilMs: Number.NEGATIVE_INFINITY,
    peakBps: new Array(LAYERS_MAX).fill(0),
    grantedMs: new Array(LAYERS_MAX).fill(Number.NEGATIVE_INFINITY),
  };
}

function followPeaks(standing: Standing, source: WantedSource, elapsedMs: number): void {
  const kept = Math.max(0, 1 - (PEAK_DECAY_PER_SECOND * elapsedMs) / 1000);
  for (let layer = 0; layer < LAYERS_MAX; layer++) {
    standing.peakBps[layer] = Math.max(source.layerBps[layer] ?? 0, standing.peakBps[layer] * kept);
  }
}

function levelsOf({ wantedMask, flowingMask }: WantedSource): number[] {
  const levels: number[] = [];
  for (let layer = 0; layer < LAYERS_MAX; layer++) {
    if ((flowingMask & (1 << layer)) !== 0 && wantedMask >> layer !== 0) levels.push(layer);
  }
  return levels;
}

/**
 * Who wants a layer that is held back is shown the highest one that is sent, and needs both: they are counted twice. Whoever is settled on a layer wants it and nothing
 * better.
 */
function settledViewers(nowMs: number, source: WantedSource, standing: Standing): number[] {
  const settled = new Array<number>(LAYERS_MAX).fill(0);
  let above = 0;
  for (let layer = LAYERS_MAX - 1; layer >= 0; layer--) {
    if ((source.wantedMask & (1 << layer)) === 0) continue;
    const viewers = source.viewers[layer] ?? 0;
    const isLeft = nowMs < standing.passingUntilMs && (standing.passingMask & (1 << layer)) !== 0;
    if (layer === standing.top) settled[layer] = Math.max(0, viewers - above);
    else if (!isLeft) settled[layer] = viewers;
    if (layer > standing.top) above += viewers;
  }
  return settled;
}

/** All steps of all bids in the order in which they are granted. Every bid's lowest level is a picture for somebody who else has none. */
function inOrder(bids: readonly Bid[]): Step[] {
  const steps: Step[] = [];
  for (const bid of bids) {
    for (let level = 0; level < bid.levels.length; level++) {
      steps.push({ bid, level, viewers: level === 0 ? sum(bid.settled, 0) : viewersAbove(bid, level) });
    }
  }
  return steps.sort(compareSteps);
}

function compareSteps(a: Step, b: Step): number {
  const isGranted = ({ bid, level }: Step) => (bid.levels[level] <= bid.standing.top ? 1 : 0);
  return (
    Math.min(a.level, 1) - Math.min(b.level, 1) ||
    b.viewers - a.viewers ||
    a.level - b.level ||
    isGranted(b) - isGranted(a) ||
    a.bid.source.conferenceId - b.bid.source.conferenceId ||
    a.bid.source.key - b.bid.source.key
  );
}

/** Whom this level gives more than the one below it. */
function viewersAbove({ levels, settled }: Bid, level: number): number {
  return sum(settled, levels[level - 1] + 1);
}

function sum(values: readonly number[], from: number): number {
  let result = 0;
  for (let index = from; index < values.length; index++) result += values[index];
  return result;
}

type RateOf = (bid: Bid, layer: number) => number;
const measuredBps: RateOf = ({ source }, layer) => source.layerBps[layer] ?? 0;
const peakBps: RateOf = ({ standing }, layer) => standing.peakBps[layer];

/** Grants steps in order, as far as `allowed` lets each bid and as long as `limitBps` suffices; what does not fit leaves the room to what comes after. */
function grant(steps: readonly Step[], allowed: (bid: Bid) => number, limitBps: number, rateOf: RateOf): Grants {
  const grants: Grants = new Map();
  let leftBps = limitBps;
  for (const { bid, level } of steps) {
    if (level !== (grants.get(bid) ?? -1) + 1 || level > allowed(bid)) continue;
    const moreBps = costOf(bid, level, rateOf) - costOf(bid, level - 1, rateOf);
    if (moreBps > leftBps) continue;
    leftBps -= moreBps;
    grants.set(bid, level);
  }
  return grants;
}

/** What a source takes at a level, -1 for none: that layer, and those below it with viewers of their own. */
function costOf(bid: Bid, level: number, rateOf: RateOf): number {
  if (level < 0) return 0;
  let bps = rateOf(bid, bid.levels[level]);
  for (let below = 0; below < level; below++) {
    const layer = bid.levels[below];
    if (bid.settled[layer] > 0) bps += rateOf(bid, layer);
  }
  return bps;
}

function total(bids: readonly Bid[], levelFor: (bid: Bid) => number): number {
  let bps = 0;
  for (const bid of bids) bps += costOf(bid, levelFor(bid), measuredBps);
  return bps;
}

/** The highest level that is not above `layer`, -1 for none. */
function levelOf({ levels }: Bid, layer: number): number {
  let level = levels.length - 1;
  while (level >= 0 && levels[level] > layer) level--;
  return level;
}

function allot(source: WantedSource, standing: Standing | undefined): Allotment {
  const levels = levelsOf(source);
  const top = standing?.top ?? NO_LAYER;
  const whole = maskUpTo(source.wantedMask, levels.at(-1) ?? NO_LAYER);
  const sentMask = maskUpTo(source.wantedMask, top) & source.flowingMask;
  return { source, top, withheldMask: whole & ~sentMask & source.flowingMask, sentMask };
}
