import { FEC_SPAN_MAX, fecPrefixBytes, SYMBOL_BYTES_MAX, writeFecPrefix } from '../../protocol/octo/fec.ts';
import { addMultiple } from '../../protocol/octo/galois-field.ts';
import { coefficient, DATA_SYMBOLS_MAX, PARITY_SYMBOLS_MAX } from '../../protocol/octo/reed-solomon.ts';

const ROW_WORDS = SYMBOL_BYTES_MAX / 4;

/**
 * The group of frames that the next parity frames of a class are about. Parity grows with each frame that is added: of the frames themselves nothing is
 * kept. 11 kB.
 */
export class FecGroup {
  /** Frames so far, 0 to 24. */
  count = 0;
  /** Sequence number of the first. */
  first = 0;
  openedMs = 0;
  /** Length of the longest symbol. */
  symbolBytes = 0;
  #rows = 0;
  readonly #distances = new Uint16Array(DATA_SYMBOLS_MAX);
  readonly #words = new Uint32Array(PARITY_SYMBOLS_MAX * ROW_WORDS);
  readonly #bytes = new Uint8Array(this.#words.buffer);

  /** False when a frame's parity frames could not name it with those that are in: the group must be closed first. */
  takes(sequence: number): boolean {
    return this.count === 0 || (this.count < DATA_SYMBOLS_MAX && sequence - this.first < FEC_SPAN_MAX);
  }

  /** Adds a frame that the group `takes`. `symbol` is zero up to its last word's end; `rows` (0 to 8) counts with the group's first frame. */
  add(nowMs: number, sequence: number, symbol: Uint32Array, symbolBytes: number, rows: number): void {
    if (this.count === 0) {
      this.first = sequence;
      this.openedMs = nowMs;
      this.#rows = rows;
      this.#words.fill(0, 0, rows * ROW_WORDS);
    }
    const index = this.count++;
    this.#distances[index] = sequence - this.first;
    if (symbolBytes > this.symbolBytes) this.symbolBytes = symbolBytes;
    const words = (symbolBytes + 3) >> 2;
    for (let row = 0; row < this.#rows; row++) {
      addMultiple(this.#words, row * ROW_WORDS, symbol, 0, words, coefficient(row, index));
    }
  }

  /** Length of the payload of each of its parity frames. */
  get parityBytes(): number {
    return fecPrefixBytes(this.#distances[this.count - 1]) + this.symbolBytes;
  }

  /** Parity symbols there are to send. */
  get rows(): number {
    return this.#rows;
  }

  /** Writes the payload of the parity frame of `row`; returns its length. */
  writeParity(row: number, previous: number, bytes: Uint8Array, offset: number): number {
    const prefixBytes = writeFecPrefix(bytes, offset, this.first, row, previous, this.#distances, this.count);
    const start = row * ROW_WORDS * 4;
    Buffer.prototype.copy.call(this.#bytes, bytes, offset + prefixBytes, start, start + this.symbolBytes);
    return prefixBytes + this.symbolBytes;
  }

  clear(): void {
    this.count = 0;
    this.symbolBytes = 0;
  }
}
