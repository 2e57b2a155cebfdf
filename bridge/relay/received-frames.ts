import { PROTECTED_PAYLOAD_BYTES_MAX, SYMBOL_BYTES_MAX, writeSymbol } from '../../protocol/octo/fec.ts';

const SYMBOL_WORDS = SYMBOL_BYTES_MAX / 4;
const SLOTS_MIN = 512;
const SLOTS_MAX = 4096;

/**
 * The last media frames of a session in plaintext, as the symbols that parity is made of. 512 slots at first (0.7 MB), doubled (never while a frame is being
 * handled) up to 4096 (5.6 MB) while groups come of which a frame has been overwritten. When full, the oldest is overwritten.
 */
export class ReceivedFrames {
  /** The symbols, each zero up to its last word's end; {@link wordOf} says where. */
  words = new Uint32Array(SLOTS_MIN * SYMBOL_WORDS);
  #bytes = new Uint8Array(this.words.buffer);
  #slots = SLOTS_MIN;
  #sequences = new Float64Array(SLOTS_MIN).fill(-1);
  #lengths = new Uint16Array(SLOTS_MIN);
  #arrivedMs = new Float64Array(SLOTS_MIN);
  #isTooSmall = false;

  /** Keeps the media frame at `offset` (header in place, payload in the clear). One that cannot be protected is not kept. */
  store(nowMs: number, sequence: number, bytes: Uint8Array, offset: number, payloadLength: number): void {
    if (payloadLength > PROTECTED_PAYLOAD_BYTES_MAX) return;
    const slot = sequence & (this.#slots - 1);
    this.#lengths[slot] = writeSymbol(this.#bytes, slot * SYMBOL_BYTES_MAX, bytes, offset, payloadLength);
    this.#sequences[slot] = sequence;
    this.#arrivedMs[slot] = nowMs;
  }

  /** A frame that was stored, and is not any more, makes the ring grow. */
  has(sequence: number): boolean {
    const stored = this.#sequences[sequence & (this.#slots - 1)];
    if (stored > sequence) this.#isTooSmall = true;
    return stored === sequence;
  }

  /** Where the symbol of a frame that is there begins in `words`. */
  wordOf(sequence: number): number {
    return (sequence & (this.#slots - 1)) * SYMBOL_WORDS;
  }

  /** Length of that symbol in bytes. */
  lengthOf(sequence: number): number {
    return this.#lengths[sequence & (this.#slots - 1)];
  }

  arrivedMs(sequence: number): number {
    return this.#arrivedMs[sequence & (this.#slots - 1)];
  }

  clear(): void {
    this.#sequences.fill(-1);
    this.#isTooSmall = false;
  }

  /** Grows the ring if it has proved too small; what is in it is forgotten. */
  handleTimeout(): void {
    if (!this.#isTooSmall || this.#slots === SLOTS_MAX) return;
    this.#isTooSmall = false;
    this.#slots *= 2;
    this.words = new Uint32Array(this.#slots * SYMBOL_WORDS);
    this.#bytes = new Uint8Array(this.words.buffer);
    this.#sequences = new Float64Array(this.#slots).fill(-1);
    this.#lengths = new Uint16Array(this.#slots);
    this.#arrivedMs = new Float64Array(this.#slots);
  }
}
