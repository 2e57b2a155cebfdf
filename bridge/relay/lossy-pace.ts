/** Of a link that is known to be narrow, lossy messages take an eighth: they are small and many (positions, cursors), and late ones are worth nothing. */
const BUDGET_SHARE = 1 / 8;
/** And never less than 64 kbit/s. */
const FLOOR_BYTES_PER_MS = 8;
/** About 30 Mbit/s where nothing limits the link: as much as reliable ones. */
const RATE_BYTES_PER_MS_MAX = 3_750;
/** What may leave at once after a pause. A message that begins within it is sent whole. */
const BURST_BYTES = 64 * 1024;

/** How much of a link lossy messages may take. Above it they are dropped, as they may be: never kept, never repeated. */
export class LossyPace {
  #allowanceBytes = BURST_BYTES;
  #filledMs = Number.NEGATIVE_INFINITY;

  /** Time passes. `budgetBps`: what the link may send in all, Infinity when nothing limits it. */
  refill(nowMs: number, budgetBps: number): void {
    const shareBytesPerMs = Math.min(RATE_BYTES_PER_MS_MAX, (budgetBps * BUDGET_SHARE) / 8000);
    const bytesPerMs = Math.max(FLOOR_BYTES_PER_MS, shareBytesPerMs);
    const elapsedMs = Math.max(0, nowMs - this.#filledMs);
    this.#filledMs = nowMs;
    this.#allowanceBytes = Math.min(BURST_BYTES, this.#allowanceBytes + bytesPerMs * elapsedMs);
  }

  /** Whether a message of this size may leave now; then it has. */
  take(bytes: number): boolean {
    if (this.#allowanceBytes <= 0) return false;
    this.#allowanceBytes -= bytes;
    return true;
  }
}
