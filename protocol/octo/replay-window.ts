/** Frames behind the newest that are still accepted, once each. More than a second of frames at 30,000 a second. */
export const REPLAY_WINDOW = 32_768;
const WORDS = REPLAY_WINDOW / 32;

/**
 * Which sequence numbers of one direction have been received (RFC 4303 section 3.4.3, with a window wide enough for answers to
 * NACKs, which repeat the original datagram). `isFresh` before the tag is checked, `accept` only after.
 */
export class ReplayWindow {
  /** The newest sequence number accepted, -1 before the first. */
  highest = -1;
  readonly #bits = new Uint32Array(WORDS);

  /** False for a number accepted before, and for one too old to know. */
  isFresh(sequence: number): boolean {
    if (sequence > this.highest) return true;
    if (sequence < 0 || sequence <= this.highest - REPLAY_WINDOW) return false;
    const slot = sequence & (REPLAY_WINDOW - 1);
    return (this.#bits[slot >>> 5] & (1 << (slot & 31))) === 0;
  }

  /** Marks an authenticated number. Only for one that `isFresh`. */
  accept(sequence: number): void {
    if (sequence > this.highest) {
      this.#clear(this.highest + 1, sequence);
      this.highest = sequence;
    }
    const slot = sequence & (REPLAY_WINDOW - 1);
    this.#bits[slot >>> 5] |= 1 << (slot & 31);
  }

  #clear(from: number, to: number): void {
    if (to - from >= REPLAY_WINDOW) {
      this.#bits.fill(0);
      return;
    }
    for (let sequence = from; sequence <= to; sequence++) {
      const slot = sequence & (REPLAY_WINDOW - 1);
      this.#bits[slot >>> 5] &= ~(1 << (slot & 31));
    }
  }
}
