/** Milliseconds, weighted: the mean exactly, percentiles to a quarter of a millisecond, in the memory of one array however many there are. */

const BIN_MS = 0.25;
/** More than half around the world, by radio at both ends. */
const MS_MAX = 2_000;

export class Histogram {
  readonly #weights = new Float64Array(MS_MAX / BIN_MS);
  #weight = 0;
  #sum = 0;

  get mean(): number {
    return this.#weight === 0 ? 0 : this.#sum / this.#weight;
  }

  add(ms: number, weight = 1): void {
    this.addToPercentiles(ms, weight);
    this.addToMean(ms, weight);
  }

  /** For a sample of values of which {@link addToMean} is told the exact mean. */
  addToPercentiles(ms: number, weight: number): void {
    this.#weights[Math.min(this.#weights.length - 1, Math.floor(ms / BIN_MS))]! += weight;
  }

  addToMean(ms: number, weight: number): void {
    this.#weight += weight;
    this.#sum += ms * weight;
  }

  /** The upper edge of the bin in which it lies; 0 without any value. */
  percentile(share: number): number {
    let left = this.#weights.reduce((sum, weight) => sum + weight, 0) * share;
    if (left === 0) return 0;
    for (let bin = 0; bin < this.#weights.length; bin++) {
      left -= this.#weights[bin]!;
      if (left <= 1e-9) return (bin + 1) * BIN_MS;
    }
    return MS_MAX;
  }
}
