import { DueQueue } from '../wan/due-queue.ts';

/** The one clock of a simulated world: what is to happen, earliest first. Time jumps from one event to the next; nothing waits. */
export class Agenda {
  /** ms since the world began. */
  nowMs = 0;
  /** How many things have happened. */
  events = 0;
  readonly #queue = new DueQueue<() => void>(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);

  /** `action` at `atMs`, or now when that has passed. */
  at(atMs: number, action: () => void): void {
    this.#queue.push(Math.max(this.nowMs, atMs), action, 0);
  }

  after(delayMs: number, action: () => void): void {
    this.at(this.nowMs + delayMs, action);
  }

  /** Lets everything happen that is due by `endMs`; then it is `endMs`. */
  runUntil(endMs: number): void {
    for (;;) {
      const dueMs = this.#queue.nextDueMs;
      if (dueMs > endMs) break;
      const action = this.#queue.shift(dueMs);
      if (action === undefined) break;
      this.nowMs = dueMs;
      this.events++;
      action();
    }
    this.nowMs = endMs;
  }
}
