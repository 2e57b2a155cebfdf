/**
 * One direction of a path, as a pure and seeded machine: it is told of each datagram and answers when it leaves the other end, or why it never does.
 *
 *      cut -> queue and bottleneck -> loss -> delay and jitter -> reordering -> duplication
 *
 * Nothing overtakes unless it is to be reordered: a datagram leaves no earlier than the one before it, whatever jitter or a shorter delay would say.
 */
import { Chance } from '../soak/chance.ts';
import { BurstLoss, type GilbertElliott, gilbertElliott, type LossKind } from './burst-loss.ts';
import { Jitter } from './jitter.ts';
import { changeSettings, DEFAULT_SETTINGS, type PathSettings } from './path-settings.ts';

export type DropReason = 'cut' | 'queue' | LossKind;

export type Outcome =
  /** One time, or two for a duplicate: ms of the clock that `offer` is given, not before its `nowMs`. */
  | { readonly kind: 'sent'; readonly leavesAtMs: readonly number[] }
  | { readonly kind: 'dropped'; readonly reason: DropReason };

/** offered = sent + cut + queueFull + lost + lostRandomly, in datagrams. */
export interface PathCounters {
  offered: number;
  offeredBytes: number;
  /** Datagrams that get through, a duplicate counted once. */
  sent: number;
  sentBytes: number;
  cut: number;
  queueFull: number;
  lost: number;
  lostRandomly: number;
  /** Of those sent. */
  heldBack: number;
  duplicated: number;
}

const COUNTER_OF: Readonly<Record<DropReason, 'cut' | 'queueFull' | 'lost' | 'lostRandomly'>> = {
  cut: 'cut',
  queue: 'queueFull',
  loss: 'lost',
  'random-loss': 'lostRandomly',
};

export const SEED_MAX = 2 ** 32 - 1;
const BITS_PER_BYTE_MS = 8_000;

export class PathModel {
  readonly counters: PathCounters = {
    offered: 0,
    offeredBytes: 0,
    sent: 0,
    sentBytes: 0,
    cut: 0,
    queueFull: 0,
    lost: 0,
    lostRandomly: 0,
    heldBack: 0,
    duplicated: 0,
  };
  readonly #loss: BurstLoss;
  readonly #jitter: Jitter;
  readonly #reordering: Chance;
  readonly #duplication: Chance;
  #settings: PathSettings;
  #nowMs = Number.NEGATIVE_INFINITY;
  /** When the bottleneck has sent all that it has accepted. */
  #busyUntilMs = Number.NEGATIVE_INFINITY;
  #leftLastAtMs = Number.NEGATIVE_INFINITY;

  /** `seed`: a whole number of 32 bits. Throws SettingsError. */
  constructor(seed: number, settings: Partial<PathSettings> = {}) {
    if (seed >>> 0 !== seed) throw new RangeError(`seed is ${seed}; allowed: a whole number from 0 to ${SEED_MAX}`);
    this.#settings = changeSettings(DEFAULT_SETTINGS, settings);
    // Each impairment has random numbers of its own: turning one on leaves the others' pattern as it was.
    const seeds = new Chance(seed);
    const chance = () => new Chance(seeds.below(2 ** 32));
    const [loss, jitter] = [chance(), chance()];
    this.#loss = new BurstLoss(() => loss.fraction(), lossOf(this.#settings));
    this.#jitter = new Jitter(() => jitter.fraction());
    this.#reordering = chance();
    this.#duplication = chance();
  }

  get settings(): PathSettings {
    return this.#settings;
  }

  /** For datagrams offered from now on; what is under way stays as it was. Throws SettingsError, and then changes nothing. */
  change(change: Partial<PathSettings>): void {
    this.#settings = changeSettings(this.#settings, change);
    this.#loss.change(lossOf(this.#settings));
  }

  /** A datagram enters. A time before the last one's counts as the last one's. `bytes` is its size on the wire. */
  offer(nowMs: number, bytes: number): Outcome {
    if (!Number.isFinite(nowMs)) throw new RangeError(`nowMs is ${nowMs}; allowed: a finite number`);
    if (!Number.isFinite(bytes) || bytes < 0) throw new RangeError(`bytes is ${bytes}; allowed: a number from 0`);
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    this.counters.offered++;
    this.counters.offeredBytes += bytes;
    return this.#decide(this.#nowMs, bytes);
  }

  #decide(nowMs: number, bytes: number): Outcome {
    const settings = this.#settings;
    // All are drawn for every datagram, used or not, so that the nth has the same luck under any settings.
    const lossKind = this.#loss.next();
    const deviation = this.#jitter.next(nowMs, settings.jitterCorrelationMs);
    const isHeldBack = this.#reordering.is(settings.reorderShare);
    const isDuplicated = this.#duplication.is(settings.duplicateShare);
    if (settings.isCut) return this.#drop('cut');
    const throughAtMs = this.#passBottleneck(nowMs, bytes);
    if (throughAtMs === undefined) return this.#drop('queue');
    if (lossKind !== undefined) return this.#drop(lossKind);
    const arrivesAtMs = throughAtMs + Math.max(0, settings.delayMs + settings.jitterMs * deviation);
    this.#leftLastAtMs = Math.max(this.#leftLastAtMs, arrivesAtMs);
    const leavesAtMs = this.#leftLastAtMs + (isHeldBack ? settings.reorderHoldMs : 0);
    this.counters.sent++;
    this.counters.sentBytes += bytes;
    if (isHeldBack) this.counters.heldBack++;
    if (isDuplicated) this.counters.duplicated++;
    return { kind: 'sent', leavesAtMs: isDuplicated ? [leavesAtMs, leavesAtMs] : [leavesAtMs] };
  }

  /** When its last bit has passed; undefined: the queue is full. An idle bottleneck takes a datagram of any size. */
  #passBottleneck(nowMs: number, bytes: number): number | undefined {
    const { rateBps, queueMs, queueBytes } = this.#settings;
    if (rateBps === 0) return nowMs;
    const startsAtMs = Math.max(nowMs, this.#busyUntilMs);
    const waitMs = startsAtMs - nowMs;
    if (waitMs > queueMs) return undefined;
    const waitingBytes = (waitMs * rateBps) / BITS_PER_BYTE_MS;
    if (queueBytes > 0 && waitMs > 0 && waitingBytes + bytes > queueBytes) return undefined;
    this.#busyUntilMs = startsAtMs + (bytes * BITS_PER_BYTE_MS) / rateBps;
    return this.#busyUntilMs;
  }

  #drop(reason: DropReason): Outcome {
    this.counters[COUNTER_OF[reason]]++;
    return { kind: 'dropped', reason };
  }
}

function lossOf({ lossShare, burstLength, randomLossShare }: PathSettings): GilbertElliott {
  return gilbertElliott(lossShare, burstLength, randomLossShare);
}
