/** Pings looked back over: ten seconds. */
const INTERVALS = 40;
/** The newest of them, two seconds: what a rise shows in first. */
const INTERVALS_RECENT = 8;
/** Fewer losses than this in two seconds are chance, not a rise. */
const LOST_RECENT_MIN = 5;

/**
 * Loss over the last ten seconds, from counters that grow with every ping of a session. Zero means that there was none at all in that time; the smoothed share
 * of `LinkMeter` never gets there.
 */
export class LossWindow {
  /** Share of frames lost, 0 to 1: the worse of the last two seconds and the last ten. */
  share = 0;
  /** Lost frames in a row, mean of the window; at least 1. */
  burstLength = 1;
  readonly #expected = new Float64Array(INTERVALS);
  readonly #lost = new Float64Array(INTERVALS);
  readonly #bursts = new Float64Array(INTERVALS);
  #next = 0;
  #expectedTotal = 0;
  #lostTotal = 0;
  #burstsTotal = 0;

  /** The counters of one more ping. Late loss can be taken back: they may fall a little. */
  update(expected: number, lost: number, bursts: number): void {
    const index = this.#next;
    this.#next = (index + 1) % INTERVALS;
    this.#expected[index] = expected - this.#expectedTotal;
    this.#lost[index] = lost - this.#lostTotal;
    this.#bursts[index] = bursts - this.#burstsTotal;
    this.#expectedTotal = expected;
    this.#lostTotal = lost;
    this.#burstsTotal = bursts;
    const lostAll = sumOfNewest(this.#lost, index, INTERVALS);
    const burstsAll = sumOfNewest(this.#bursts, index, INTERVALS);
    const isRise = sumOfNewest(this.#lost, index, INTERVALS_RECENT) >= LOST_RECENT_MIN;
    this.share = Math.max(this.#shareOver(index, INTERVALS), isRise ? this.#shareOver(index, INTERVALS_RECENT) : 0);
    this.burstLength = burstsAll > 0 ? Math.max(1, lostAll / burstsAll) : 1;
  }

  /** The counters start again at 0; what was measured stays. */
  restart(): void {
    this.#expectedTotal = 0;
    this.#lostTotal = 0;
    this.#burstsTotal = 0;
  }

  #shareOver(newest: number, intervals: number): number {
    const expected = sumOfNewest(this.#expected, newest, intervals);
    const lost = sumOfNewest(this.#lost, newest, intervals);
    return expected > 0 ? Math.min(1, Math.max(0, lost / expected)) : 0;
  }
}

function sumOfNewest(values: Float64Array, newest: number, count: number): number {
  let sum = 0;
  for (let back = 0; back < count; back++) sum += values[(newest - back + INTERVALS) % INTERVALS];
  return sum;
}
