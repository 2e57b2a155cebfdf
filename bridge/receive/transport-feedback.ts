/** Arrival times of everything one client sends, told back to it so that its congestion control can work. README.md has the rules. */

import { TICKS_PER_MS, TICKS_PER_REFERENCE } from '../../protocol/rtcp/transport-cc.ts';
import { STATUSES_MAX, TransportCcBuilder } from '../../protocol/rtcp/transport-cc-builder.ts';
import { EXTENDED_START, extend16 } from '../../protocol/sequence.ts';
import { type Alarm, NO_ALARM } from '../timers/alarm.ts';

/** Bytes of one feedback packet at most. */
export const FEEDBACK_BYTES_MAX = 1200;
/** Arrivals remembered. A power of two: it is also the mask of the ring. */
const HISTORY_PACKETS = 1024;
/** A gap of this many packets is not reported: the counter jumped, or so much is lost that the sender has noticed. */
const GAP_RESET = STATUSES_MAX - 24;
/** With this much to tell, feedback leaves sooner. */
const BUSY_PACKETS = 20;
const INTERVAL_MS_BUSY = 50;
const INTERVAL_MS = 100;
/** A late packet that was reported lost is reported anew when it is at most this much behind. */
const CORRECTION_PACKETS_MAX = 512;
/** A counter that starts again behind looks like a run of old packets; this many are no coincidence. */
const OLD_RUN_RESTART = 16;
const NOT_RECEIVED = -1;
/** Arrivals are kept in 32 bits, counted from the first: after six days they begin anew. */
const TICKS_MAX = 2 ** 31 - 1;

/** Refilled for each feedback packet. */
const builder = new TransportCcBuilder(FEEDBACK_BYTES_MAX);
const NOTHING = new Int32Array(0);

/** One per endpoint: transport-wide sequence numbers count over all its streams. */
export class TransportFeedback {
  /** Feedback packets written. */
  feedbacks = 0;
  /** Sequences too old to be told, and times the counter jumped. */
  tooOld = 0;
  resets = 0;
  /** Rung for when `poll` will have something to tell. */
  alarm: Alarm = NO_ALARM;
  /** Since `#epochTicks`. Made with the first packet: who only listens sends none. */
  #arrivalTicks = NOTHING;
  #epochTicks = 0;
  #highest = -1;
  /** First sequence of the next feedback: what lies below has been told. */
  #next = 0;
  #pending = 0;
  #oldRun = 0;
  #lastMs = 0;
  readonly #originTicks: number;

  /**
   * `origin`: where on the scale of reference times (24 bits of 64 ms) this clock begins. It is to be a random one: a client that comes from another bridge compares its times with that
   * bridge's. Clocks that are seconds apart it takes for a queue on its path, and sends next to nothing until it has drained; days apart it takes for another clock.
   */
  constructor(origin = 0) {
    this.#originTicks = (origin & 0xffffff) * TICKS_PER_REFERENCE;
  }

  /** A packet with this transport-wide sequence number (16 bits) has arrived. `nowMs` is 0 or more and never goes back. */
  handlePacket(nowMs: number, sequence: number): void {
    if (this.#highest < 0) this.#lastMs = nowMs;
    const ticks = Math.floor(nowMs * TICKS_PER_MS);
    const extended = this.#place(ticks, sequence);
    if (extended < 0) {
      this.tooOld++;
      return;
    }
    const slot = extended & (HISTORY_PACKETS - 1);
    if (this.#arrivalTicks[slot] !== NOT_RECEIVED) return;
    this.#arrivalTicks[slot] = ticks - this.#epochTicks;
    this.#pending++;
    if (this.#pending === 1) this.alarm.bringForward(this.#lastMs + INTERVAL_MS);
    else if (this.#pending === BUSY_PACKETS) this.alarm.bringForward(this.#lastMs + INTERVAL_MS_BUSY);
    if (extended < this.#next && extended >= this.#highest - CORRECTION_PACKETS_MAX) this.#next = extended;
  }

  /** True when `poll` has something to tell now. */
  isDue(nowMs: number): boolean {
    if (this.#pending === 0) return false;
    return nowMs - this.#lastMs >= (this.#pending >= BUSY_PACKETS ? INTERVAL_MS_BUSY : INTERVAL_MS);
  }

  /**
   * Writes one feedback packet at `offset` when it is time, and returns the offset after it; returns `offset` when there is
   * nothing to tell now. Call again until it does. Needs FEEDBACK_BYTES_MAX bytes of room.
   */
  poll(nowMs: number, senderSsrc: number, mediaSsrc: number, bytes: Uint8Array, offset: number): number {
    if (!this.isDue(nowMs)) return offset;
    let sequence = Math.max(this.#next, this.#highest - HISTORY_PACKETS + 1);
    builder.begin(sequence);
    while (sequence <= this.#highest && builder.add(this.#arrivalOf(sequence))) sequence++;
    this.#next = sequence;
    if (this.#next > this.#highest) {
      this.#pending = 0;
      this.#lastMs = nowMs;
    }
    return builder.write(bytes, offset, senderSsrc, mediaSsrc, this.feedbacks++);
  }

  /** The extended sequence, with room made for it; -1 when it is too old to be told. */
  #place(ticks: number, sequence: number): number {
    if (this.#highest < 0) return this.#restartAt(ticks, EXTENDED_START + sequence);
    const extended = extend16(sequence, this.#highest);
    if (ticks - this.#epochTicks > TICKS_MAX) return this.#restartAt(ticks, extended);
    if (extended > this.#highest) {
      this.#oldRun = 0;
      if (extended - this.#highest > GAP_RESET) return this.#restartAt(ticks, extended);
      for (let passed = this.#highest + 1; passed <= extended; passed++) {
        this.#arrivalTicks[passed & (HISTORY_PACKETS - 1)] = NOT_RECEIVED;
      }
      this.#highest = extended;
      return extended;
    }
    if (extended > this.#highest - HISTORY_PACKETS) {
      this.#oldRun = 0;
      return extended;
    }
    if (++this.#oldRun < OLD_RUN_RESTART) return -1;
    return this.#restartAt(ticks, extended + 0x10000);
  }

  /** In ticks of the clock that the client sees, or NOT_RECEIVED. */
  #arrivalOf(sequence: number): number {
    const ticks = this.#arrivalTicks[sequence & (HISTORY_PACKETS - 1)];
    return ticks === NOT_RECEIVED ? NOT_RECEIVED : ticks + this.#epochTicks + this.#originTicks;
  }

  #restartAt(ticks: number, extended: number): number {
    if (this.#highest >= 0) this.resets++;
    if (this.#arrivalTicks.length === 0) this.#arrivalTicks = new Int32Array(HISTORY_PACKETS);
    this.#arrivalTicks.fill(NOT_RECEIVED);
    this.#epochTicks = ticks;
    this.#highest = extended;
    this.#next = extended;
    this.#pending = 0;
    this.#oldRun = 0;
    return extended;
  }
}
