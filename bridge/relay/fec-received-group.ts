import { DecodeError } from '../../protocol/errors.ts';
import { type FecPayload, SYMBOL_BYTES_MAX } from '../../protocol/octo/fec.ts';
import { addMultiple } from '../../protocol/octo/galois-field.ts';
import { coefficient, DATA_SYMBOLS_MAX, invert, PARITY_SYMBOLS_MAX } from '../../protocol/octo/reed-solomon.ts';
import type { LossRecovery } from './loss-recovery.ts';
import type { ReceivedFrames } from './received-frames.ts';

export const SYMBOL_WORDS = SYMBOL_BYTES_MAX / 4;

/** Work space shared by all groups: one is solved at a time. */
const inverse = new Uint8Array(PARITY_SYMBOLS_MAX * PARITY_SYMBOLS_MAX);

/** A group of the peer's of which frames are missing, with the parity that has come for it. 11 kB. */
export class FecReceivedGroup {
  /** Full sequence number of its first frame; -1: the group is free. */
  first = -1;
  openedMs = 0;
  hops = 0;
  symbolBytes = 0;
  /** Parity symbols that have come. */
  rows = 0;
  /** After {@link findMissing}: indices of its frames that are neither kept nor, if `isLost` is false, ever to be had. */
  missing = 0;
  readonly #missingIndices = new Uint8Array(DATA_SYMBOLS_MAX);
  #count = 0;
  readonly #distances = new Uint16Array(DATA_SYMBOLS_MAX);
  readonly #rowNumbers = new Uint8Array(PARITY_SYMBOLS_MAX);
  /** Parity symbols as they came; {@link solve} takes the frames that are there out of them. */
  readonly #parity = new Uint32Array(PARITY_SYMBOLS_MAX * SYMBOL_WORDS);
  readonly #parityBytes = new Uint8Array(this.#parity.buffer);

  open(nowMs: number, first: number, hops: number, payload: FecPayload): void {
    this.first = first;
    this.openedMs = nowMs;
    this.hops = hops;
    this.symbolBytes = payload.symbolBytes;
    this.rows = 0;
    this.#count = payload.count;
    this.#distances.set(payload.distances);
  }

  close(): void {
    this.first = -1;
  }

  /** False when a parity frame of the same `first` describes another group, or a row that is there already. */
  agrees(payload: FecPayload): boolean {
    if (payload.count !== this.#count || payload.symbolBytes !== this.symbolBytes) return false;
    for (let index = 0; index < this.#count; index++) {
      if (payload.distances[index] !== this.#distances[index]) return false;
    }
    for (let row = 0; row < this.rows; row++) if (this.#rowNumbers[row] === payload.row) return false;
    return true;
  }

  addRow(payload: FecPayload, bytes: Uint8Array): void {
    const start = this.rows * SYMBOL_BYTES_MAX;
    const end = start + payload.symbolBytes;
    const from = payload.symbolOffset;
    Buffer.prototype.copy.call(bytes, this.#parityBytes, start, from, from + payload.symbolBytes);
    for (let pad = end; (pad & 3) !== 0; pad++) this.#parityBytes[pad] = 0;
    this.#rowNumbers[this.rows++] = payload.row;
  }

  includes(sequence: number): boolean {
    const distance = sequence - this.first;
    if (distance < 0 || distance > this.#distances[this.#count - 1]) return false;
    for (let index = 0; index < this.#count; index++) if (this.#distances[index] === distance) return true;
    return false;
  }

  /** Counts what is `missing`. False when a frame came and is not kept: then the group is of no use. Throws DecodeError for one longer than the parity. */
  findMissing(frames: ReceivedFrames, recovery: LossRecovery): boolean {
    this.missing = 0;
    for (let index = 0; index < this.#count; index++) {
      const sequence = this.first + this.#distances[index];
      if (frames.has(sequence)) {
        if (frames.lengthOf(sequence) > this.symbolBytes) throw new DecodeError('octo-fec-symbol');
      } else if (recovery.isMissing(sequence)) this.#missingIndices[this.missing++] = index;
      else return false;
    }
    return true;
  }

  /** Sequence number of a missing frame, by its place among the missing. */
  missingSequence(place: number): number {
    return this.first + this.#distances[this.#missingIndices[place]];
  }

  /** When the first of its frames that are kept arrived; Infinity when none is. */
  firstArrivedMs(frames: ReceivedFrames): number {
    for (let index = 0; index < this.#count; index++) {
      const sequence = this.first + this.#distances[index];
      if (frames.has(sequence)) return frames.arrivedMs(sequence);
    }
    return Number.POSITIVE_INFINITY;
  }

  /** Writes the symbols of the missing frames, of which there are no more than rows, to `out`, each {@link SYMBOL_WORDS} apart. Uses the parity up. */
  solve(frames: ReceivedFrames, out: Uint32Array): void {
    const { missing } = this;
    const words = (this.symbolBytes + 3) >> 2;
    let next = 0;
    for (let index = 0; index < this.#count; index++) {
      if (next < missing && this.#missingIndices[next] === index) {
        next++;
        continue;
      }
      const sequence = this.first + this.#distances[index];
      const from = frames.wordOf(sequence);
      const count = (frames.lengthOf(sequence) + 3) >> 2;
      for (let row = 0; row < missing; row++) {
        const factor = coefficient(this.#rowNumbers[row], index);
        addMultiple(this.#parity, row * SYMBOL_WORDS, frames.words, from, count, factor);
      }
    }
    invert(this.#rowNumbers, this.#missingIndices, missing, inverse);
    for (let place = 0; place < missing; place++) {
      const at = place * SYMBOL_WORDS;
      out.fill(0, at, at + words);
      for (let row = 0; row < missing; row++) {
        const factor = inverse[place * missing + row];
        if (factor !== 0) addMultiple(out, at, this.#parity, row * SYMBOL_WORDS, words, factor);
      }
    }
  }
}
