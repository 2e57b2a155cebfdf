import type { Ping, Pong } from '../../protocol/octo/ping.ts';
import type { LossRecovery } from './loss-recovery.ts';
import { LossWindow } from './loss-window.ts';

export const PING_INTERVAL_MS = 250;
/** While the peer is not heard: the first ping after an outage brings the link up. */
export const PING_INTERVAL_HUSHED_MS = 100;
/** Until the first pong. */
const RTT_MS_ASSUMED = 100;
const PINGS_REMEMBERED = 16;
/** Weight of the newest interval in the smoothed loss: half of it is older than two seconds. */
const LOSS_GAIN = 0.1;

/**
 * What a link measures with its pings: round trip, the peer's clock, loss both ways before recovery. Sixteen pings are
 * remembered; an answer to an older one is ignored.
 */
export class LinkMeter {
  /** Smoothed as RFC 6298 section 2 does (gain 1/8); null until the first pong. */
  rttMs: number | null = null;
  /** Peer's clock minus ours, from the quickest of recent round trips; null until the first pong. */
  clockOffsetMs: number | null = null;
  /** Share of frames, 0-1, that did not arrive at the first try. */
  lossIn = 0;
  lossOut = 0;
  /** The same to the peer over ten seconds, with the length of its bursts. */
  readonly recentLossOut = new LossWindow();
  /** Share of frames, 0-1, that recovery has given up. */
  residualIn = 0;
  /** Mean deviation of the round trip, RFC 6298 section 2 (gain 1/4); 0 until the first pong. */
  rttDeviationMs = 0;
  #dueMs = 0;
  #number = 0;
  readonly #sentMs = new Float64Array(PINGS_REMEMBERED).fill(-1);
  readonly #numbers = new Float64Array(PINGS_REMEMBERED).fill(-1);
  #quickestMs = Number.POSITIVE_INFINITY;
  readonly #in = new LossShare();
  readonly #out = new LossShare();
  readonly #residual = new LossShare();

  /** The round trip to reckon timers with. */
  get rttOrAssumedMs(): number {
    return this.rttMs ?? RTT_MS_ASSUMED;
  }

  isPingDue(nowMs: number, isHushed: boolean): boolean {
    return nowMs >= this.#dueMs - (isHushed ? PING_INTERVAL_MS - PING_INTERVAL_HUSHED_MS : 0);
  }

  /** The ping to send now; the next is due in 250 ms, or 100 while the peer is not heard. */
  takePing(nowMs: number, incarnation: number, recovery: LossRecovery): Ping {
    this.#dueMs = nowMs + PING_INTERVAL_MS;
    const number = this.#number;
    this.#number = (this.#number + 1) % 0x100000000;
    this.#sentMs[number % PINGS_REMEMBERED] = nowMs;
    this.#numbers[number % PINGS_REMEMBERED] = number;
    const expected = recovery.highest + 1;
    this.lossIn = this.#in.update(expected, recovery.lost);
    this.residualIn = this.#residual.update(expected, recovery.unrepaired);
    return {
      incarnation,
      number,
      sentMicros: toMicros(nowMs),
      expected: Math.min(expected, 0xffffffff),
      lost: Math.min(recovery.lost, 0xffffffff),
      bursts: Math.min(recovery.bursts, 0xffffffff),
    };
  }

  handlePing(ping: Ping): void {
    this.lossOut = this.#out.update(ping.expected, ping.lost);
    this.recentLossOut.update(ping.expected, ping.lost, ping.bursts);
  }

  /** Mean number of frames to the peer that are lost in a row, at least 1. */
  get burstLengthOut(): number {
    return this.recentLossOut.burstLength;
  }

  handlePong(nowMs: number, pong: Pong): void {
    const index = pong.number % PINGS_REMEMBERED;
    if (this.#numbers[index] !== pong.number) return;
    this.#numbers[index] = -1;
    const heldMs = (pong.sentMicros - pong.receivedMicros) / 1000;
    const tripMs = nowMs - this.#sentMs[index] - heldMs;
    if (heldMs < 0 || tripMs < 0) return;
    if (this.rttMs !== null) this.rttDeviationMs += (Math.abs(tripMs - this.rttMs) - this.rttDeviationMs) / 4;
    this.rttMs = this.rttMs === null ? tripMs : this.rttMs + (tripMs - this.rttMs) / 8;
    // The quicker a round trip, the less queueing hides in it; the bound drifts up so that a changed path is noticed.
    this.#quickestMs = Math.min(this.#quickestMs * 1.02 + 0.05, tripMs);
    if (tripMs > this.#quickestMs) return;
    const thereMs = pong.receivedMicros / 1000 - this.#sentMs[index];
    const backMs = nowMs - pong.sentMicros / 1000;
    this.clockOffsetMs = (thereMs - backMs) / 2;
  }

  /** New keys: counters on both sides start again. A ping is due at once. */
  handleNewSession(): void {
    this.#dueMs = 0;
    this.#in.restart();
    this.#out.restart();
    this.recentLossOut.restart();
    this.#residual.restart();
  }
}

/** Microseconds, as they cross the wire. */
export function toMicros(ms: number): number {
  return Math.max(0, Math.floor(ms * 1000));
}

/** Smoothed share from two growing counters. */
class LossShare {
  #share = 0;
  #expected = 0;
  #lost = 0;

  update(expected: number, lost: number): number {
    const expectedNow = expected - this.#expected;
    const lostNow = lost - this.#lost;
    if (expectedNow > 0 && lostNow >= 0) {
      this.#share += (Math.min(1, lostNow / expectedNow) - this.#share) * LOSS_GAIN;
    }
    this.#expected = expected;
    this.#lost = lost;
    return this.#share;
  }

  restart(): void {
    this.#expected = 0;
    this.#lost = 0;
  }
}
