/** Arrival times of everything one client sends, told back to it so that its congestion control can work. README.md has the rules. */

import { TICKS_PER_MS } from '../../protocol/rtcp/transport-cc.ts';
import { STATUSES_MAX, TransportCcBuilder } from '../../protocol/rtcp/transport-cc-builder.ts';
import { EXTENDED_START, extend16 } from '../../protocol/sequence.ts';

/** Bytes of one feedback packet at most. */
export const FEEDBACK_BYTES_MAX = 1200;
/** Arrivals remembered. A power of two: it is also the mask of the ring. */
const HISTORY_PACKETS = 2048;
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

/** One per endpoint: transport-wide sequence numbers count over all its streams. */
export class TransportFeedback {
  /** Feedback packets written. */
  feedbacks = 0;
  /** Sequences too old to be told, and times the counter jumped. */
  tooOld = 0;
  resets = 0;
  readonly #builder = new TransportCcBuilder(FEEDBACK_BYTES_MAX);
  readonly #arrivalTicks = new Float64Array(HISTORY_PACKETS).fill(NOT_RECEIVED);
  #highest = -1;
  /** First sequence of the next feedback: what lies below has been told. */
  #next = 0;
  #pending = 0;
  #oldRun = 0;
  #lastMs = 0;

  /** A packet with this transport-wide sequence number (16 bits) has arrived. `nowMs` is 0 or more and never goes back. */
  handlePacket(nowMs: number, sequence: number): void {
    if (this.#highest < 0) this.#lastMs = nowMs;
    const extended = this.#place(sequence);
    if (extended < 0) {
      this.tooOld++;
      return;
    }
    const slot = extended & (HISTORY_PACKETS - 1);
    if (this.#arrivalTicks[slot] !== NOT_RECEIVED) return;
    this.#arrivalTicks[slot] = Math.floor(nowMs * TICKS_PER_MS);
    this.#pending++;
    if (extended < this.#next && extended >= this.#highest - CORRECTION_PACKETS_MAX) this.#next = extended;
  }

  /**
   * Writes one feedback packet at `offset` when it is time, and returns the offset after it; returns `offset` when there is
   * nothing to tell now. Call again until it does. Needs FEEDBACK_BYTES_MAX bytes of room.
   */
  poll(nowMs: number, senderSsrc: number, mediaSsrc: number, bytes: Uint8Array, offset: number): number {
    if (this.#pending === 0) return offset;
    const elapsedMs = nowMs - this.#lastMs;
    if (elapsedMs < (this.#pending >= BUSY_PACKETS ? INTERVAL_MS_BUSY : INTERVAL_MS)) return offset;
    let sequence = Math.max(this.#next, this.#highest - HISTORY_PACKETS + 1);
    this.#builder.begin(sequence);
    while (sequence <= this.#highest && this.#builder.add(this.#arrivalTicks[sequence & (HISTORY_PACKETS - 1)]))
      sequence++;
    this.#next = sequence;
    if (this.#next > this.#highest) {
      this.#pending = 0;
      this.#lastMs = nowMs;
    }
    return this.#builder.write(bytes, offset, senderSsrc, mediaSsrc, this.feedbacks++);
  }

  /** The extended sequence, with room made for it; -1 when it is too old to be told. */
  #place(sequence: number): number {
    if (this.#highest < 0) return this.#restartAt(EXTENDED_START + sequence);
    const extended = extend16(sequence, this.#highest);
    if (extended > this.#highest) {
      this.#oldRun = 0;
      if (extended - this.#highest > GAP_RESET) return this.#restartAt(extended);
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
    return this.#restartAt(extended + 0x10000);
  }

  #restartAt(extended: number): number {
    if (this.#highest >= 0) this.resets++;
    this.#arrivalTicks.fill(NOT_RECEIVED);
    this.#highest = extended;
    this.#next = extended;
    this.#pending = 0;
    this.#oldRun = 0;
    return extended;
  }
}
