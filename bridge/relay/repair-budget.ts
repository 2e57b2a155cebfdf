import { repairBps, repairBurstBytes } from '../congestion/budget-shares.ts';

/** Share of what is sent that may be repeated: enough for 20 % loss, and no storm when a path is full. */
const SHARE = 0.25;
/** So that a nearly idle link can repair itself too. */
const FLOOR_BYTES_PER_MS = 32;
const BYTES_MAX = 128_000;

/**
 * What a link may spend on repeating frames: a quarter of what it sends, at least 32 kB/s, bursts up to 128 kB. While the link has a send budget,
 * the repairs' share of that instead, whatever is sent: a path that is full loses much, and repeating it all would keep it full.
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
    this.#bytesPerMs = isLimited ? repairBps(bps) / 8000 : FLOOR_BYTES_PER_MS;
    this.#bytesMax = isLimited ? Math.min(BYTES_MAX, repairBurstBytes(bps)) : BYTES_MAX;
  }

  handleSent(bytes: number): void {
    this.#bytes = Math.min(this.#bytesMax, this.#bytes + bytes * this.#shareOfSent);
  }

  /** True, and spent, when there is that much left. */
  spend(nowMs: number, bytes: number): boolean {
    this.#bytes = Math.min(this.#bytesMax, this.#bytes + (nowMs - this.#refilledMs) * this.#bytesPerMs);
    this.#refilledMs = nowMs;
    if (this.#bytes < bytes) return false;
    this.#bytes -= bytes;
    return true;
  }
}
