import { FRAGMENT_WINDOW } from '../../protocol/octo/message-ack.ts';
import { RateWindow } from '../receive/rate-window.ts';

/** A full fragment with header, tag, UDP and IP: what the pace counts one as. */
const FRAGMENT_WIRE_BYTES = 1228;
/** Sent at first, before anything is known of the path: 36 kB, as much as a TCP of today begins with, times two. */
const WINDOW_FIRST = 32;
/** However bad it looks: 8 fragments a round trip are 400 kbit/s at 200 ms. */
const WINDOW_MIN = 8;
/** 32 fragments in 10 ms, about 30 Mbit/s: more at once would push media aside even where the path has room. */
const RATE_BYTES_PER_MS_MAX = (32 * FRAGMENT_WIRE_BYTES) / 10;
/** Of a link that is known to be narrow, messages take a quarter while media has not all it wants; media is what the link is for. */
const BUDGET_SHARE = 0.25;
/** Of what media with all it wants leaves: the rest is for what it may take in a moment. */
const LEFT_SHARE = 0.9;
/** And never less than this, or a slow link would carry none: 64 kbit/s. */
const FLOOR_BYTES_PER_MS = 8;
/** What may leave at once after a pause, at the least: a 15 kB chunk of LiveKit's streams is 14 fragments. */
const BURST_BYTES_MIN = 14 * FRAGMENT_WIRE_BYTES;
const BURST_MS = 20;

/** A standing queue longer than this is ours to shorten. Acknowledgements wait for a tick of 10 ms on each side; that is no queue. */
const QUEUE_MS_MAX = 40;
/** Random loss on long paths stays below; a policer or a queue without room does not. The link's own NACKs repair it either way. */
const LOSS_SHARE_MAX = 0.2;
const DECREASE = 0.7;
/** A round with fewer acknowledged says nothing of the path. */
const ROUND_SAMPLES_MIN = 8;
/** The shortest round trip is remembered for one to two of these: a path that has become longer is not a queue for ever. */
const BASE_MS = 15_000;

/** Ticks, and the pauses of a busy event loop on either side: on a short path these are longer than the round trip. */
const RETRY_MS_MIN = 100;
const RETRY_MARGIN_MS = 50;
const RETRY_MS_MAX = 1000;

/** What a link has room for. */
export interface LinkRoom {
  /** What it may send in all, bit/s; Infinity when nothing limits it. */
  readonly budgetBps: number;
  /** What it has sent in all over the last second, bit/s. */
  readonly sentBps: number;
  /** No media is held back from it. */
  readonly isAllWantedSent: boolean;
}

/**
 * How fast reliable messages go. A window of fragments under way that grows while it is used and the path answers promptly, and shrinks when a queue builds or
 * much is lost; within it, a pace, so that a window never leaves as one burst; on a link with a budget, a share of it. Round trips are taken from
 * acknowledgements of fragments that were sent once (Karn), as RFC 6298 does.
 */
export class MessagePace {
  /** Fragments that may be under way. */
  window = WINDOW_FIRST;
  #isStarting = true;
  #allowanceBytes = BURST_BYTES_MIN;
  #filledMs = Number.NEGATIVE_INFINITY;
  #smoothedMs = -1;
  #variationMs = 0;
  /** What repeats have come to since the last clear round trip: fragments sent meanwhile wait as long (RFC 6298 section 5.5). */
  #backedOffMs = 0;
  #baseMs = Number.POSITIVE_INFINITY;
  #formerBaseMs = Number.POSITIVE_INFINITY;
  #baseUntilMs = Number.NEGATIVE_INFINITY;
  #roundEndMs = Number.NEGATIVE_INFINITY;
  #roundShortestMs = Number.POSITIVE_INFINITY;
  #roundSamples = 0;
  #roundAcked = 0;
  #roundLost = 0;
  #wasFull = false;
  readonly #sent = new RateWindow();

  /** Time passes: bytes may be sent again. */
  refill(nowMs: number, rttMs: number, room: LinkRoom): void {
    const bytesPerMs = this.#bytesPerMs(nowMs, rttMs, room);
    const burstBytes = Math.max(BURST_BYTES_MIN, bytesPerMs * BURST_MS);
    const elapsedMs = Math.max(0, nowMs - this.#filledMs);
    this.#filledMs = nowMs;
    this.#allowanceBytes = Math.min(burstBytes, this.#allowanceBytes + bytesPerMs * elapsedMs);
  }

  /** Whether a fragment may leave now, were the window no matter: repeats are paced as well. */
  get hasAllowance(): boolean {
    return this.#allowanceBytes > 0;
  }

  /** Whether a new fragment may join the `underWay`. */
  admits(underWay: number): boolean {
    const isFull = underWay >= this.window;
    if (isFull) this.#wasFull = true;
    return !isFull;
  }

  handleSent(nowMs: number): void {
    this.#allowanceBytes -= FRAGMENT_WIRE_BYTES;
    this.#sent.add(nowMs, FRAGMENT_WIRE_BYTES);
  }

  /** A fragment was sent again: its acknowledgement was overdue. */
  handleRepeat(): void {
    this.#roundLost++;
  }

  /** `tripMs`: from its only transmission to its acknowledgement; -1 when it was sent more than once. */
  handleAcked(nowMs: number, tripMs: number): void {
    this.#roundAcked++;
    if (tripMs < 0) return;
    this.#backedOffMs = 0;
    this.#smooth(tripMs);
    this.#remember(nowMs, tripMs);
    this.#roundSamples++;
    this.#roundShortestMs = Math.min(this.#roundShortestMs, tripMs);
  }

  /** After each acknowledgement: once a round trip, the window is set anew. */
  endRound(nowMs: number, rttMs: number): void {
    if (nowMs < this.#roundEndMs) return;
    this.#adapt();
    this.#roundEndMs = nowMs + this.#tripMs(rttMs);
    this.#roundShortestMs = Number.POSITIVE_INFINITY;
    this.#roundSamples = 0;
    this.#roundAcked = 0;
    this.#roundLost = 0;
    this.#wasFull = false;
  }

  /** When a fragment sent now is overdue (RFC 6298 section 2); `rttMs` until round trips are known. */
  retryMs(rttMs: number): number {
    const retryMs =
      this.#smoothedMs < 0
        ? 1.5 * rttMs + RETRY_MARGIN_MS
        : this.#smoothedMs + Math.max(RETRY_MARGIN_MS, 4 * this.#variationMs);
    return Math.max(RETRY_MS_MIN, this.#backedOffMs, Math.min(RETRY_MS_MAX, retryMs));
  }

  /** Each repeat waits half as long again as the one before. */
  backOff(retryMs: number): number {
    this.#backedOffMs = Math.min(RETRY_MS_MAX, retryMs * 1.5);
    return this.#backedOffMs;
  }

  /** When a fragment is overdue that was overtaken: a later one has been acknowledged. */
  overtakenMs(rttMs: number): number {
    return Math.max(RETRY_MS_MIN, 1.2 * this.#tripMs(rttMs));
  }

  #bytesPerMs(nowMs: number, rttMs: number, { budgetBps, sentBps, isAllWantedSent }: LinkRoom): number {
    if (budgetBps !== Number.POSITIVE_INFINITY) {
      const othersBps = Math.max(0, sentBps - this.#sent.perSecond(nowMs) * 8);
      const leftBps = isAllWantedSent ? LEFT_SHARE * budgetBps - othersBps : 0;
      const roomBps = Math.max(BUDGET_SHARE * budgetBps, leftBps);
      return Math.min(RATE_BYTES_PER_MS_MAX, Math.max(FLOOR_BYTES_PER_MS, roomBps / 8000));
    }
    // A quarter more than the window needs: the window is what limits, the pace only spreads it.
    return Math.min(RATE_BYTES_PER_MS_MAX, (1.25 * this.window * FRAGMENT_WIRE_BYTES) / this.#tripMs(rttMs));
  }

  #tripMs(rttMs: number): number {
    return Math.max(10, this.#smoothedMs < 0 ? rttMs : this.#smoothedMs);
  }

  #adapt(): void {
    const isQueueing = this.#roundSamples >= ROUND_SAMPLES_MIN && this.#roundShortestMs - this.#base() > QUEUE_MS_MAX;
    const isLossy = this.#roundAcked >= ROUND_SAMPLES_MIN && this.#roundLost > LOSS_SHARE_MAX * this.#roundAcked;
    if (isQueueing || isLossy) {
      this.#isStarting = false;
      this.window = Math.max(WINDOW_MIN, Math.floor(this.window * DECREASE));
    } else if (this.#wasFull) {
      const step = this.#isStarting ? this.window : Math.max(4, this.window >> 3);
      this.window = Math.min(FRAGMENT_WINDOW, this.window + step);
    }
  }

  #smooth(tripMs: number): void {
    if (this.#smoothedMs < 0) {
      this.#smoothedMs = tripMs;
      this.#variationMs = tripMs / 2;
      return;
    }
    this.#variationMs += (Math.abs(this.#smoothedMs - tripMs) - this.#variationMs) / 4;
    this.#smoothedMs += (tripMs - this.#smoothedMs) / 8;
  }

  #remember(nowMs: number, tripMs: number): void {
    if (nowMs >= this.#baseUntilMs) {
      this.#formerBaseMs = nowMs >= this.#baseUntilMs + BASE_MS ? tripMs : this.#baseMs;
      this.#baseMs = tripMs;
      this.#baseUntilMs = nowMs + BASE_MS;
    }
    this.#baseMs = Math.min(this.#baseMs, tripMs);
  }

  #base(): number {
    return Math.min(this.#baseMs, this.#formerBaseMs);
  }
}
