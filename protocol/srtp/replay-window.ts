/** Which of the newest indexes have been seen (RFC 3711 section 3.3.2): a ring of bits, one per index. Indexes grow without wrapping. */

/** At 1000 packets a second a retransmission may be a second late. RFC 3711 asks for 64 at least. */
export const REPLAY_WINDOW = 1024;

export class ReplayWindow {
  /** Highest index accepted, -1 before the first. */
  highest = -1;
  readonly #bits = new Uint32Array(REPLAY_WINDOW / 32);

  /** True when `index` (0 or more) was not accepted before and is not older than the window. Changes nothing. */
  isFresh(index: number): boolean {
    if (index > this.highest) return true;
    if (index <= this.highest - REPLAY_WINDOW) return false;
    const bit = index & (REPLAY_WINDOW - 1);
    return (this.#bits[bit >>> 5] & (1 << (bit & 31))) === 0;
  }

  /** Marks `index` as seen. Only for a packet that is fresh and authentic. */
  accept(index: number): void {
    if (index > this.highest) {
      this.#clearBetween(this.highest + 1, index);
      this.highest = index;
    }
    const bit = index & (REPLAY_WINDOW - 1);
    this.#bits[bit >>> 5] |= 1 << (bit & 31);
  }

  /** Indexes that were skipped have not been seen, whatever stood at their place one ring ago. */
  #clearBetween(from: number, to: number): void {
    if (to - from >= REPLAY_WINDOW) {
      this.#bits.fill(0);
      return;
    }
    for (let index = from; index <= to; index++) {
      const bit = index & (REPLAY_WINDOW - 1);
      this.#bits[bit >>> 5] &= ~(1 << (bit & 31));
    }
  }
}
