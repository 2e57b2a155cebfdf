const BUCKETS = 10;
const BUCKET_MS = 100;

/** An amount per second over the last 900 ms to a second, in ten buckets of 100 ms updated in place: the newest is still filling. */
export class RateWindow {
  /** Not a typed array: one this small costs more around it than in it. */
  readonly #buckets = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  #sum = 0;
  /** Number of the newest bucket: whole 100 ms of the clock. -1 before the first `add`. */
  #newest = -1;
  #startMs = 0;

  add(nowMs: number, amount: number): void {
    const bucket = Math.floor(nowMs / BUCKET_MS);
    if (this.#newest < 0) this.#startMs = nowMs;
    this.#advance(bucket);
    this.#buckets[bucket % BUCKETS] += amount;
    this.#sum += amount;
  }

  /** Per second. Soon after the first `add`: over the time there was, at least 100 ms. */
  perSecond(nowMs: number): number {
    if (this.#newest < 0) return 0;
    const bucket = Math.floor(nowMs / BUCKET_MS);
    this.#advance(bucket);
    const fromMs = Math.max(this.#startMs, (bucket - BUCKETS + 1) * BUCKET_MS);
    return (this.#sum * 1000) / Math.max(BUCKET_MS, nowMs - fromMs);
  }

  #advance(bucket: number): void {
    if (this.#newest < 0 || bucket - this.#newest >= BUCKETS) {
      this.#buckets.fill(0);
      this.#sum = 0;
    } else {
      for (let passed = this.#newest + 1; passed <= bucket; passed++) {
        this.#sum -= this.#buckets[passed % BUCKETS];
        this.#buckets[passed % BUCKETS] = 0;
      }
    }
    if (bucket > this.#newest) this.#newest = bucket;
  }
}
