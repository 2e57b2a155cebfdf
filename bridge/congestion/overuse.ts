import type { LossVerdict } from './loss-relation.ts';
import type { PathMonitor } from './path-monitor.ts';

/** A queue shorter than this does nobody harm, and the burst of one video frame makes it too. */
export const QUEUE_MS = 25;
/** A queue that no probe of another link makes: no need to see whether it stays. */
const QUEUE_MS_DEEP = 80;
/** A queue that is felt in a conversation, whether or not it grows. */
const QUEUE_MS_STANDING = 60;
/** How long a queue must stand: longer than a key frame's burst takes, and, for a short one, than others take to give way. */
const STANDING_SPAN_MS = 200;
const LINGERING_SPAN_MS = 1_500;
/** The queue of a key frame on a link that sends well below its budget: it is as long as a narrow path makes it, and gone by itself. */
const BURST_SPAN_MS = 500;
/** A queue that grows or shrinks by more than this, ms in a second, is growing or shrinking. */
export const MOVING_MS_PER_SECOND = 20;
/** A decrease that has changed nothing in this time was not about a queue of ours; before, the queue may still be draining. */
const RESPONSE_MS = 700;
/** Loss beyond the usual that is no accident. */
export const LOSS_AGAIN = 0.1;
/** The bound at 3 Mbit/s is QUEUE_MS; a rate of twice that gives way 10 ms of queue earlier. */
const BOUND_MS_PER_OCTAVE = 10;
const BOUND_BPS = 3e6;
export const BOUND_MS_MIN = 12;
const BOUND_MS_MAX = 50;

export type Overuse = 'delay-rising' | 'delay-standing' | 'queue-overflow' | 'loss-with-rate';

/** What a report, and those before it, say about the path. */
export interface PathSigns {
  readonly path: PathMonitor;
  /** Above this the queue is one: {@link queueBoundMs}. */
  readonly boundMs: number;
  /** Since the last decrease, by the send time of what is reported; Infinity when its queue is gone. */
  readonly drainingMs: number;
  /** Loss of the last second beyond the usual. */
  readonly excessLoss: number;
  /** What was sent lately leaves room in the budget: a queue is that of a burst, unless it stays. */
  readonly isSparing: boolean;
  readonly lossVerdict: LossVerdict;
  /** The limit drops what is over it without a queue, and the budget has come back to it. */
  readonly isNearPolicer: boolean;
}

interface Rule {
  readonly reason: Overuse;
  readonly holds: (signs: PathSigns) => boolean;
}

/** Why a path carries too much: the first rule that holds. */
const RULES: readonly Rule[] = [
  {
    reason: 'queue-overflow',
    holds: signs => isQueue(signs) && signs.drainingMs >= RESPONSE_MS && signs.excessLoss > LOSS_AGAIN,
  },
  {
    reason: 'delay-rising',
    holds: signs =>
      isQueue(signs) &&
      signs.path.trendMsPerSecond > MOVING_MS_PER_SECOND + 6 * signs.path.noiseMs &&
      ((signs.path.queueMs > QUEUE_MS_DEEP && !signs.isSparing) ||
        signs.path.smallestQueueMs(standingSpanMs(signs)) > signs.boundMs),
  },
  {
    reason: 'delay-standing',
    holds: signs =>
      isQueue(signs) &&
      signs.drainingMs >= RESPONSE_MS &&
      signs.path.trendMsPerSecond >= -(MOVING_MS_PER_SECOND + 2 * signs.path.noiseMs) &&
      (signs.path.smallestQueueMs(standingSpanMs(signs)) > QUEUE_MS_STANDING + 2 * signs.path.noiseMs ||
        signs.path.smallestQueueMs(LINGERING_SPAN_MS) > signs.boundMs),
  },
  { reason: 'loss-with-rate', holds: signs => signs.lossVerdict === 'with-rate' },
  { reason: 'loss-with-rate', holds: signs => signs.isNearPolicer && signs.excessLoss > LOSS_AGAIN },
];

export function overuseOf(signs: PathSigns): Overuse | undefined {
  return RULES.find(rule => rule.holds(signs))?.reason;
}

/**
 * How long a queue may be for who may send `bps`, above the path's usual noise. All links in one bottleneck see the same queue; the one with the largest share
 * takes it for one first, and gives way alone: that is what makes shares equal.
 */
export function queueBoundMs(bps: number, noiseMs: number): number {
  const octaves = bps === Number.POSITIVE_INFINITY ? 0 : Math.log2(bps / BOUND_BPS);
  const boundMs = QUEUE_MS - BOUND_MS_PER_OCTAVE * octaves;
  return Math.max(BOUND_MS_MIN, Math.min(BOUND_MS_MAX, boundMs)) + 2 * noiseMs;
}

function standingSpanMs({ isSparing }: PathSigns): number {
  return isSparing ? BURST_SPAN_MS : STANDING_SPAN_MS;
}

function isQueue({ path, boundMs }: PathSigns): boolean {
  return path.smoothedQueueMs > boundMs && path.queueMs > boundMs;
}
