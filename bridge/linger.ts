import { LAYERS_MAX } from '../protocol/ids.ts';

/**
 * How long a layer that nobody here needs any more goes on being wanted. Somebody who scrolls past and back, or whose window is resized, comes back within this, and
 * finds the layer flowing: no round trip to have it started, no hole in its history. It costs at most this much of a layer for each real departure.
 */
export const LINGER_MS = 1_000;

/** Which layers of a source of another bridge are still wanted after the last who was shown them has turned away. */
export class Linger {
  /** Bit n: layer n has been shown to somebody since it was last not needed. */
  #shownMask = 0;
  /** Until when layer n lingers; 0 while it does not. */
  readonly #untilMs: number[] = new Array(LAYERS_MAX).fill(0);

  /** Somebody here is shown this layer. */
  handleShown(layer: number): void {
    this.#shownMask |= 1 << layer;
  }

  /** A subscription has ended, which is no scrolling past: only what those who stay are shown may linger. */
  handleEnded(shownMask: number): void {
    this.#shownMask &= shownMask;
    for (let layer = 0; layer < LAYERS_MAX; layer++) this.#untilMs[layer] = 0;
  }

  /** Gives layers that linger one viewer in `viewers`; returns when the first of them ceases to, Infinity when none lingers. */
  apply(nowMs: number, viewers: number[]): number {
    let endMs = Number.POSITIVE_INFINITY;
    for (let layer = 0; layer < LAYERS_MAX; layer++) {
      const bit = 1 << layer;
      if (viewers[layer] > 0) {
        this.#untilMs[layer] = 0;
        continue;
      }
      if ((this.#shownMask & bit) !== 0) this.#untilMs[layer] = nowMs + LINGER_MS;
      this.#shownMask &= ~bit;
      if (this.#untilMs[layer] <= nowMs) continue;
      viewers[layer] = 1;
      endMs = Math.min(endMs, this.#untilMs[layer]);
    }
    return endMs;
  }

  /** Nothing lingers: the link has no room for it. */
  clear(): void {
    this.handleEnded(0);
  }
}
