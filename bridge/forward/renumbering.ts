/** How far back removed values are remembered, at most. What is older has no place any more. */
const REMOVED_MAX = 512;
/** Room for so many at first: most streams never lose any, and a short run few. */
const REMOVED_ROOM = 32;

const NONE = -1;

/**
 * A growing counter with some of its values taken out and the rest closed up: how sequence numbers and picture ids look to a subscriber who
 * does not get every packet. A value not seen yet keeps its place, for it may still come; only what was decided against loses it.
 *
 * Values are extended, so ordinary numbers. Both directions can be asked at any time and always give the same answer, or none.
 */
export class Renumbering {
  /** First value, and the highest that has come; -1 before `restart`. */
  start = NONE;
  highest = NONE;
  /** What `start` became. */
  startOut = NONE;
  /** Added to an incoming value that is newer than all removed ones. */
  private shift = 0;
  /** Removed values in order, as distances from `start`; from REMOVED_MAX on a ring. Made with the first, and doubled as they come. */
  private removed: Uint32Array | undefined;
  private removedCount = 0;
  private removedNewest = NONE;

  /** Begins anew: `value` is the first and becomes `out`. */
  restart(value: number, out: number): void {
    this.start = value;
    this.highest = value;
    this.startOut = out;
    this.shift = out - value;
    this.removedCount = 0;
    this.removedNewest = NONE;
  }

  /** What the highest value became; when it was removed, what the one before it became. */
  get highestOut(): number {
    return this.highest + this.shift;
  }

  /** True for a value that had its place, or lost it, while this numbering was in force. */
  covers(value: number): boolean {
    return this.start !== NONE && value >= this.start && value <= this.highest;
  }

  /** Takes the next value, higher than any before; returns what it becomes. */
  keep(value: number): number {
    this.highest = value;
    return value + this.shift;
  }

  /** Takes the next value, higher than any before, out: the one after it closes up. */
  remove(value: number): void {
    this.roomForRemoved()[this.removedCount++ % REMOVED_MAX] = value - this.start;
    this.removedNewest = value;
    this.highest = value;
    this.shift--;
  }

  /** What a value up to `highest` became; -1 when it was removed, came before the start, or is older than what is remembered. */
  outOf(value: number): number {
    if (!this.covers(value)) return NONE;
    const removed = this.removed;
    if (removed === undefined || value > this.removedNewest) return value + this.shift;
    const distance = value - this.start;
    const oldest = Math.max(0, this.removedCount - REMOVED_MAX);
    let low = oldest;
    let high = this.removedCount;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (removed[middle % REMOVED_MAX] < distance) low = middle + 1;
      else high = middle;
    }
    if (low === oldest && oldest > 0) return NONE;
    if (low < this.removedCount && removed[low % REMOVED_MAX] === distance) return NONE;
    return value + this.shift + (this.removedCount - low);
  }

  /** Inverse of {@link outOf}: which value became `out`, or -1. */
  valueOf(out: number): number {
    if (this.start === NONE || out < this.startOut || out > this.highestOut) return NONE;
    const removed = this.removed;
    if (removed === undefined || this.removedCount === 0) return out - this.shift;
    const distance = out - this.startOut;
    const oldest = Math.max(0, this.removedCount - REMOVED_MAX);
    let low = oldest;
    let high = this.removedCount;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (removed[middle % REMOVED_MAX] - middle <= distance) low = middle + 1;
      else high = middle;
    }
    if (low === oldest && oldest > 0) return NONE;
    return this.start + distance + low;
  }

  private roomForRemoved(): Uint32Array {
    const before = this.removed;
    if (before === undefined) {
      this.removed = new Uint32Array(REMOVED_ROOM);
    } else if (this.removedCount === before.length && before.length < REMOVED_MAX) {
      this.removed = new Uint32Array(before.length * 2);
      this.removed.set(before);
    }
    return this.removed as Uint32Array;
  }
}
