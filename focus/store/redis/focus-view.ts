/** The focuses whose leases hold, as this focus last heard: each beat's answer brings them all. */
import type { FocusRecord } from '../store.ts';
import type { Reply } from './redis-commands.ts';
import { listOf } from './replies.ts';

/** Two beats missed: then whoever asks is worth a round trip. */
const FRESH_MS = 3_000;

export class FocusView {
  #records: readonly FocusRecord[] = [];
  #heardAtMs = Number.NEGATIVE_INFINITY;
  #isEmpty = true;

  apply(nowMs: number, reply: Reply): void {
    const records = listOf(reply).map(json => JSON.parse(String(json)) as FocusRecord);
    this.#records = records.sort((a, b) => (a.focusId < b.focusId ? -1 : 1));
    this.#heardAtMs = nowMs;
    this.#isEmpty = false;
  }

  /** Ordered by id. */
  get records(): readonly FocusRecord[] {
    return this.#records;
  }

  isFresh(nowMs: number): boolean {
    return nowMs - this.#heardAtMs < FRESH_MS;
  }

  /** Nothing was ever heard. */
  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  /** What is known no longer holds: the next who asks asks the store. */
  outdate(): void {
    this.#heardAtMs = Number.NEGATIVE_INFINITY;
  }
}
