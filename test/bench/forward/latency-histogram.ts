/** Counts times in µs, without keeping them: exact to 1 µs below 2 ms, to 1/64 of itself above. */
const EXACT_US = 2_048;
const STEPS_PER_OCTAVE = 64;
const BUCKETS = EXACT_US + STEPS_PER_OCTAVE * 20;

export class LatencyHistogram {
  count = 0;
  readonly #buckets = new Float64Array(BUCKETS);

  /** Negative times (clocks that disagree by a little) count as 0. */
  add(us: number): void {
    this.count++;
    this.#buckets[bucketOf(us)]++;
  }

  /** The time, in µs, below which `share` (0 to 1) of all lie, to the bucket's lower edge. 0 when there are none. */
  percentileUs(share: number): number {
    let left = Math.max(1, Math.ceil(share * this.count));
    if (this.count === 0) return 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.#buckets[bucket];
      if (left <= 0) return edgeOf(bucket);
    }
    return edgeOf(BUCKETS - 1);
  }

  reset(): void {
    this.count = 0;
    this.#buckets.fill(0);
  }
}

function bucketOf(us: number): number {
  if (us < EXACT_US) return us <= 0 ? 0 : Math.floor(us);
  const octaves = Math.log2(us / EXACT_US);
  return Math.min(BUCKETS - 1, EXACT_US + Math.floor(octaves * STEPS_PER_OCTAVE));
}

function edgeOf(bucket: number): number {
  return bucket < EXACT_US ? bucket : EXACT_US * 2 ** ((bucket - EXACT_US) / STEPS_PER_OCTAVE);
}
