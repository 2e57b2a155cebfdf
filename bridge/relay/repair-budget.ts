/** Share of what is sent that may be repeated: enough for 20 % loss, and no storm when a path is full. */
const SHARE = 0.25;
/** So that a nearly idle link can repair itself too. */
const FLOOR_BYTES_PER_MS = 32;
const BYTES_MAX = 128_000;
/** Of a limited link's share, what may be saved up: a burst of loss wants its repeats at once. */
const SAVED_MS = 250;

/**
 * What a link may spend on repeating frames: a quarter of what it sends, at least 32 kB/s, bursts up to 128 kB. While the link has a send budget,
 * the repairs' share of that instead, whatever is sent: a path that is full loses much, and repeating it all would keep it full. What must not be
 * refused is paid for later, by what may.
 */
export class RepairBudget {
  #bytes = BYTES_MAX;
  #refilledMs: number;
  #shareOfSent = SHARE;
  #bytesPerMs = FLOOR_BYTES_PER_MS;
  #bytesMax = BYTES_MAX;

  constructor(nowMs: number) {
    this.#refilledMs = nowMs;
  }

  /** bit/s, Infinity for none. */
  setSendBudget(bps: number): void {
    const isLimited = Number.isFinite(bps);
    this.#shareOfSent = isLimited ? 0 : SHARE;
    this.#bytesPerMs = isLimited ? (bps * SHARE) / 8000 : FLOOR_BYTES_PER_MS;
    this.#bytesMax = isLimited ? Math.min(BYTES_MAX, this.#bytesPerMs * SAVED_MS) : BYTES_MAX;
  }

  handleSent(bytes: number): void {
    this.#bytes = Math.min(this.#bytesMax, this.#bytes + bytes * this.#shareOfSent);
  }

  /** True, and spent, when there is that much left, or `isOwed`. */
  spend(nowMs: number, bytes: number, isOwed: boolean): boolean {
    this.#bytes = Math.min(this.#bytesMax, this.#bytes + (nowMs - this.#refilledMs) * this.#bytesPerMs);
    this.#refilledMs = nowMs;
    if (this.#bytes < bytes && !isOwed) return false;
    this.#bytes = Math.max(-BYTES_MAX, this.#bytes - bytes);
    return true;
  }
}
