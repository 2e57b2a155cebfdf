/** Share of what is sent that may be repeated: enough for 20 % loss, and no storm when a path is full. */
const SHARE = 0.25;
/** So that a nearly idle link can repair itself too. */
const FLOOR_BYTES_PER_MS = 32;
const BYTES_MAX = 128_000;

/**
 * What a link may spend on repeating frames: a quarter of what it sends, at least 32 kB/s, bursts up to 128 kB. What must not be refused is paid for
 * later, by what may.
 */
export class RepairBudget {
  #bytes = BYTES_MAX;
  #refilledMs: number;

  constructor(nowMs: number) {
    this.#refilledMs = nowMs;
  }

  handleSent(bytes: number): void {
    this.#bytes = Math.min(BYTES_MAX, this.#bytes + bytes * SHARE);
  }

  /** True, and spent, when there is that much left, or `isOwed`. */
  spend(nowMs: number, bytes: number, isOwed: boolean): boolean {
    this.#bytes = Math.min(BYTES_MAX, this.#bytes + (nowMs - this.#refilledMs) * FLOOR_BYTES_PER_MS);
    this.#refilledMs = nowMs;
    if (this.#bytes < bytes && !isOwed) return false;
    this.#bytes = Math.max(-BYTES_MAX, this.#bytes - bytes);
    return true;
  }
}
