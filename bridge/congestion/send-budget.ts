import { BudgetLog, type BudgetReason } from './budget-log.ts';
import { HoldOff } from './hold-off.ts';
import { LossRelation } from './loss-relation.ts';
import {
  BOUND_MS_MIN,
  LOSS_AGAIN,
  MOVING_MS_PER_SECOND,
  type Overuse,
  overuseOf,
  QUEUE_MS,
  queueBoundMs,
} from './overuse.ts';
import type { PathMonitor } from './path-monitor.ts';
import { Probe, type ProbeVerdict } from './probe.ts';

/** Share of what came through that is sent on: so the queue drains, and equal links come to equal shares. */
const KEPT = 0.85;
/** The longer the queue, the less, down to half: 200 ms of it are gone in half a second. */
const KEPT_MIN = 0.5;
const KEPT_LESS_PER_MS = 1 / 600;
/** But what is sent stays while it is no more than this: a queue of 150 ms is gone in half a second. */
const KEPT_USUAL = 0.7;
/** What the path of several bridges can hardly be below; audio is sent whatever the budget. */
const BPS_MIN = 100_000;
/** A decrease shows in frames sent this long after it at the earliest: whoever obeys it has to stop a layer. */
const OBEYED_MS = 200;
/** A queue that has not become shorter by a fifth has not answered; one that a decrease is about does within this. */
const UNMOVED_SHARE = 0.8;
const UNMOVED_MS = 1_000;
/** A queue within its bound that is older is not what the last decrease was about. */
const OLD_MS = 5_000;
/** Nothing reported for so long, and a round trip: nothing is under way. */
const SILENT_MS = 500;
/** Near the last limit: grow slowly. Beyond: it holds no more. */
const NEAR_MIN = 0.7;
const NEAR_MAX = 1.15;
/** Additive steps grow with the root of the rate: small links catch up with large ones, and large ones do not take minutes. At 2 Mbit/s 10 % a second. */
const ADDITIVE_PER_ROOT = 140;
const MULTIPLICATIVE_PER_SECOND = 0.2;
/** Who sends no more than this of the budget has not filled a queue by that. */
const SPARING_SHARE = 0.8;
/** Growth must be used, or it proves nothing. */
const USED_SHARE = 0.65;
/** Growth beyond what the path is known to carry must be used more: an allocator would try it with a layer, and lose that again. */
const USED_SHARE_BEYOND = 0.75;
/** What the allocator keeps free before it steps up, and a little. */
const DEMAND_HEADROOM = 1.25;
/** The highest step of a usual camera, from its middle layer to its top one, with an allocator's reserve: room for one is tried for, the next when it is used. */
const STEP_BPS = 1_500_000;
const PROBE_FACTOR = 1.3;
/** After one that passed. */
const PROBE_FACTOR_NEXT = 2;
const PROBE_KEPT = 0.9;
/** Behind one that passed. */
const PROBE_PAUSE_MS = 150;
/** Nothing held back and no queue for so long: no limit is known any more. */
const CALM_MS = 10_000;
const LOSS_PROBE_FACTOR = 1.3;
const LOSS_SMOOTHING_MS = 700;

/**
 * How much a link may send: Infinity until the path shows a limit, then what it has been seen to carry. Told of each report and of time; README.md
 * has the story. It decides nothing about what is sent within it.
 */
export class SendBudget {
  bps = Number.POSITIVE_INFINITY;
  readonly log = new BudgetLog();
  readonly probe = new Probe();
  readonly #path: PathMonitor;
  readonly #loss = new LossRelation();
  readonly #holdOff = new HoldOff();
  readonly #lossHoldOff = new HoldOff();
  /** What the path carried when it last showed a limit; 0: that holds no more. */
  #limitBps = 0;
  #limitedSinceMs = 0;
  /** The limit drops what is over it and queues nothing. */
  #isPolicer = false;
  #lossNow = 0;
  /** The queue of the last decrease has to go first. */
  #isDraining = false;
  #decreasedMs = Number.NEGATIVE_INFINITY;
  #decreasedAtQueueMs = 0;
  /** Decreases in a row that no queue has answered to, and the budget before them. */
  #unanswered = 0;
  #bpsBefore = Number.POSITIVE_INFINITY;
  #hasPassed = false;
  #troubledMs = Number.NEGATIVE_INFINITY;

  constructor(path: PathMonitor) {
    this.#path = path;
  }

  get lossShare(): number {
    return this.#loss.lossShare;
  }

  /** Each report that the path's monitor has taken. `sentBps`: without probes. True when the budget is another one. */
  handleReport(nowMs: number, sentBps: number): boolean {
    const before = this.bps;
    const path = this.#path;
    this.#takeLoss(nowMs);
    const wasProbing = this.probe.isUnderWay;
    const verdict = this.probe.handleReport(path);
    if (verdict !== undefined) this.#handleVerdict(nowMs, verdict);
    if (!wasProbing) {
      const overuse = this.#overuse(sentBps);
      if (overuse !== undefined) this.#decrease(nowMs, overuse, sentBps);
      else if (this.#isDraining) this.#drain(nowMs);
      else if (this.bps !== Number.POSITIVE_INFINITY) this.#grow(nowMs, sentBps);
    }
    return this.bps !== before;
  }

  /**
   * Every 10 ms while the link is up. `demandBps`: what everything wanted would take, 0 while nothing is held back. `bytesOut`: all that was ever
   * sent. True when the budget is another one.
   */
  handleTimeout(nowMs: number, demandBps: number, sentBps: number, bytesOut: number, rttMs: number): boolean {
    const before = this.bps;
    const verdict = this.probe.handleTimeout(nowMs, rttMs);
    if (verdict !== undefined) this.#handleVerdict(nowMs, verdict);
    const isSilent = this.#isSilent(nowMs, rttMs + SILENT_MS);
    if (isSilent) this.#isDraining = false;
    const isQueue = this.#isDraining || (!isSilent && this.#path.smoothedQueueMs > this.#boundMs);
    if (demandBps > 0 || isQueue) this.#troubledMs = nowMs;
    if (this.bps !== Number.POSITIVE_INFINITY && nowMs - this.#troubledMs >= CALM_MS) this.#lift(nowMs);
    if (!this.probe.isUnderWay && this.#path.reports > 0) this.#startProbe(nowMs, demandBps, sentBps, bytesOut, rttMs);
    return this.bps !== before;
  }

  /** The link is down: what was measured may not hold when it is up again; the limit is kept. */
  handleDown(): void {
    this.probe.cancel();
    this.#loss.restart();
    this.#isDraining = false;
    this.#unanswered = 0;
  }

  /** Above this the queue is one. */
  get #boundMs(): number {
    return queueBoundMs(this.bps, this.#path.noiseMs);
  }

  #overuse(sentBps: number): Overuse | undefined {
    // So little is not what fills a queue, and there is nothing to leave out.
    if (sentBps < BPS_MIN) return undefined;
    const path = this.#path;
    const sinceMs = path.newestSentMs - this.#decreasedMs;
    if (sinceMs < OBEYED_MS + (this.#isDraining ? this.#decreasedAtQueueMs : 0)) return undefined;
    return overuseOf({
      path,
      boundMs: this.#boundMs,
      drainingMs: this.#isDraining ? sinceMs : Number.POSITIVE_INFINITY,
      excessLoss: this.#lossNow - this.#loss.lossShare,
      isSparing: sentBps <= SPARING_SHARE * this.bps && this.bps !== Number.POSITIVE_INFINITY,
      lossVerdict: this.#loss.verdict,
      isNearPolicer: this.#isPolicer && this.#limitBps > 0 && this.bps >= 0.9 * this.#limitBps,
    });
  }

  #decrease(nowMs: number, reason: Overuse, sentBps: number): void {
    const path = this.#path;
    const isUnanswered = this.#isDraining && this.#isUnmoved(path.queueMs);
    if (isUnanswered && reason === 'delay-standing' && this.#isOtherPath()) {
      this.#takeOtherPath(nowMs);
      return;
    }
    if (!this.#isDraining) {
      this.#bpsBefore = this.bps;
      this.#unanswered = 0;
    } else if (isUnanswered) this.#unanswered++;
    if (this.bps === Number.POSITIVE_INFINITY) this.#limitedSinceMs = nowMs;
    const isLoss = reason === 'loss-with-rate';
    this.#limitBps = Math.max(BPS_MIN, isLoss ? path.deliveredBps : this.#carriedBps(sentBps));
    const kept = isLoss ? KEPT : keptAt(path.queueMs - QUEUE_MS);
    // The queue of a burst is gone as soon below what is usually sent, where that leaves room: a layer less would cost a key frame, the next burst.
    const usualBps = Math.min(sentBps, KEPT_USUAL * this.#limitBps);
    this.#change(nowMs, reason, Math.min(Math.max(this.#limitBps * kept, usualBps), 0.95 * this.bps));
    this.#isPolicer = isLoss;
    this.#isDraining = !isLoss;
    this.#decreasedMs = nowMs;
    this.#decreasedAtQueueMs = path.queueMs;
    this.#troubledMs = nowMs;
    this.#hasPassed = false;
    this.#loss.restart();
    this.#lossNow = 0;
    this.#holdOff.handleFailure(nowMs, nowMs - this.#limitedSinceMs);
  }

  /** What came through while the bottleneck was busy; who used only a part of its budget has lost as large a part of it as of what it sent. */
  #carriedBps(sentBps: number): number {
    const { busyBps } = this.#path;
    const isWhole = this.#isDraining || this.bps === Number.POSITIVE_INFINITY || sentBps === 0;
    return isWhole ? busyBps : busyBps * Math.max(1, Math.min(1 / USED_SHARE, this.bps / sentBps));
  }

  /** A queue that two decreases leave as it was, while all that is sent comes through, is the delay of another route. */
  #isOtherPath(): boolean {
    return this.#unanswered > 0 && this.#isStill();
  }

  #isStill(): boolean {
    const path = this.#path;
    const isLevel = Math.abs(path.trendMsPerSecond) < MOVING_MS_PER_SECOND + 3 * path.noiseMs;
    return isLevel && this.#lossNow < LOSS_AGAIN;
  }

  /** A queue that is as long as it was at the last decrease, and is no noise. */
  #isUnmoved(queueMs: number): boolean {
    return queueMs > UNMOVED_SHARE * this.#decreasedAtQueueMs && queueMs > BOUND_MS_MIN + 2 * this.#path.noiseMs;
  }

  #isSilent(nowMs: number, spanMs: number): boolean {
    return this.#path.newestSentMs < nowMs - spanMs;
  }

  #takeOtherPath(nowMs: number): void {
    const queueMs = this.#path.queueMs;
    this.#path.takeQueueForPath();
    this.#isDraining = false;
    this.#unanswered = 0;
    this.#limitBps = 0;
    this.#change(nowMs, 'path-changed', this.#bpsBefore, queueMs);
    this.#holdOff.restart(nowMs);
  }

  /** The queue of the last decrease is gone: what was kept back for that is given free. */
  #drain(nowMs: number): void {
    const path = this.#path;
    if (path.newestSentMs < this.#decreasedMs + OBEYED_MS) return;
    const isUnmoved = this.#isUnmoved(path.smoothedQueueMs);
    if (isUnmoved || path.smoothedQueueMs > this.#boundMs || path.queueMs > this.#boundMs) {
      // A queue of ours becomes shorter; one that stays as it is, is the path's.
      if (path.newestSentMs < this.#decreasedMs + OBEYED_MS + UNMOVED_MS || !this.#isStill()) return;
      if (isUnmoved) return this.#takeOtherPath(nowMs);
      path.takeQueueForPath();
    }
    this.#isDraining = false;
    this.#unanswered = 0;
    const bps = KEPT * this.#limitBps;
    if (bps > this.bps) this.#change(nowMs, 'drained', bps);
  }

  #grow(nowMs: number, sentBps: number): void {
    const path = this.#path;
    if (path.intervalMs === 0 || !this.#isUsed(sentBps)) return;
    if (path.smoothedQueueMs > this.#boundMs) return;
    const seconds = Math.min(250, path.intervalMs) / 1000;
    const isNear = this.#limitBps > 0 && this.bps >= NEAR_MIN * this.#limitBps;
    if (isNear) this.#change(nowMs, 'additive', this.bps + ADDITIVE_PER_ROOT * Math.sqrt(this.bps) * seconds);
    else this.#change(nowMs, 'multiplicative', this.bps * (1 + MULTIPLICATIVE_PER_SECOND * seconds));
    this.#forgetPassedLimit(nowMs);
  }

  #isUsed(sentBps: number): boolean {
    const isBeyond = this.#limitBps > 0 && this.bps >= this.#limitBps;
    return sentBps >= (isBeyond ? USED_SHARE_BEYOND : USED_SHARE) * this.bps;
  }

  #forgetPassedLimit(nowMs: number): void {
    if (this.#limitBps === 0 || this.bps < NEAR_MAX * this.#limitBps) return;
    this.#limitBps = 0;
    this.#isPolicer = false;
    this.#holdOff.restart(nowMs);
  }

  #lift(nowMs: number): void {
    this.#change(nowMs, 'unlimited', Number.POSITIVE_INFINITY);
    this.#limitBps = 0;
    this.#isPolicer = false;
    this.#hasPassed = false;
    this.#holdOff.restart(nowMs);
  }

  #startProbe(nowMs: number, demandBps: number, sentBps: number, bytesOut: number, rttMs: number): void {
    const path = this.#path;
    // With everything held back there is nothing to measure: then the probe itself is what is.
    const isSilent = this.#isSilent(nowMs, rttMs + SILENT_MS);
    if (this.#isDraining || (isSilent && demandBps === 0)) return;
    const isShort = path.smoothedQueueMs < QUEUE_MS / 2 + 2 * path.noiseMs;
    // What has long stood still is not of our making; a probe is judged by what it adds.
    const isOld = nowMs - this.#decreasedMs >= OLD_MS && path.smoothedQueueMs <= this.#boundMs && this.#isStill();
    const isQuiet = isSilent || isShort || isOld;
    const lossShare = this.#loss.lossShare;
    const targetBps = DEMAND_HEADROOM * demandBps;
    // Growth that is used finds a limit more gently than a probe does.
    const mayGrow = this.#limitBps > 0 && this.#isUsed(sentBps);
    const isRoomUnused = this.bps - sentBps > Math.max(sentBps, STEP_BPS);
    if (isQuiet && !isRoomUnused && targetBps > 1.02 * this.bps && !mayGrow && this.#holdOff.isOver(nowMs)) {
      const factor = this.#hasPassed ? PROBE_FACTOR_NEXT : PROBE_FACTOR;
      const rateBps = Math.min(targetBps / PROBE_KEPT, factor * this.bps);
      this.probe.start(nowMs, 'limit', rateBps, bytesOut, path, lossShare);
    } else if (this.#loss.verdict === 'unsure' && this.#lossHoldOff.isOver(nowMs)) {
      this.probe.start(nowMs, 'loss', LOSS_PROBE_FACTOR * sentBps, bytesOut, path, lossShare);
      this.#lossHoldOff.handleFailure(nowMs, Number.POSITIVE_INFINITY);
    }
  }

  #handleVerdict(nowMs: number, verdict: ProbeVerdict): void {
    if (this.probe.kind === 'loss' || this.bps === Number.POSITIVE_INFINITY) return;
    this.#hasPassed = verdict === 'passed';
    if (verdict === 'passed') {
      const bps = PROBE_KEPT * this.probe.rateBps;
      if (bps > this.bps) this.#change(nowMs, 'probe-passed', bps);
      this.#forgetPassedLimit(nowMs);
      this.#holdOff.restart(nowMs + PROBE_PAUSE_MS);
      return;
    }
    this.#holdOff.handleFailure(nowMs, nowMs - this.#limitedSinceMs);
    // What came through while the probe queued is no more than what it carries: the bottleneck was idle before.
    const carriedBps = Math.max(this.probe.carriedBps, this.#path.busyBps);
    const foundBps = KEPT * Math.min(carriedBps, this.probe.rateBps);
    this.#limitBps = foundBps / KEPT;
    const isFound = foundBps > this.bps || this.bps > this.#limitBps;
    this.#change(nowMs, isFound ? 'probe-found-limit' : 'probe-failed', isFound ? foundBps : this.bps);
    this.#isDraining = true;
    this.#decreasedMs = nowMs;
    this.#decreasedAtQueueMs = this.#path.queueMs;
    this.#bpsBefore = this.bps;
    this.#unanswered = 0;
  }

  #takeLoss(nowMs: number): void {
    const { intervalMs, framesSent, framesArrived } = this.#path;
    if (intervalMs === 0 || framesSent === 0) return;
    // A queue that overflows loses with the rate too; the delay has told that already.
    if (!this.#isDraining) this.#loss.add(intervalMs, framesSent, framesArrived);
    if (this.#loss.verdict === 'none') this.#lossHoldOff.restart(nowMs);
    const lossShare = Math.max(0, 1 - framesArrived / framesSent);
    this.#lossNow += (lossShare - this.#lossNow) * (intervalMs / (intervalMs + LOSS_SMOOTHING_MS));
  }

  #change(nowMs: number, reason: BudgetReason, bps: number, queueMs = this.#path.queueMs): void {
    const before = this.bps;
    this.bps = Math.max(BPS_MIN, bps);
    this.log.add(nowMs, reason, before, this.bps, queueMs, this.#path.deliveredBps);
  }
}

function keptAt(queueMs: number): number {
  return Math.max(KEPT_MIN, Math.min(KEPT, KEPT - queueMs * KEPT_LESS_PER_MS));
}
