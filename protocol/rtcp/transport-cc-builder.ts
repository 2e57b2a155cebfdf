/** Transport-wide congestion feedback, written: the format is drawn in transport-cc.ts. */
import { writeUint16 } from '../rtp/packet.ts';
import { writeFeedbackHeader } from './feedback.ts';
import { RTCP_RTPFB, RTPFB_TRANSPORT_CC } from './packet.ts';
import {
  RUN_LENGTH_MAX,
  STATUS_LARGE_DELTA,
  STATUS_NOT_RECEIVED,
  STATUS_SMALL_DELTA,
  TICKS_PER_REFERENCE,
  TRANSPORT_CC_HEADER_BYTES,
} from './transport-cc.ts';

/** Statuses that one feedback packet of ours describes at most. */
export const STATUSES_MAX = 1024;
const ONE_BIT_SYMBOLS = 14;
const TWO_BIT_SYMBOLS = 7;

/** Collects packet statuses in sequence order and writes them as one feedback packet of at most `bytesMax` bytes. */
export class TransportCcBuilder {
  /** Statuses collected. */
  count = 0;
  readonly #bytesMax: number;
  readonly #symbols = new Uint8Array(STATUSES_MAX);
  readonly #deltas = new Int16Array(STATUSES_MAX);
  #baseSequence = 0;
  #referenceTicks = -1;
  #lastTicks = 0;
  #deltaBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Starts over: the first status is that of `baseSequence` (its low 16 bits count). */
  begin(baseSequence: number): void {
    this.count = 0;
    this.#baseSequence = baseSequence & 0xffff;
    this.#referenceTicks = -1;
    this.#deltaBytes = 0;
  }

  /**
   * Adds the next packet's arrival, in ticks of 250 us (0 or more), or -1 for one that has not arrived. False when it does not
   * fit any more, or lies over 8.19 s from the one before: then it belongs into the next feedback packet.
   */
  add(arrivalTicks: number): boolean {
    if (this.count === STATUSES_MAX) return false;
    // Each chunk holds at least 7 statuses but the last, and its fill takes up to 3 bytes.
    const chunkBytes = Math.ceil((this.count + 1) / TWO_BIT_SYMBOLS) * 2;
    if (TRANSPORT_CC_HEADER_BYTES + chunkBytes + this.#deltaBytes + 2 + 3 > this.#bytesMax) return false;
    if (arrivalTicks < 0) {
      this.#symbols[this.count++] = STATUS_NOT_RECEIVED;
      return true;
    }
    if (this.#referenceTicks < 0) {
      this.#referenceTicks = arrivalTicks - (arrivalTicks % TICKS_PER_REFERENCE);
      this.#lastTicks = this.#referenceTicks;
    }
    const delta = arrivalTicks - this.#lastTicks;
    if (delta < -0x8000 || delta > 0x7fff) return false;
    const symbol = delta >= 0 && delta <= 0xff ? STATUS_SMALL_DELTA : STATUS_LARGE_DELTA;
    this.#symbols[this.count] = symbol;
    this.#deltas[this.count] = delta;
    this.#deltaBytes += symbol;
    this.#lastTicks = arrivalTicks;
    this.count++;
    return true;
  }

  /** Writes the packet; returns the offset after it. At least one arrival must have been added. */
  write(bytes: Uint8Array, offset: number, senderSsrc: number, mediaSsrc: number, feedbackCount: number): number {
    const reference = this.#referenceTicks / TICKS_PER_REFERENCE;
    writeUint16(bytes, offset + 12, this.#baseSequence);
    writeUint16(bytes, offset + 14, this.count);
    bytes[offset + 16] = (reference >>> 16) & 0xff;
    bytes[offset + 17] = (reference >>> 8) & 0xff;
    bytes[offset + 18] = reference & 0xff;
    bytes[offset + 19] = feedbackCount & 0xff;
    let position = this.#writeChunks(bytes, offset + TRANSPORT_CC_HEADER_BYTES);
    position = this.#writeDeltas(bytes, position);
    const padding = -(position - offset) & 3;
    for (let left = padding; left > 0; left--) bytes[position++] = left === 1 ? padding : 0;
    writeFeedbackHeader(bytes, offset, RTCP_RTPFB, RTPFB_TRANSPORT_CC, position - offset, senderSsrc, mediaSsrc);
    if (padding > 0) bytes[offset] |= 0x20;
    return position;
  }

  /** Every chunk but the last takes at least 7 statuses, whatever they are: `add` counts on it. */
  #writeChunks(bytes: Uint8Array, offset: number): number {
    let position = offset;
    let index = 0;
    while (index < this.count) {
      const left = this.count - index;
      const run = this.#runAt(index);
      const oneBit = this.#oneBitSpanAt(index);
      let chunk: number;
      if (
        run >= ONE_BIT_SYMBOLS ||
        run === left ||
        (run >= TWO_BIT_SYMBOLS && oneBit < Math.min(left, ONE_BIT_SYMBOLS))
      ) {
        chunk = (this.#symbols[index] << 13) | run;
        index += run;
      } else if (oneBit === Math.min(left, ONE_BIT_SYMBOLS)) {
        chunk = 0x8000;
        for (let bit = 0; bit < oneBit; bit++) chunk |= this.#symbols[index + bit] << (13 - bit);
        index += oneBit;
      } else {
        const span = Math.min(left, TWO_BIT_SYMBOLS);
        chunk = 0xc000;
        for (let pair = 0; pair < span; pair++) chunk |= this.#symbols[index + pair] << (12 - pair * 2);
        index += span;
      }
      writeUint16(bytes, position, chunk);
      position += 2;
    }
    return position;
  }

  #runAt(start: number): number {
    const limit = Math.min(this.count, start + RUN_LENGTH_MAX);
    let index = start + 1;
    while (index < limit && this.#symbols[index] === this.#symbols[start]) index++;
    return index - start;
  }

  /** Statuses from `start` on, at most 14, that one bit each can say. */
  #oneBitSpanAt(start: number): number {
    const limit = Math.min(this.count, start + ONE_BIT_SYMBOLS);
    let index = start;
    while (index < limit && this.#symbols[index] !== STATUS_LARGE_DELTA) index++;
    return index - start;
  }

  #writeDeltas(bytes: Uint8Array, offset: number): number {
    let position = offset;
    for (let index = 0; index < this.count; index++) {
      const symbol = this.#symbols[index];
      if (symbol === STATUS_NOT_RECEIVED) continue;
      if (symbol === STATUS_LARGE_DELTA) bytes[position++] = (this.#deltas[index] >> 8) & 0xff;
      bytes[position++] = this.#deltas[index] & 0xff;
    }
    return position;
  }
}
