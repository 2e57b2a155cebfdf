/** Frames behind the newest of which is known whether they were lost: half a second at 30,000 a second. */
const TRACKED = 16_384;
const LOST = 1;
const LOST_UNASKED = 2;

/** Runs of consecutive sequence numbers among the lost frames of a session: how bursty its losses are. */
export class LossRuns {
  /** Each run counts once, however it grew together. */
  count = 0;
  readonly #marks = new Uint8Array(TRACKED);
  #highest = -1;

  /** The newest number, larger than the former; those between are not lost so far. */
  advance(highest: number): void {
    if (highest - this.#highest >= TRACKED) this.#marks.fill(0);
    else {
      for (let sequence = this.#highest + 1; sequence <= highest; sequence++) {
        this.#marks[sequence & (TRACKED - 1)] = 0;
      }
    }
    this.#highest = highest;
  }

  /** A run that is over and done with. */
  addWhole(): void {
    this.count++;
  }

  /** A number that is lost: it begins a run, makes one longer, or joins two. `isAsked`: the peer may be about to repeat it. */
  add(sequence: number, isAsked: boolean): void {
    if (!this.#isTracked(sequence)) {
      this.count++;
      return;
    }
    this.count += 1 - this.#neighboursLost(sequence);
    this.#marks[sequence & (TRACKED - 1)] = isAsked ? LOST : LOST_UNASKED;
  }

  /** A lost number that was not lost after all. */
  remove(sequence: number): void {
    if (!this.#isTracked(sequence) || this.#marks[sequence & (TRACKED - 1)] === 0) return;
    this.#marks[sequence & (TRACKED - 1)] = 0;
    this.count -= 1 - this.#neighboursLost(sequence);
  }

  /** True for a number that was lost and not asked for. */
  isUnasked(sequence: number): boolean {
    return this.#isTracked(sequence) && this.#marks[sequence & (TRACKED - 1)] === LOST_UNASKED;
  }

  #isTracked(sequence: number): boolean {
    return sequence > this.#highest - TRACKED;
  }

  #neighboursLost(sequence: number): number {
    const isBeforeLost = this.#marks[(sequence - 1) & (TRACKED - 1)] !== 0;
    const isAfterLost = this.#marks[(sequence + 1) & (TRACKED - 1)] !== 0;
    return (isBeforeLost ? 1 : 0) + (isAfterLost ? 1 : 0);
  }
}
