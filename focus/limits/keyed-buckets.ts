import { TokenBucket } from '../signal/token-bucket.ts';

/** Names that are remembered; the one not heard of for longest makes room. A bucket of a name that is forgotten was full again long before. */
export const NAMES_MAX = 100_000;

/** A {@link TokenBucket} for each name: clients' addresses, API keys. */
export class KeyedBuckets {
  readonly #ratePerSecond: number;
  readonly #burst: number;
  /** Least recently used first. */
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(ratePerSecond: number, burst: number) {
    this.#ratePerSecond = ratePerSecond;
    this.#burst = burst;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** True when one more of `name` is allowed; it is counted then. */
  take(nowMs: number, name: string): boolean {
    const bucket = this.#buckets.get(name) ?? new TokenBucket(this.#ratePerSecond, this.#burst, nowMs);
    this.#buckets.delete(name);
    this.#buckets.set(name, bucket);
    if (this.#buckets.size > NAMES_MAX) this.#buckets.delete(this.#buckets.keys().next().value!);
    return bucket.take(nowMs);
  }
}
