/** Packets that leave together may change places on a link between two buffers: this much is never taken for loss. */
export const REORDER_MS_MIN = 3;
/** No path that is worth having reorders by more; a hole that waited longer would be repaired too late. */
export const REORDER_MS_MAX = 50;
/** What was seen counts for one to two of these. */
const PERIOD_MS = 4000;
/** The next one may be later than the latest so far. */
const MARGIN = 1.25;

/**
 * How long a hole may be reordering: a little more than the frames of the last seconds were late that came by themselves. Asking sooner would ask in vain,
 * asking later would repair late. The worst of this period and of the one before it, so one straggler is forgotten after 4 to 8 s.
 */
export class ReorderWindow {
  #worstMs = 0;
  #worstBeforeMs = 0;
  #periodEndMs = 0;

  /** A frame came `latenessMs` after the first one that overtook it, and nobody's answer brought it. */
  handleLate(nowMs: number, latenessMs: number): void {
    this.#turn(nowMs);
    this.#worstMs = Math.max(this.#worstMs, latenessMs);
  }

  /** What a hole noticed now waits before it is asked for; `mostMs` is what the round trip allows. */
  windowMs(nowMs: number, mostMs: number): number {
    this.#turn(nowMs);
    const neededMs = Math.max(this.#worstMs, this.#worstBeforeMs) * MARGIN;
    return Math.max(REORDER_MS_MIN, Math.min(neededMs, mostMs));
  }

  #turn(nowMs: number): void {
    if (nowMs < this.#periodEndMs) return;
    this.#worstBeforeMs = nowMs < this.#periodEndMs + PERIOD_MS ? this.#worstMs : 0;
    this.#worstMs = 0;
    this.#periodEndMs = nowMs + PERIOD_MS;
  }
}
